"""A Debian machine with a booted systemd: systemd-nspawn over a small root, with a network of its own.

Nothing inside reaches the outside: its only interface is its own loopback.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ROOT = Path(__file__).resolve().parents[2]
INCLUDED = (
    "systemd,systemd-sysv,dbus,python3,python3-yaml,python3-click,python3-jinja2,libpcap0.8,libcap2-bin,adduser,"
    "init-system-helpers,rsyslog,iproute2,procps,nginx-light,wrk,ca-certificates,man-db,bash-completion"
)

# Each hierarchy of control groups gets a child of our own group, or the inner systemd would take the top.
# With cgroup v2 alone there is one hierarchy, and systemd-nspawn arranges it by itself.
ENTER_GROUPS = r"""
for c in /sys/fs/cgroup/*/; do
  k=$(basename "$c")
  [ -L "${c%/}" ] && continue
  own=$(awk -F: -v k="$k" '$2==k || (k=="unified" && $1=="0") || (k=="systemd" && $2=="name=systemd") {
    print $3; exit }' /proc/$$/cgroup)
  [ -n "$own" ] || continue
  own=${own%/}
  d=$c${own#/}; d=${d%/}/$1
  mkdir -p "$d"
  if [ "$k" = cpuset ]; then
    cat "${d%/*}/cpuset.cpus" >"$d/cpuset.cpus"; cat "${d%/*}/cpuset.mems" >"$d/cpuset.mems"
  fi
  echo $$ >"$d/cgroup.procs"
done
shift
exec "$@"
"""


def missing_reason() -> str | None:
    """Why no machine can be booted here, or None."""
    if os.geteuid() != 0:
        return "needs root: boots a machine with systemd"
    tools = ("systemd-nspawn", "mmdebstrap", "nsenter", "dpkg-buildpackage", "dh")
    absent = [tool for tool in tools if shutil.which(tool, path=PATH) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    if "ID=debian" not in Path("/etc/os-release").read_text() or not Path("/usr/bin/python3.11").exists():
        return "the packages are built for and tested on Debian 12"
    return None


def root_archive() -> Path:
    """The machine's file system as a tar, made once: Debian 12 with systemd and what the packages depend on.

    Raises:
        RuntimeError: it could not be made (no mirror reachable, say).
    """
    archive = ROOT / "build" / "packaging" / "root.tar"
    stamp = archive.with_suffix(".packages")
    if archive.exists() and stamp.exists() and stamp.read_text() == INCLUDED:
        return archive
    archive.parent.mkdir(parents=True, exist_ok=True)
    with archive.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (archive.exists() and stamp.exists() and stamp.read_text() == INCLUDED):
            _make_root(archive)
            stamp.write_text(INCLUDED)
    return archive


def _make_root(archive: Path) -> None:
    fresh = archive.with_name("root.new.tar")
    argv = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={INCLUDED}", "bookworm", str(fresh)]
    done = subprocess.run(argv, capture_output=True, text=True, env=os.environ | {"PATH": PATH})
    if done.returncode != 0:
        raise RuntimeError(f"no Debian root: {done.stderr[-500:]}")
    fresh.rename(archive)


class Result:
    """How a command ended."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.status = done.returncode
        self.text = done.stdout + done.stderr


class Machine:
    """A booted machine. Commands run inside it as root."""

    def __init__(self, root: Path, leader: int) -> None:
        self.root = root
        self._leader = leader

    def argv(self, command: str) -> list[str]:
        enter = ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-C", "--"]
        clean = [
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL=C.UTF-8",
            "DEBIAN_FRONTEND=noninteractive",
        ]
        return [*enter, *clean, "/bin/sh", "-c", command]

    def try_run(self, command: str, *, timeout: float = 240) -> Result:
        """Run a shell command, whatever its status."""
        return Result(
            subprocess.run(
                self.argv(command), capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
            )
        )

    def run(self, command: str, *, timeout: float = 240) -> str:
        """Run a shell command that must succeed; what it printed."""
        result = self.try_run(command, timeout=timeout)
        assert result.status == 0, f"{command}: status {result.status}: {result.text[-3000:]}"
        return result.text

    def json(self, url: str) -> Any:
        """The JSON document that a server inside the machine answers with."""
        fetch = f"import urllib.request as u; print(u.urlopen({url!r}, timeout=180).read().decode())"
        return json.loads(self.run(f'/usr/bin/python3 -c "{fetch}"'))

    def wait(self, what: str, condition: Callable[[], bool], *, seconds: float = 120) -> None:
        """Return once *condition* holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                journal = self.try_run("journalctl -b --no-pager -n 60 -o short-monotonic").text
                raise AssertionError(f"not within {seconds} s: {what}\n{journal}")
            time.sleep(0.2)

    def wait_for(self, command: str, *, seconds: float = 120) -> None:
        """Return once *command* succeeds."""
        self.wait(command, lambda: self.try_run(command).status == 0, seconds=seconds)

    def until_logged(self, unit: str, text: str) -> None:
        """Return once the unit has logged *text* since it was started last: the journal is written later."""
        invocation = f"_SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID {unit})"
        self.wait_for(f"journalctl {invocation} -b --no-pager | grep -qF '{text}'")

    def property(self, unit: str, name: str) -> str:
        return self.run(f"systemctl show -P {name} {unit}").strip()


@contextmanager
def unpacked(folder: Path, files: dict[str, bytes | Path]) -> Iterator[Path]:
    """A root below *folder*, with *files* (by path inside) added; removed afterwards."""
    root = folder / "root"
    root.mkdir()
    # In memory: a few hundred megabytes, unpacked and forgotten in no time.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3g,mode=755", "levo", str(root)], check=True)
    try:
        subprocess.run(["tar", "-C", str(root), "-xf", str(root_archive())], check=True, capture_output=True)
        (root / "etc/machine-id").write_text(secrets.token_hex(16) + "\n")
        (root / "usr/sbin/policy-rc.d").unlink(missing_ok=True)
        for name, content in files.items():
            there = root / name
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        yield root
    finally:
        subprocess.run(["umount", "--lazy", str(root)], check=True)
        root.rmdir()


# Where systemd-nspawn cannot hand over limits (control groups v1), systemd in plain namespaces can.
BOOT_V1 = r"""
root=$1
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/dev"
for node in null zero full random urandom tty; do
  : >"$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"; ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"; ln -s fd/2 "$root/dev/stderr"
: >"$root/dev/console"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
for c in /sys/fs/cgroup/*/; do
  k=$(basename "$c")
  case $k in
  unified) continue ;;
  systemd) options=none,name=systemd ;;
  *) options=$k ;;
  esac
  if [ -L "${c%/}" ]; then ln -s "$(readlink "${c%/}")" "$root/sys/fs/cgroup/$k"; continue; fi
  mkdir "$root/sys/fs/cgroup/$k"
  mount -t cgroup -o "$options" cgroup "$root/sys/fs/cgroup/$k"
