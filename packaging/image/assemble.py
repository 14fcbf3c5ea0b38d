"""Puts the image together: Debian's files, the sensor, notices, list of contents; then the OCI archive.

    assemble.py [--rootfs FOLDER]

Debian packages are unpacked, not installed: no maintainer script runs, no database is kept. Every time stamp
is SOURCE_DATE_EPOCH (0 without it), so equal inputs give equal octets.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OUT = Path("build/image")
TRIPLES = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
HERE = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
ARCHITECTURE = os.environ.get("LEVO_ARCHITECTURE", HERE)
FOREIGN = ARCHITECTURE != HERE
"""Built for another machine than this one: nothing of it can be run."""
BUILT = Path(f"build/packaging-{ARCHITECTURE}" if FOREIGN else "build/packaging")
EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
USER = 65532

PACKAGES = (
    "base-files", "netbase", "ca-certificates", "tzdata", "libc6", "gcc-12-base", "libgcc-s1", "libstdc++6",
    "zlib1g", "libssl3", "libexpat1", "libffi8", "libbz2-1.0", "liblzma5", "libcrypt1", "libuuid1",
    "libpcap0.8", "libdbus-1-3", "libsystemd0", "libcap2", "liblz4-1", "libzstd1", "libgcrypt20",
    "libgpg-error0", "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib",
)  # fmt: skip
"""What python3.11 and libpcap need at run time."""

DROPPED = (
    # No person works inside: no manuals, translations, shells' helpers.
    "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/share/info", "usr/share/bug",
    "usr/share/gcc", "usr/share/gdb", "usr/share/binfmts", "usr/share/apport", "usr/share/base-files",
    "usr/share/python3",
    "usr/share/applications", "usr/share/pixmaps", "usr/lib/*/gconv", "usr/lib/*/audit", "lib/*/audit",
    "usr/sbin", "sbin", "bin", "etc/ca-certificates*", "etc/cron*", "etc/init.d", "etc/default",
    "etc/python3*",
    "usr/bin/[!p]*", "usr/bin/p[!y]*", "usr/share/zoneinfo/right", "usr/share/zoneinfo/posix",
    # Parts of Python's library that a sensor never loads.
    *(f"usr/lib/python3.11/{name}" for name in (
        "idlelib", "tkinter", "lib2to3", "ensurepip", "distutils", "pydoc_data", "turtle*", "test",
        "unittest", "curses", "dbm", "sqlite3", "venv", "wsgiref", "config-3.11-*", "_sysconfigdata*",
        "lib-dynload/_curses*", "lib-dynload/_dbm*", "lib-dynload/_sqlite3*", "lib-dynload/_tkinter*",
        "lib-dynload/readline*", "lib-dynload/_test*", "lib-dynload/xxlimited*", "lib-dynload/_gdbm*",
        "lib-dynload/ossaudiodev*", "lib-dynload/nis*", "lib-dynload/_crypt*",
    )),
)  # fmt: skip


def main() -> None:
    """Write the root, and unless only that was asked for, the archive."""
    only_root = sys.argv[1:2] == ["--rootfs"]
    root = Path(sys.argv[2]) if only_root else OUT / (f"rootfs-{ARCHITECTURE}" if FOREIGN else "rootfs")
    if root.exists() and not only_root:
        shutil.rmtree(root)
    root.mkdir(parents=True, exist_ok=True)
    contents = _debian(root)
    _accounts(root)
    contents += _sensor(root)
    _bytecode(root)
    _check_libraries(root)
    _describe(root, contents)
    if not only_root:
        _archive(root)


def _run(*argv: str | Path, **options: Any) -> str:
    done = subprocess.run([str(each) for each in argv], capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"make image: {argv[0]}: {done.stderr.strip()[-1000:]}")
    return done.stdout


def _version() -> str:
    found = re.search(r'__version__ = "(.+)"', Path("src/levo/__init__.py").read_text(encoding="utf-8"))
    assert found
    return found[1]


def _debian(root: Path) -> list[dict[str, Any]]:
    """Unpack Debian's files; the list of what was unpacked."""
    cache = (OUT / (f"debs-{ARCHITECTURE}" if FOREIGN else "debs")).resolve()
    cache.mkdir(parents=True, exist_ok=True)
    missing = [name for name in PACKAGES if not list(cache.glob(f"{name}_*.deb"))]
    if missing and FOREIGN:
        script = f'. "$0"; fetch_foreign {ARCHITECTURE} "$@"'
        argv = ["bash", "-c", script, Path("packaging/cross").resolve(), (BUILT / "apt").resolve(), *missing]
        _run(*argv, cwd=cache)
    elif missing:
        _run("apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", *missing, cwd=cache)
    contents = []
    for name in PACKAGES:
        [file] = cache.glob(f"{name}_*.deb")
        _run("dpkg-deb", "-x", file, root)
        version = _run("dpkg-deb", "-f", file, "Version").strip()
        architecture = _run("dpkg-deb", "-f", file, "Architecture").strip()
        contents.append(
            {
                "type": "library",
                "name": name,
                "version": version,
                "purl": f"pkg:deb/debian/{name}@{version}?arch={architecture}&distro=debian-12",
                "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(file.read_bytes()).hexdigest()}],
            }
        )
    certificates = sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_text("".join(each.read_text().strip() + "\n" for each in certificates))
    shutil.rmtree(root / "usr/share/ca-certificates")
    for pattern in DROPPED:
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for path in (root / "usr/share/doc").rglob("*"):
        if path.is_file() and path.name != "copyright":
            path.unlink()
    return contents


