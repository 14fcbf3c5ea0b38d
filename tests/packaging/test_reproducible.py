"""Image builds from nothing: two are identical octet for octet, in folders, umasks, languages and times that
are not; one is for the other machine (amd64, arm64).

From one set of libraries and Debian files, with a few modules compiled in each folder. In the long form
nothing is shared: each build makes its own Python environment, compiles every module, fetches every package.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.packaging.booted import ROOT
from tests.packaging.runc import unpack

if not (Path("/usr/bin/python3.11").exists() and shutil.which("dpkg-deb")):
    REASON = "the image is built from Debian 12"
elif "LEVO_IMAGE" in os.environ:
    REASON = "LEVO_IMAGE: tests an image that is already there"
else:
    REASON = ""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(2700),
    pytest.mark.skipif(bool(REASON), reason=REASON),
]

WHOLE = [pytest.mark.long, pytest.mark.timeout(5400)]

FEW = "levo.engine.net.fragments,levo.engine.net.link,levo.engine.http2.hpack"
SHARED = ("packaging/venv", "packaging/site-sensor", "packaging/site-satellite", "image/debs")
MACHINES = {"amd64": 62, "arm64": 183}
"""``e_machine`` of an ELF file's head."""
PARTS = ("LICENSE", "README.md", "packaging", "pyproject.toml", "setup.py", "src", "tools")
"""What a build reads, below the root of the repository."""


CACHES = shutil.ignore_patterns("__pycache__")


def compiled(_folder: str, names: list[str]) -> set[str]:
    """Which *names* in a folder below src an earlier build has made; C of the kernel's programs is source."""
    made = {
        each for each in names if each.endswith((".so", ".c", ".o", ".egg-info")) or each == "__pycache__"
    }
    return {each for each in made if not each.endswith(".bpf.c")}


def checkout(folder: Path, *, source: Path, seconds: int) -> Path:
    """A clean tree in *folder*, out of *source*; every file was changed *seconds* after 1970."""
    for part in PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, folder / part, ignore=compiled if part == "src" else CACHES)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / part, folder / part)
    for path in folder.rglob("*"):
        os.utime(path, (seconds, seconds))
    return folder


def share(folder: Path) -> None:
    """Give the tree in *folder* what earlier builds of this checkout have fetched."""
    for name in SHARED:
        (folder / "build" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "build" / name).symlink_to(ROOT / "build" / name)
    for stamp in (ROOT / "build/packaging").glob("*.stamp"):
        if stamp.name != "lib.stamp":
            shutil.copyfile(stamp, folder / "build/packaging" / stamp.name)
    shutil.copyfile(ROOT / "build/packaging/python", folder / "build/packaging/python")


def build(
    folder: Path, *flags: str, whole: bool, umask: int = 0o022, environment: dict[str, str] | None = None
) -> Path:
    """The archive that the tree in *folder* builds to: with all compiled modules, or with a few."""
    few = {} if whole else {"LEVO_ONLY": FEW}
    done = subprocess.run(
        ["packaging/image/build", *flags],
        cwd=folder,
        umask=umask,
        env={**os.environ, **few, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=2600,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    print(done.stdout)
    return folder / done.stdout.splitlines()[-1].split()[0]


def differing(first: Path, second: Path) -> list[str]:
    """Names of the files whose octets differ between two trees."""

    def octets(root: Path) -> dict[str, str]:
        files = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    a, b = octets(first), octets(second)
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=WHOLE)])
def test_two_builds_are_identical(request: pytest.FixtureRequest, tmp_path: Path, whole: bool) -> None:
    if not whole:
        request.getfixturevalue("archive")
    source = checkout(tmp_path / "source", source=ROOT, seconds=1_000_000_000)
    trees = (
        checkout(tmp_path / "a", source=source, seconds=1_100_000_000),
        checkout(tmp_path / "another folder/with a longer name", source=source, seconds=1_700_000_000),
    )
    if not whole:
        for tree in trees:
            share(tree)
    one = build(trees[0], whole=whole, umask=0o022, environment={"TZ": "UTC", "LANG": "C", "USER": "ann"})
    two = build(
        trees[1],
        whole=whole,
        umask=0o077,
        environment={"TZ": "Asia/Tokyo", "LANG": "C.UTF-8", "USER": "bob", "PYTHONHASHSEED": "7"},
    )
    with tarfile.open(one) as image:
        assert len(image.getnames()) >= 7
    product = trees[0] / "build/image/rootfs/app/levo"
    modules = list(product.rglob("*.so"))
    assert len(modules) == len(FEW.split(",")) if not whole else len(modules) > 30
    assert (product / "tlsprobe/secrets.bpf.o").exists()
    assert differing(trees[0] / "build/image/rootfs", trees[1] / "build/image/rootfs") == []
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.long
@pytest.mark.timeout(5400)
def test_an_image_for_the_other_machine(tmp_path: Path) -> None:
    here = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    [other] = set(MACHINES) - {here}
    made = build(checkout(tmp_path, source=ROOT, seconds=1_000_000_000), "--architecture", other, whole=True)
    configuration = unpack(made, tmp_path / "image")
    assert configuration["architecture"] == other

    root = tmp_path / "image/rootfs"
    programs = [root / "usr/bin/python3.11", root / "app/bin/init", *root.rglob("*.so*")]
    heads = {path: path.read_bytes()[:20] for path in programs if path.is_file() and not path.is_symlink()}
    modules = [path for path in heads if path.is_relative_to(root / "app/levo")]
    assert len(modules) > 30 and all(path.name.endswith("-linux-gnu.so") for path in modules)
    for path, head in heads.items():
        assert head[:4] == b"\x7fELF" and int.from_bytes(head[18:20], "little") == MACHINES[other], path
