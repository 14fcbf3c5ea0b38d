"""The packages under test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.booted import ROOT
from tests.packaging.packages import CONFIG, SENSOR


@pytest.fixture(scope="session")
def packages() -> dict[str, Path]:
    """The packages by name: those in the folder LEVO_PACKAGES, or built here (quick when nothing changed)."""
    folder = Path(os.environ.get("LEVO_PACKAGES", ROOT / "build" / "deb"))
    if "LEVO_PACKAGES" not in os.environ:
        done = subprocess.run([ROOT / "packaging/deb/build"], capture_output=True, text=True, timeout=2400)
        assert done.returncode == 0, done.stderr[-3000:]
    return {file.name.partition("_")[0]: file for file in folder.glob("*.deb")}


@pytest.fixture(scope="session")
def archive() -> Path:
    """The image as an OCI archive: LEVO_IMAGE, or built here (quick when nothing changed)."""
    if "LEVO_IMAGE" in os.environ:
        return Path(os.environ["LEVO_IMAGE"])
    done = subprocess.run([ROOT / "packaging/image/build"], capture_output=True, text=True, timeout=2400)
    assert done.returncode == 0, done.stderr[-3000:]
    return ROOT / done.stdout.splitlines()[-1].split()[0]


@pytest.fixture(scope="session")
def newer(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sensor's package as two later versions: one the same, one with another default configuration."""
    folder = tmp_path_factory.mktemp("newer")
    made = {}
    for version, changed in (("90.0", False), ("91.0", True)):
        tree = folder / version
        subprocess.run(["dpkg-deb", "-R", packages[SENSOR], tree], check=True)
        control = tree / "DEBIAN/control"
        control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", control.read_text()))
        if changed:
            with (tree / CONFIG[1:]).open("a") as file:
                file.write("# Something new.\n")
        made[version] = folder / f"{version}.deb"
        subprocess.run(["dpkg-deb", "-b", "-Znone", tree, made[version]], check=True, capture_output=True)
        shutil.rmtree(tree)
    return made