def _accounts(root: Path) -> None:
    (root / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/nonexistent\n"
        f"levo:x:{USER}:{USER}:Levo sensor:/var/lib/levo-sensor:/nonexistent\n"
    )
    (root / "etc/group").write_text(f"root:x:0:\nlevo:x:{USER}:\n")
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    for folder in ("tmp", "var/lib/levo-sensor", "etc/levo/sensor", "proc", "sys", "dev", "run"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)


def _sensor(root: Path) -> list[dict[str, Any]]:
    """The program, its libraries, ./bin/init; the list of the libraries."""
    app = root / "app"
    shutil.copytree(BUILT / "lib/levo", app / "levo", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("satellite", "demo", "ecs"):
        shutil.rmtree(app / "levo" / name, ignore_errors=True)
    for pattern in ("satellite*", "demo", "ecs*", "learn", "openapi", "documents", "recordings"):
        for path in (app / "levo/cli").glob(f"{pattern}.py"):
            path.unlink()
    shutil.copytree(BUILT / "site-sensor", app / "vendor", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile("LICENSE", app / "LICENSE")
    (app / "bin").mkdir()
    (app / "bin/levo").write_text(
        '#!/usr/bin/python3.11 -IB\nimport sys\n\nsys.path[:0] = ["/app", "/app/vendor"]\n'
        "from levo.cli import main\n\nmain()\n"
    )
    (app / "bin/levo").chmod(0o755)
    flags = [
        "-std=c11",
        "-O2",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fstack-protector-strong",
        "-D_FORTIFY_SOURCE=2",
    ]
    flags += ["-fPIE", "-pie", "-Wl,-z,relro,-z,now", "-s", f'-DLEVO_VERSION="{_version()}"']
    _run(f"{TRIPLES[ARCHITECTURE]}-gcc", *flags, "packaging/image/init.c", "-o", app / "bin/init")
    for library in sorted(app.rglob("*.so*")):
        _run(f"{TRIPLES[ARCHITECTURE]}-strip", "--strip-unneeded", "--enable-deterministic-archives", library)
    contents = []
    for folder in sorted((app / "vendor").glob("*.dist-info")):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        license = re.search(
            r"(?m)^License(?:-Expression)?: (.+)$", (folder / "METADATA").read_text(encoding="utf-8")
        )
        component: dict[str, Any] = {"type": "library", "name": name, "version": version}
        component["purl"] = f"pkg:pypi/{name.replace('_', '-')}@{version}"
        if license:
            component["licenses"] = [{"license": {"name": license[1]}}]
        contents.append(component)
    return contents


def _bytecode(root: Path) -> None:
    """Compiled once, here: a container starts faster and needs no writable place for it."""
    environment = {"PYTHONHASHSEED": "0", "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    argv = ["/usr/bin/python3", "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    for folder in ("app", "usr/lib/python3.11"):
        shutil_clean(root / folder)
        _run(*argv, "-s", str(root), "-p", "/", root / folder, env=environment)


def shutil_clean(folder: Path) -> None:
    """Remove bytecode that came with something."""
    for cache in folder.rglob("__pycache__"):
        shutil.rmtree(cache)


def _check_libraries(root: Path) -> None:
    """Every shared library that something asks for is there.

    Raises:
        SystemExit: with what is missing, and who asks.
    """
    present = {path.name for path in root.rglob("*.so*")} | {"linux-vdso.so.1"}
    for path in [*root.rglob("*.so*"), root / "usr/bin/python3.11", root / "app/bin/init"]:
        if path.is_symlink() or not path.is_file():
            continue
        for name in re.findall(r"\(NEEDED\).*\[(.+?)\]", _run("readelf", "-d", path)):
            if name not in present:
                sys.exit(
                    f"make image: {path.relative_to(root)} needs {name}, which no package in the list has"
                )


def _describe(root: Path, contents: list[dict[str, Any]]) -> None:
    """List of contents (CycloneDX 1.5) and notices."""
    version = _version()
    listed = json.dumps(contents, sort_keys=True)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, listed)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "container",
                "name": "levo-sensor",
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": contents,
    }
    target = root / "usr/share/sbom/levo-sensor.cdx.json"
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps(document, indent=1) + "\n")
    lines = [
        "levo-sensor",
        f"Version {version}. Apache License 2.0, see /app/LICENSE.",
        "",
        "This image contains:",
        "",
    ]
    for each in contents:
        place = (
            f"/usr/share/doc/{each['name']}/copyright"
            if each["purl"].startswith("pkg:deb")
            else f"/app/vendor/{each['name']}-{each['version']}.dist-info"
        )
        lines.append(f"{each['name']} {each['version']}: {place}")
    (root / "app/NOTICE").write_text("\n".join(lines) + "\n")


