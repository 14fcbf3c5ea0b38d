"""Compiles all C of the repository with -Wall -Wextra -Werror, without output: `make lint` runs it.

What we wrote: headers, each as if it were a file of its own, the image's init, the fuzzer's entry points. And
what Cython makes of the compiled modules, because .pyx and .pxd files have functions in C in them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WARNINGS = ["-Wall", "-Wextra", "-Werror"]
OURS = ["-std=gnu11", "-Wshadow", "-Wstrict-prototypes", "-Wpointer-arith"]
GENERATED = ["-Wno-sign-compare"]  # Cython compares a loop's counter with the enum constant that ends it
INCLUDES = [f"-I{ROOT / 'src'}", f"-I{sysconfig.get_path('include')}"]
DEFINES = ['-DLEVO_VERSION="0"', '-DLEVO_FUZZ_PYTHON="python"', '-DLEVO_FUZZ_LIB="lib"']


def checks(folder: Path) -> list[tuple[Path, list[str]]]:
    """Each file with the options it is compiled with; *folder* takes those that are made for it."""
    source = ROOT / "src"
    found = [(ROOT / "packaging/image/init.c", OURS), (ROOT / "fuzz/main.c", [])]
    for header in sorted(source.rglob("*.h")):
        alone = folder / f"{header.stem}_h.c"
        alone.write_text(f'#include "{header.relative_to(source)}"\nint main(void) {{ return 0; }}\n')
        found.append((alone, [*OURS, "-Wno-unused-function"]))
    for module in sorted(source.rglob("*.pyx")):
        made = ROOT / "build/cython" / module.relative_to(ROOT).with_suffix(".c")
        if made.exists():
            found.append((made, GENERATED))
    return found


def compile_one(check: tuple[Path, list[str]]) -> str:
    path, options = check
    command = [
        os.environ.get("CC", "cc"),
        "-fsyntax-only",
        *WARNINGS,
        *options,
        *INCLUDES,
        *DEFINES,
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as several:
        wanted = checks(Path(folder))
        complaints = [text for text in several.map(compile_one, wanted) if text]
    print("\n".join(complaints), file=sys.stderr, end="")
    print(f"{len(wanted)} files of C, {len(complaints)} with warnings")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
