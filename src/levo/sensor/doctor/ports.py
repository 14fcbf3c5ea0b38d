"""What came by on each server port, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from levo.model.statistics import PortUse, UnnamedTunnel

_PROTOCOLS = {
    "http/1": "HTTP/1.1",
    "http/2": "HTTP/2",
    "websocket": "WebSocket",
    "tls": "encrypted (TLS)",
    "fastcgi": "FastCGI",
    "ssh": "SSH",
    "ftp-smtp": "FTP or SMTP",
    "imap": "IMAP",
    "pop3": "POP3",
    "mysql": "MySQL",
    "redis": "Redis",
    "postgresql": "PostgreSQL",
    "other": "not HTTP",
}

_UNREAD = {"ssh", "ftp-smtp", "imap", "pop3", "mysql", "redis", "postgresql"}


def describe(ports: Sequence[PortUse], packets: int) -> list[str]:
    """One sentence for each entry of ``Engine.ports()``; *packets* is what the shares refer to."""
    return [_sentence(port, packets) for port in ports]


def named(port: PortUse) -> list[str]:
    """Protocols of one entry that are recognized and not read, for people."""
    return [_PROTOCOLS[name] for name in port["protocols"] if name in _UNREAD]


def protocols(port: PortUse) -> str:
    """The protocols of one entry, for people."""
    return " and ".join(_PROTOCOLS.get(name, name) for name in port["protocols"]) or "protocol not recognized"


def unnamed_tunnel(tunnel: UnnamedTunnel) -> str:
    """One entry of ``Engine.unnamed_tunnels()``."""
    frames = f"{tunnel['frames']:,} packet{'' if tunnel['frames'] == 1 else 's'}"
    port = tunnel["port"]
    if port is None:
        return f"UDP to further ports looks like VXLAN ({frames})"
    return f"UDP to port {port} looks like VXLAN ({frames}): to read it, set --vxlan-port {port}"


def _sentence(port: PortUse, packets: int) -> str:
    name = "other TCP ports" if port["port"] is None else f"TCP port {port['port']}"
    exchanges = port["exchanges"]
    count = "no exchanges" if not exchanges else f"{exchanges:,} exchange{'s' if exchanges > 1 else ''}"
    return f"{name}: {_share(port['packets'], packets)} of the packets, {protocols(port)}, {count}"


def _share(part: int, whole: int) -> str:
    if not whole:
        return "0 %"
    percent = 100 * part / whole
    return f"{percent:.0f} %" if percent >= 1 else "below 1 %"
