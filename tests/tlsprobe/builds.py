"""Builds of TLS libraries that registries have, and where each keeps the client random."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

CACHE = Path(__file__).resolve().parents[2] / "build" / "tls-builds"
PLATFORMS = {
    "x86-64": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "arm64": ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"),
    "x86-64 musl": ("musllinux_1_2_x86_64", "musllinux_1_1_x86_64"),
    "arm64 musl": ("musllinux_1_2_aarch64", "musllinux_1_1_aarch64"),
}
OPENSSL_3 = "*/_rust.abi3.so"
RANDOM = {
    # Pointer and offset, as the published headers lay the structures out. Nothing in the product knows them.
    "OpenSSL 1.1.1": ("pointer", 0xA8, 0xB8),
    "OpenSSL 3.0": ("embedded", 0, 0x160),
    "OpenSSL 3.2": ("embedded", 0, 0x140),
    "OpenSSL 3.4": ("embedded", 0, 0x148),
    "OpenSSL 3.5": ("embedded", 0, 0x188),
    "BoringSSL": ("pointer", 0x30, 0x30),
}


@dataclass(frozen=True, slots=True)
class Build:
    """One file in one wheel."""

    package: str
    version: str
    platform: str
    member: str
    """Pattern of the file's name inside the wheel."""
    library: str
    python: str = "311"

    def __str__(self) -> str:
        return f"{self.package}-{self.version}-{self.platform.replace(' ', '-')}"


def _builds() -> list[Build]:
    found = []
    for machine in ("x86-64", "arm64"):
        for version, library, member in (
            ("3.4.8", "OpenSSL 1.1.1", "*/_openssl.abi3.so"),
            ("38.0.4", "OpenSSL 3.0", "*/_openssl.abi3.so"),
            ("41.0.7", "OpenSSL 3.0", OPENSSL_3),
            ("42.0.8", "OpenSSL 3.2", OPENSSL_3),
            ("43.0.3", "OpenSSL 3.2", OPENSSL_3),
            ("45.0.7", "OpenSSL 3.5", OPENSSL_3),
            ("46.0.3", "OpenSSL 3.5", OPENSSL_3),
        ):
            found.append(Build("cryptography", version, machine, member, library))
        for version, library in (("44.0.1", "OpenSSL 3.4"), ("46.0.3", "OpenSSL 3.5")):
            found.append(Build("cryptography", version, f"{machine} musl", OPENSSL_3, library))
        for version in ("1.48.2", "1.54.3", "1.60.0", "1.65.5", "1.71.2", "1.76.0"):
            found.append(Build("grpcio", version, machine, "*/cygrpc.*.so", "BoringSSL", "310"))
        for version in ("0.7.4", "0.10.0", "0.13.0"):
            found.append(Build("curl_cffi", version, machine, "*/_wrapper.abi3.so", "BoringSSL"))
        for package, version, library in (
            ("psycopg2-binary", "2.9.9", "OpenSSL 1.1.1"),
            ("psycopg2-binary", "2.9.11", "OpenSSL 3.5"),
            ("psycopg-binary", "3.1.18", "OpenSSL 1.1.1"),
            ("psycopg-binary", "3.2.12", "OpenSSL 3.5"),
            ("mysql-connector-python", "9.1.0", "OpenSSL 3.0"),
        ):
            found.append(Build(package, version, machine, "*/libssl*", library))
    found.append(Build("grpcio", "1.68.1", "x86-64 musl", "*/cygrpc.*.so", "BoringSSL"))
    found.append(Build("primp", "0.6.5", "x86-64", "*/primp.abi3.so", "BoringSSL"))
    return found


BUILDS = _builds()


def fetch(build: Build) -> Path:
    """The file, taken out of its wheel; skips the test where no registry answers."""
    folder = CACHE / str(build)
    marker = folder / "file"
    if marker.exists():
        return marker
    folder.mkdir(parents=True, exist_ok=True)
    platforms = [word for each in PLATFORMS[build.platform] for word in ("--platform", each)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--timeout=20", "--retries=1", "--python-version", build.python]
    command += [*platforms, "--dest", str(folder), f"{build.package}=={build.version}"]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = done.stderr.strip().splitlines() or ["no wheel"]
        pytest.skip(f"{build} cannot be had: {lines[-1]}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        names = [name for name in wheel.namelist() if fnmatch(name, build.member)]
        (folder / "part").write_bytes(wheel.read(names[0]))
    (folder / "part").rename(marker)
    for each in wheels:
        each.unlink()
    return marker
