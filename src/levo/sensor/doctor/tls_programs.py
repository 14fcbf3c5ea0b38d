"""Programs of this host that listen and speak TLS: which ``levo tls probe`` reads, and why not the others.

Linux only: reads ``/proc``. Root sees all of them, another user those of its own.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from levo.errors import ProbeError
from levo.sensor.doctor.local_hops import listening_ports, processes, sockets, text_of

if TYPE_CHECKING:
    from levo.model.statistics import EncryptedEndpoint
    from levo.tlsprobe.discovery import MappedFile

_NAMES = re.compile(r"lib(ssl|jvm|gnutls|nss3)|tcnative|conscrypt|grpc|crypt|boringssl", re.IGNORECASE)
"""Files that are worth a search, besides the program itself."""


@dataclass(frozen=True, slots=True)
class TlsProgram:
    """One process that listens, with a TLS library in it."""

    name: str
    pid: int
    ports: tuple[int, ...]
    """TCP ports that it listens on; sorted."""
    reason: str = ""
    """Why a probe does not read it, then what to do behind a colon; empty where it does."""


@dataclass(frozen=True, slots=True)
class TlsSight:
    """What is known of TLS on this host besides its packets."""

    programs: tuple[TlsProgram, ...] = ()
    probed: bool = False
    """A probe answers."""
    endpoints: Sequence[EncryptedEndpoint] = ()
    """What the sensor that reads the probe's secrets has seen."""


NOTHING_KNOWN = TlsSight()


def look_at_tls(socket: str, proc: Path = Path("/proc")) -> TlsSight:
    """The programs, and what the probe that listens at *socket* and its sensor say."""
    from levo.tlsprobe.link import USER, ask_status, trusted

    probed, endpoints = False, []
    with suppress(OSError, ProbeError, ValueError):
        status = json.loads(ask_status(socket, trusted(USER)))
        probed, endpoints = True, (status["report"] or {"endpoints": []})["endpoints"]
    return TlsSight(find_tls_programs(proc), probed, endpoints)


def find_tls_programs(proc: Path = Path("/proc")) -> tuple[TlsProgram, ...]:
    """Every process that listens in this network namespace and has a TLS library; the readable ones first."""
    listening = listening_ports(proc)
    ports = {}
    for folder in processes(proc):
        found = {listening[inode] for inode in sockets(folder) if inode in listening}
        if found:
            ports[int(folder.name)] = tuple(sorted(found))
    reasons = _reasons(ports, proc)
    programs = [
        TlsProgram(text_of(proc / str(pid) / "comm").strip(), pid, ports[pid], reason)
        for pid, reason in reasons.items()
    ]
    return tuple(sorted(programs, key=lambda each: (each.reason, each.ports, each.pid)))


def _reasons(ports: Mapping[int, object], proc: Path) -> dict[int, str]:
    """Why a probe does not read a process of *ports* with a TLS library; empty where it does."""
    from levo.tlsprobe.discovery import every_mapping
    from levo.tlsprobe.location import KnownLibraries, Refused

    known = KnownLibraries()
    reasons: dict[int, str] = {}
    answers: dict[tuple[str, int], str | None] = {}
    for mapped in every_mapping(proc, only=ports):
        if mapped.identity not in answers:
            answers[mapped.identity] = None
            if not _NAMES.search(os.path.basename(mapped.path)) and not _is_program(proc, mapped):
                continue
            with suppress(OSError):
                descriptor = mapped.open(proc)
                try:
                    known.look(descriptor, mapped.path)
                    answers[mapped.identity] = ""
                except Refused as refusal:
                    answers[mapped.identity] = str(refusal) if refusal.labels else None
                finally:
                    os.close(descriptor)
        answer = answers[mapped.identity]
        if answer is not None and reasons.get(mapped.process) != "":
            reasons[mapped.process] = answer
    return reasons


def _is_program(proc: Path, mapped: MappedFile) -> bool:
    with suppress(OSError):
        return os.readlink(proc / str(mapped.process) / "exe") == mapped.path
    return False
