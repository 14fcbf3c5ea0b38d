"""The C that is written by hand: each header stands alone, without a warning."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
HEADERS = sorted(SOURCE.rglob("*.h"))
COMPILER = os.environ.get("CC", "cc")
# What a header defines for somebody else is not unused.
FLAGS = ["-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-Wno-unused-const-variable"]


@pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"no compiler: {COMPILER}")
@pytest.mark.parametrize(
    "header", sorted(SOURCE.rglob("*.h")), ids=lambda path: path.relative_to(SOURCE).as_posix()
)
def test_a_header_compiles_by_itself_without_a_warning(header: Path):
    program = f'#include "{header.relative_to(SOURCE)}"\n#include "{header.relative_to(SOURCE)}"\n'

    done = subprocess.run(
        [COMPILER, *FLAGS, f"-I{SOURCE}", "-x", "c", "-"], input=program, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr


def test_c_stands_in_headers_and_not_in_strings_of_cython():
    sources = [*SOURCE.rglob("*.pyx"), *SOURCE.rglob("*.pxd")]

    assert [path for path in sources if "cdef extern from *" in path.read_text()] == []
