"""Which sensor this is, among those of one host: a claim that the kernel gives up when the process ends.

The rule of ``levo.sensor.id``:

* It starts with the place: the container or task in ECS, else machine id and host name
  (``resource.deployment_key``).
* It adds the settings that differ between sensors of one host and hold until a restart: organization,
  environment, application, interfaces, filter, Satellite, and whether the sensor reads a file. A restart with
  the same settings is the same sensor; different settings make a different sensor.
* It adds a *slot*, the first free number, for sensors with the same settings at the same time. A sensor that
  restarts finds its slot free again.

A slot is claimed in two ways, because no single name is visible to all sensors that share a host name:

* an abstract Unix socket, visible in one network namespace whatever the file systems are; it needs neither
  privileges nor a writable file system;
* a lock on a file, visible in one file system whatever the network namespaces are.

Sensors that share neither, but have the same host name and settings, get the same id. The Satellite still
shows both: ``service.instance.id`` is random for each run, and runs that overlap are different sensors.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

MOST_SLOTS = 64
"""Sensors with the same settings that get a stable id; one more gets an id that is its own for one run."""
_FOLDERS = (Path("/dev/shm"), Path("/tmp"))
"""Writable by everyone, in a container with a read-only root too; emptied by a restart of the host."""
_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one sensor."""

    sensor: str
    """``levo.sensor.id``: 16 hex digits, the same after a restart."""
    instance: str
    """``service.instance.id``: a random UUID, as OpenTelemetry recommends; another one after a restart."""
    started_ns: int
    """``process.creation.time``."""


class Claim:
    """A run with the slot that it holds until :meth:`release` or the end of the process."""

    def __init__(self, key: str, folders: Sequence[Path] = _FOLDERS, clock_ns: int | None = None) -> None:
        """*key* is what all sensors with the same settings on the same host have in common."""
        self._socket: int | None = None
        self._lock: tuple[Path, int] | None = None
        instance = str(uuid.uuid4())
        slot: int | str = instance
        for number in range(MOST_SLOTS):
            if self._take(f"levo-sensor.{key}.{number}", folders):
                slot = number
                break
        sensor = sha256(f"levo-sensor/{key}/{slot}".encode()).hexdigest()[:16]
        self.run = Run(sensor, instance, time.time_ns() if clock_ns is None else clock_ns)

    def release(self) -> None:
        """Let the next sensor have the slot. Legal twice."""
        held, self._socket = self._socket, None
        if held is not None:
            os.close(held)
        lock, self._lock = self._lock, None
        if lock is not None:
            with contextlib.suppress(OSError):
                lock[0].unlink()
            os.close(lock[1])

    def __del__(self) -> None:
        self.release()

    def _take(self, name: str, folders: Sequence[Path]) -> bool:
        """Whether *name* is ours now, in each realm in which names can be taken at all."""
        try:
            self._socket = _bind(name)
            self._lock = _lock_file(name, folders)
        except _TakenError:
            self.release()
            return False
        return True


class _TakenError(Exception):
    """Another sensor has the name."""


def _bind(name: str) -> int | None:
    """The descriptor of an abstract socket called *name*, None where there are none."""
    try:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    except OSError:
        return None
    try:
        made.bind(f"\0{name}")
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise _TakenError from None
        return None
    return made.detach()


def _lock_file(name: str, folders: Sequence[Path]) -> tuple[Path, int] | None:
    """Path and descriptor of a locked file called *name* in the first of *folders* that takes it, or None."""
    for folder in folders:
        path = folder / name
        for _ in range(_ATTEMPTS):
            try:
                descriptor = _open(path)
            except PermissionError:
                if path.is_symlink() or path.exists():
                    raise _TakenError from None
                break
            except FileExistsError:
                continue
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise _TakenError from None
                break
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Its last owner may have removed it between our opening and our locking.
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    return path, descriptor
            except BlockingIOError:
                os.close(descriptor)
                raise _TakenError from None
            except OSError:
                pass
            os.close(descriptor)
    return None


def _open(path: Path) -> int:
    """Open for locking, made if absent. Sticky folders refuse O_CREAT for files of others: try without."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, 0o644)  # another user's sensor must be able to open it
        return descriptor