done
cd "$root"
mkdir -p mnt/old
pivot_root . mnt/old
umount -l /mnt/old
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd systemd.unit=multi-user.target
"""


def limits_missing_reason() -> str | None:
    """Why no machine with limits that hold can be booted here, or None."""
    if missing_reason() is not None:
        return missing_reason()
    if not Path("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists():
        return "needs the memory controller of control groups v1"
    return None


@contextmanager
def booted_with_limits(folder: Path, files: dict[str, bytes | Path]) -> Iterator[Machine]:
    """As :func:`booted`, on a machine where CPUQuota and MemoryMax hold."""
    name = f"levo-{secrets.token_hex(4)}"
    with unpacked(folder, files) as root:
        for unit in ("console-getty.service", "systemd-udevd.service", "systemd-udevd-kernel.socket"):
            mask = root / "etc/systemd/system" / unit
            mask.symlink_to("/dev/null")
        kinds = ("--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup")
        unshare = ["unshare", *kinds, "--fork", "--kill-child", "--propagation", "private"]
        with (folder / "console.log").open("wb") as console:
            process = subprocess.Popen(
                [
                    "bash",
                    "-euc",
                    ENTER_GROUPS,
                    "bash",
                    name,
                    *unshare,
                    "bash",
                    "-euc",
                    BOOT_V1,
                    "bash",
                    str(root),
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={"PATH": PATH},
                start_new_session=True,
            )
        try:
            machine = Machine(root, _leader(process, folder / "console.log"))
            machine.wait_for("systemctl is-system-running --wait | grep -E 'running|degraded'")
            machine.run("ip link set lo up")
            yield machine
        finally:
            _end(process)
            remove_groups(name)


@contextmanager
def booted(folder: Path, files: dict[str, bytes | Path]) -> Iterator[Machine]:
    """A running machine."""
    name = f"levo-{secrets.token_hex(4)}"
    with unpacked(folder, files) as root:
        nspawn = [
            "systemd-nspawn", "-q", "--register=no", "--keep-unit", "-M", name, "-D", str(root), "--boot",
            "--private-network", "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe",
            "--capability=CAP_NET_RAW",
        ]  # fmt: skip
        with (folder / "console.log").open("wb") as console:
            process = subprocess.Popen(
                ["bash", "-euc", ENTER_GROUPS, "bash", name, *nspawn],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={"PATH": PATH, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                start_new_session=True,
            )
        try:
            machine = Machine(root, _leader(process, folder / "console.log"))
            machine.wait_for("systemctl is-system-running --wait | grep -E 'running|degraded'")
            yield machine
        finally:
            _end(process)
            remove_groups(name)


def _leader(process: subprocess.Popen[bytes], console: Path) -> int:
    """The inner systemd: the child of systemd-nspawn whose first process number inside is 1."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the machine did not start: {console.read_text(errors='replace')[-1000:]}")
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            try:
                if os.readlink(f"/proc/{child}/exe").endswith("/systemd"):
                    return int(child)
            except OSError:
                continue
        time.sleep(0.05)
    raise RuntimeError("the machine did not start in time")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the machine at once: nothing of it is kept. With its first process, the kernel ends all others."""
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=60)


def remove_groups(name: str) -> None:
    """Remove the control groups that were made for the machine, deepest first."""
    for _ in range(20):
        left = [
            Path(folder) for folder, _, _ in os.walk("/sys/fs/cgroup", topdown=False) if f"/{name}" in folder
        ]
        for folder in left:
            try:
                folder.rmdir()
            except OSError:
                continue
        if not left:
            return
        time.sleep(0.1)
