"""The source archive (sdist): what a build needs is in it, and a wheel is built from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.packaging.booted import ROOT
from tests.packaging.test_reproducible import checkout

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ONE = "levo.engine.net.link"
SOURCES = (".py", ".pyx", ".pxd", ".h", ".bpf.c")


def make(what: str, source: Path, folder: Path) -> Path:
    """An ``sdist`` or ``wheel`` of the tree *source*, in *folder*, with one compiled module."""
    folder.mkdir()
    code = f"import sys; from setuptools import build_meta; print(build_meta.build_{what}(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=source,
        env={**os.environ, "LEVO_ONLY": ONE},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return folder / done.stdout.splitlines()[-1]


def test_source_archive_builds_all_of_the_product(tmp_path: Path) -> None:
    source = checkout(tmp_path / "source", source=ROOT, seconds=1_000_000_000)
    shutil.copyfile(ROOT / "MANIFEST.in", source / "MANIFEST.in")
    needed = {path.relative_to(source) for path in (source / "src").rglob("*") if path.name.endswith(SOURCES)}
    with tarfile.open(make("sdist", source, tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    [unpacked] = (tmp_path / "unpacked").iterdir()
    assert {str(path) for path in needed if not (unpacked / path).exists()} == set()

    with zipfile.ZipFile(make("wheel", unpacked, tmp_path / "wheel")) as wheel:
        names = set(wheel.namelist())
    modules = {str(path.relative_to("src")) for path in needed if path.suffix == ".py"}
    assert modules - names == set()
    if shutil.which("clang") and Path("/usr/include/bpf/bpf_helpers.h").exists():
        assert "levo/tlsprobe/secrets.bpf.o" in names
    assert not [name for name in names if name.endswith((".pyx", ".bpf.c"))]
