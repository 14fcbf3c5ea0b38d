"""Runs the image as Fargate would: Docker's default capabilities, limits, the task's network namespace."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.packaging.booted import remove_groups
from tests.system.network import Namespace

DOCKER = (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE "
    "SYS_CHROOT KILL AUDIT_WRITE"
)
"""The capabilities that Docker, and so Fargate, gives a container."""
_BY_NUMBER = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
    "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT "
    "SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE "
    "AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ "
    "PERFMON BPF CHECKPOINT_RESTORE"
)
"""All there are, by number."""
COUNTERS = {"cpuacct.usage", "cpu.stat", "memory.max_usage_in_bytes", "memory.peak"}
SPECIAL = {"proc": "proc", "dev": "tmpfs", "sys": "sysfs"}


def every() -> str:
    """The capabilities that this machine can give a container."""
    found = re.search(r"(?m)^CapBnd:\s+(\w+)$", Path("/proc/self/status").read_text())
    assert found is not None
    return " ".join(name for number, name in enumerate(_BY_NUMBER.split()) if int(found[1], 16) >> number & 1)


def unpack(archive: Path, folder: Path) -> dict[str, Any]:
    """Unpack an OCI archive's layers into *folder*/rootfs; its configuration."""
    with tarfile.open(archive) as image:

        def read(name: str) -> bytes:
            file = image.extractfile(name)
            assert file is not None
            return file.read()

        def blob(descriptor: dict[str, Any]) -> str:
            return "blobs/" + str(descriptor["digest"]).replace(":", "/")

        [top] = json.loads(read("index.json"))["manifests"]
        manifest = json.loads(read(blob(top)))
        for layer in manifest["layers"]:
            with image.extractfile(blob(layer)) as content, tarfile.open(fileobj=content) as files:  # type: ignore[union-attr]
                # Python 3.11.2 has no extraction filters yet; the archive is our own.
                careful = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}
                files.extractall(folder / "rootfs", numeric_owner=True, **careful)
        configuration: dict[str, Any] = json.loads(read(blob(manifest["config"])))
    return configuration


class Container:
    """One container of the image, ready to run."""

    def __init__(self, bundle: Path, name: str) -> None:
        self.name = name
        self._bundle = bundle
        self._runc = ["runc", "--root", str(bundle / "runc")]
        self.log = bundle / "log"

    def run(self, *, timeout: float = 60) -> tuple[int, str]:
        """Run it to its end: (status, what it printed)."""
        process = self.start()
        try:
            return process.wait(timeout), self.text
        finally:
            self.remove()

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [*self._runc, "run", "-b", str(self._bundle), self.name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def signal(self, name: str) -> None:
        """Send a signal to its first process."""
        subprocess.run([*self._runc, "kill", self.name, name], check=True, capture_output=True)

    def processes(self) -> list[int]:
        """Its processes, by their numbers outside."""
        done = subprocess.run([*self._runc, "ps", "-f", "json", self.name], check=True, capture_output=True)
        return [int(number) for number in json.loads(done.stdout)]

    def used(self) -> str:
        """CPU time so far and the greatest memory, as its control groups count them (cgroup v1 or v2)."""
        found = {}
        for folder, _, names in os.walk("/sys/fs/cgroup"):
            if Path(folder).name == self.name:
                found |= {name: (Path(folder) / name).read_text().split() for name in COUNTERS & set(names)}
        if "cpuacct.usage" in found:
            cpu_s = int(found["cpuacct.usage"][0]) / 1e9
        else:
            pairs = found["cpu.stat"]
            cpu_s = int(pairs[pairs.index("usage_usec") + 1]) / 1e6
        peak = int((found.get("memory.max_usage_in_bytes") or found["memory.peak"])[0])
        return f"{cpu_s:.1f} s of CPU, {peak / 1e6:.0f} MB at most"

    def remove(self) -> None:
        subprocess.run([*self._runc, "delete", "-f", self.name], capture_output=True)
        remove_groups(self.name)


@contextmanager
def container(  # noqa: PLR0913 (each names a part of the container)
    image: tuple[Path, dict[str, Any]],
    folder: Path,
    namespace: Namespace,
    arguments: Sequence[str],
    *,
    environment: Sequence[str] = (),
    cpus: float = 0.5,
    mebibytes: int = 512,
    capabilities: str = DOCKER,
    first: Sequence[str] = (),
) -> Iterator[Container]:
    """A container of *image* (root folder, configuration) in *namespace*; removed afterwards.

    *first*: a command that starts the entry point, as ``docker run --init`` has one.
    """
    root, configuration = image
    name = f"levo-{secrets.token_hex(4)}"
    held = [f"CAP_{each}" for each in capabilities.split()]
    settings = configuration["config"]
    document = {
        "ociVersion": "1.0.2",
        "hostname": name,
        "process": {
            "terminal": False,
            "user": {"uid": int(settings["User"]), "gid": 0},
            "args": [*first, *settings["Entrypoint"], *arguments],
            "env": [*settings["Env"], *environment],
            "cwd": settings["WorkingDir"],
            "capabilities": {kind: held for kind in ("bounding", "effective", "permitted")},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": False,
        },
        "root": {"path": str(root), "readonly": True},
        "mounts": [
            {"destination": f"/{name}", "type": kind, "source": kind, "options": ["nosuid"]}
            for name, kind in SPECIAL.items()
        ],
        "linux": {
            "namespaces": [
                *({"type": kind} for kind in ("pid", "ipc", "uts", "mount")),
                {"type": "network", "path": f"/var/run/netns/{namespace.name}"},
            ],
            # Relative: below our own group, so that its limits hold.
            "cgroupsPath": name,
            "resources": {
                "cpu": {"period": 100_000, "quota": round(cpus * 100_000)},
                "memory": {"limit": mebibytes << 20, "swap": mebibytes << 20},
                "devices": [{"allow": False, "access": "rwm"}],
            },
        },
    }
    document["mounts"].append(
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["size=64m"]}
    )  # type: ignore[attr-defined]
    (folder / "config.json").write_text(json.dumps(document))
    found = Container(folder, name)
    try:
        yield found
    finally:
        found.remove()