def _layer(root: Path, chosen: list[Path]) -> bytes:
    """A tar of *chosen*, in order of names, without anything of this machine in it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in chosen:
            name = path.relative_to(root).as_posix()
            entry = archive.gettarinfo(path, arcname=name)
            entry.uid = entry.gid = USER if name == "var/lib/levo-sensor" else 0
            entry.uname = entry.gname = ""
            entry.mtime, entry.pax_headers = EPOCH, {}
            if entry.islnk():
                entry = _as_file(entry, path)
            if entry.isdir():
                entry.mode = 0o1777 if name == "tmp" else 0o755
            elif entry.isfile():
                entry.mode = 0o755 if entry.mode & 0o100 else 0o644
            if entry.isfile():
                with path.open("rb") as file:
                    archive.addfile(entry, file)
            else:
                archive.addfile(entry)
    return stream.getvalue()


def _as_file(entry: tarfile.TarInfo, path: Path) -> tarfile.TarInfo:
    entry.type, entry.linkname, entry.size = tarfile.REGTYPE, "", path.stat().st_size
    return entry


def _blobs(root: Path) -> Iterator[tuple[str, bytes]]:
    """(diff id, compressed layer): Debian's files, which seldom change, and the sensor's."""
    everything = sorted(root.rglob("*"), key=lambda path: path.relative_to(root).as_posix())
    app = root / "app"
    ours = [path for path in everything if path == app or app in path.parents]
    for chosen in ([path for path in everything if path not in set(ours)], ours):
        layer = _layer(root, chosen)
        yield f"sha256:{hashlib.sha256(layer).hexdigest()}", gzip.compress(layer, 6, mtime=0)


def _archive(root: Path) -> None:
    """OCI image layout in a tar, with a manifest.json beside it for engines that know only that."""
    blobs: dict[str, bytes] = {}

    def add(content: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}

    version = _version()
    layers, identities = [], []
    for identity, compressed in _blobs(root):
        identities.append(identity)
        layers.append(add(compressed, "application/vnd.oci.image.layer.v1.tar+gzip"))
    labels = {
        "org.opencontainers.image.title": "levo-sensor",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.licenses": "Apache-2.0",
    }
    configuration = {
        "created": "1970-01-01T00:00:00Z",
        "architecture": ARCHITECTURE,
        "os": "linux",
        "config": {
            "User": "0",
            "Env": [
                "PATH=/app/bin:/usr/bin",
                "LANG=C.UTF-8",
                "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
            ],
            "Entrypoint": ["./bin/init"],
            "Cmd": ["apidump"],
            "WorkingDir": "/app",
            "StopSignal": "SIGTERM",
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": identities},
        "history": [{"created_by": "Debian 12"}, {"created_by": "levo-sensor"}],
    }
    described = add(json.dumps(configuration).encode(), "application/vnd.oci.image.config.v1+json")
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described,
        "layers": layers,
        "annotations": labels,
    }
    top = add(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
    top["platform"] = {"architecture": ARCHITECTURE, "os": "linux"}
    top["annotations"] = {"org.opencontainers.image.ref.name": version}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [top]}

    def path(descriptor: dict[str, Any]) -> str:
        return f"blobs/{descriptor['digest'].replace(':', '/')}"

    older = [
        {
            "Config": path(described),
            "RepoTags": [f"levo-sensor:{version}"],
            "Layers": [path(each) for each in layers],
        }
    ]
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode()}
    files |= {"manifest.json": json.dumps(older).encode()} | blobs
    target = OUT / f"levo-sensor-{version}-{ARCHITECTURE}.oci.tar"
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(files[name]), EPOCH, 0o644
            archive.addfile(entry, io.BytesIO(files[name]))
    unpacked = sum(
        file.lstat().st_size for file in root.rglob("*") if file.is_file() and not file.is_symlink()
    )
    print(
        f"{target}  {top['digest']}  {unpacked / 1e6:.0f} MB unpacked, {target.stat().st_size / 1e6:.0f} MB"
    )


if __name__ == "__main__":
    main()
