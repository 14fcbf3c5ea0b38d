"""Processes of this host that pass connections on: what they carry is captured before and after them.

Linux only: reads ``/proc``. Who listens where is told by the sockets of a process, which root may see, else
by its command line, where that says a port.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RELAYS = {
    "docker-proxy": "Docker's userland proxy",
    "rootlessport": "the port forwarder of rootless containers",
    "rootlesskit": "the port forwarder of rootless containers",
    "slirp4netns": "the network of rootless containers",
    "passt": "the network of rootless containers",
    "passt.avx2": "the network of rootless containers",
    "pasta": "the network of rootless containers",
    "pasta.avx2": "the network of rootless containers",
    "gvproxy": "the network of Podman machines",
    "socat": "a relay",
    "rinetd": "a relay",
    "redir": "a relay",
    "simpleproxy": "a relay",
    "kubectl": "a port forward of kubectl",
}
"""They copy octets and add no header field. ``kube-proxy`` does in userspace mode alone."""

PROXIES = {
    "nginx": "a proxy or a web server",
    "haproxy": "a proxy",
    "envoy": "a proxy",
    "traefik": "a proxy",
    "caddy": "a proxy or a web server",
    "pilot-agent": "a proxy of Istio",
    "linkerd2-proxy": "a proxy of Linkerd",
    "cilium-envoy": "a proxy of Cilium",
}
"""They read HTTP and may be told to pass a request's identifier on."""

_PORT_IN_COMMAND = re.compile(r"(?:-host-port[= ]|TCP[46]?-L(?:ISTEN)?:)(\d{1,5})\b", re.IGNORECASE)
_LISTENING = "0A"


@dataclass(frozen=True, slots=True)
class LocalHop:
    """One process that passes connections on."""

    name: str
    pid: int
    ports: tuple[int, ...]
    """TCP ports that it listens on; sorted."""

    @property
    def copies(self) -> bool:
        """Whether it copies octets, so that nothing in a request tells its two sides apart."""
        return self.name not in PROXIES

    @property
    def what(self) -> str:
        return RELAYS.get(self.name) or PROXIES.get(self.name) or "the userspace mode of kube-proxy"


def find_local_hops(proc: Path = Path("/proc")) -> tuple[LocalHop, ...]:
    """Every such process that listens in this network namespace; none where /proc cannot be read."""
    listening = listening_ports(proc)
    found = []
    for folder in processes(proc):
        name, command = text_of(folder / "comm").strip(), text_of(folder / "cmdline").replace("\0", " ")
        if name not in RELAYS and name not in PROXIES and not _is_userspace_kube_proxy(name, command):
            continue
        ports = {listening[inode] for inode in sockets(folder) if inode in listening}
        if not ports:
            told = {int(port) for port in _PORT_IN_COMMAND.findall(command)}
            ports = told & set(listening.values())
        if ports:
            found.append(LocalHop(name, int(folder.name), tuple(sorted(ports))))
    return tuple(sorted(found, key=lambda hop: (hop.ports, hop.pid)))


def _is_userspace_kube_proxy(name: str, command: str) -> bool:
    return name == "kube-proxy" and re.search(r"--proxy-mode[= ]userspace\b", command) is not None


def processes(proc: Path) -> Iterator[Path]:
    """The folder of each process."""
    try:
        names = os.listdir(proc)
    except OSError:
        return
    for name in names:
        if name.isdecimal():
            yield proc / name


def text_of(path: Path) -> str:
    """The text of a file of /proc; empty where there is none any more."""
    try:
        return path.read_text(errors="replace")
    except OSError:  # it has ended
        return ""


def listening_ports(proc: Path) -> dict[str, int]:
    """Ports of listening TCP sockets of this network namespace, by inode (``proc_net_tcp`` of the kernel)."""
    found = {}
    for table in ("net/tcp", "net/tcp6"):
        for line in text_of(proc / table).splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[3] == _LISTENING:
                found[fields[9]] = int(fields[1].rpartition(":")[2], 16)
    return found


def sockets(folder: Path) -> Iterator[str]:
    """Inodes of the sockets that a process has open; none where that is not ours to see."""
    try:
        descriptors = os.listdir(folder / "fd")
    except OSError:
        return
    for each in descriptors:
        try:
            target = os.readlink(folder / "fd" / each)
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[8:-1]
