"""What the process may do while it reads packets of strangers: CAP_NET_RAW, as the user who called sudo,
and the system calls that a sensor needs.

Files, sockets and folders are opened before. CAP_NET_RAW stays because interfaces appear later and rings
grow. Root that was not reached through sudo (a container, a unit without ``User=``) stays user 0 without
other capabilities: it can use the files that belong to root, as any user can use its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from levo.errors import ConfigError, PrivilegeError, Problem
from levo.files import sudo_caller

if TYPE_CHECKING:
    from levo.config import SensorConfig

STAY_ROOT = "LEVO_USER"
"""``LEVO_USER=0`` keeps user 0, here and in the container image."""
CALLS = "LEVO_SECCOMP"
"""``LEVO_SECCOMP=off`` leaves system calls unfiltered, ``=log`` lets the kernel log what would be refused."""


@dataclass(frozen=True, slots=True)
class User:
    """Whom the process becomes."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be kept."""

    user: User | None
    """None: the user stays."""
    capture: bool
    """CAP_NET_RAW is needed."""
    note: str = ""
    """Why the user stays although sudo was used; empty otherwise."""
    calls: str = "on"
    """``on``, ``log`` or ``off``: what becomes of system calls that a sensor does not need."""

    @property
    def owner(self) -> tuple[int, int] | None:
        """User and group of the files that are made."""
        return None if self.user is None else (self.user.uid, self.user.gid)

    def __str__(self) -> str:
        who = f"user {os.geteuid()}" if self.user is None else f"user {self.user.uid}, who called sudo"
        kept = "CAP_NET_RAW alone" if self.capture else "no capability"
        return f"{who}, with {kept}{self.note}, {_filtered(self.calls)}"


def plan(environ: Mapping[str, str], *, capture: bool) -> Plan:
    """What :func:`give_up` will do for a process with this *environ*. Changes nothing in the end.

    Raises:
        ConfigError: a variable has a value that is none of its values.
    """
    calls = environ.get(CALLS) or "on"
    if calls not in ("on", "log", "off"):
        raise ConfigError(Problem(CALLS, f"{calls!r} is not one of on, log and off"))
    if os.geteuid() != 0 or environ.get(STAY_ROOT) == "0":
        return Plan(None, capture, calls=calls)
    caller = sudo_caller(environ)
    if caller is None:
        return Plan(None, capture, calls=calls)
    user = User(*caller)
    from levo.sensor.capture.capabilities import SETGID, SETUID, permitted

    if permitted() & (SETUID | SETGID) != SETUID | SETGID:
        note = f" (user {user.uid}, who called sudo, takes CAP_SETUID and CAP_SETGID)"
        return Plan(None, capture, note, calls)
    # Modules are imported later, too.
    missing = _unreadable(user, [os.path.dirname(__file__), os.path.dirname(os.__file__), *_folders()])
    if missing is not None:
        return Plan(None, capture, f" (user {user.uid}, who called sudo, cannot read {missing})", calls)
    return Plan(user, capture, calls=calls)


def give_up(planned: Plan) -> None:
    """Keep what is *planned*, for good. Before threads start: each has capabilities of its own.

    Raises:
        PrivilegeError: the kernel refuses.
    """
    try:
        _give_up(planned)
    except OSError as error:
        raise PrivilegeError(f"cannot become {planned}: {error.strerror}") from None


def _give_up(planned: Plan) -> None:
    from levo.sensor.capture import capabilities

    held = capabilities.permitted()
    kept = capabilities.NET_RAW & held if planned.capture else 0
    capabilities.bound_to(capabilities.NET_RAW if planned.capture else 0)
    if planned.user is not None:
        uid, gid = planned.user.uid, planned.user.gid
        capabilities.keep_across_users(True)
        os.setgroups([gid])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        capabilities.keep_across_users(False)
    # Who holds no more, such as the service, is not asked: its filter of system calls has no capset(2).
    if planned.user is not None or held & ~kept:
        capabilities.keep_only(kept)
    capabilities.no_new_privileges()
    capabilities.no_core_dumps()
    if planned.calls != "off":
        from levo.sensor.capture import seccomp

        # A kernel without filters is told of by the plan.
        if not seccomp.missing():
            seccomp.confine(log_only=planned.calls == "log")


def _filtered(calls: str) -> str:
    """What becomes of system calls, in words."""
    if calls == "off":
        return f"system calls not filtered ({CALLS}=off)"
    from levo.sensor.capture.seccomp import missing

    reason = missing()
    if reason:
        return f"system calls not filtered ({reason})"
    return "system calls filtered" if calls == "on" else f"system calls logged ({CALLS}=log)"


def _folders() -> Iterator[str]:
    """Where modules are imported from; what is absent is of no use to root either."""
    here = os.getcwd()
    return (each for each in sys.path if each not in ("", here) and os.path.isdir(each))


def _unreadable(user: User, folders: list[str]) -> str | None:
    """The first of *folders* that *user* may not list and enter."""
    with _acting_as(user) as may:
        for folder in folders:
            if not may(folder, os.R_OK | os.X_OK):
                return folder
    return None


@contextmanager
def _acting_as(user: User) -> Iterator[Callable[[str, int], bool]]:
    """Effectively *user* for a moment; gives a question about access."""

    def may(path: str, mode: int) -> bool:
        return os.access(path, mode, effective_ids=True)

    groups, gid = os.getgroups(), os.getegid()
    try:
        os.setgroups([user.gid])
        os.setegid(user.gid)
        os.seteuid(user.uid)
        yield may
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


def lost_files(planned: Plan, config_path: str | None, config: SensorConfig) -> list[str]:
    """One warning for each file that was readable before, and is to be read again. Asked after the change."""
    found = []
    who = f"user {os.geteuid()}"
    if config_path is not None and not os.access(config_path, os.R_OK):
        found.append(f"{config_path} cannot be read as {who}: changes to it take effect after a restart")
    for setting, path in (
        ("tls-ca-cert-path", config.tls_ca_cert_path),
        ("tls-client-cert-path", config.tls_client_cert_path),
        ("tls-client-key-path", config.tls_client_key_path),
    ):
        if config.read is None and path is not None and not os.access(path, os.R_OK):
            found.append(f"{setting}: {path} cannot be read as {who}: a new one takes effect after a restart")
    log = config.tls_keylog
    if config.read is None and log is not None:
        known = log if os.path.lexists(log) else os.path.dirname(log) or "."
        if not os.access(known, os.R_OK | (os.X_OK if known != log else 0)):
            found.append(
                f"tls-keylog: {log} cannot be read as {who}: it is read on while it is not replaced; "
                f"{STAY_ROOT}=0 stays root"
            )
    return found
