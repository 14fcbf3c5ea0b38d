"""``levo tls probe``: finds TLS libraries that run, probes them, and hands the ring of secrets to the sensor.

One thread: it waits for its socket, and looks for new libraries every so often. This process never maps the
ring; secrets pass from the kernel to the sensor alone.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from levo.errors import ProbeError
from levo.tlsprobe import link
from levo.tlsprobe.discovery import MappedFile, every_mapping, mapped_files
from levo.tlsprobe.location import KnownLibraries, Location, Refused

LOOK_S = 1.0
"""Between two looks at what is mapped, where the kernel does not tell."""
LOOK_TOLD_S = 30.0
"""... and where it does: for what may have been missed."""
_STOP_S = 1.0
"""Within which a stop is noticed."""
MOST_FOUND = 1024
"""Past so many, those that no process maps any more are given up, the oldest first."""
REPORT_S = 1.0
"""How long the sensor's report is waited for."""
_MOST_WAITING = 16
_LINE_BYTES = 64


class Probing(Protocol):
    """What is asked of ``levo.tlsprobe.program.Program``."""

    @property
    def ring(self) -> int: ...
    @property
    def counter_map(self) -> int: ...
    @property
    def ring_bytes(self) -> int: ...
    def attach(self, path: str, location: Location) -> Callable[[], None]: ...
    def counters(self) -> dict[str, int]: ...


class Told(Protocol):
    """What is asked of ``levo.tlsprobe.mappings.Mappings``."""

    lost: bool

    @property
    def descriptors(self) -> list[int]: ...
    def read(self) -> Iterable[MappedFile]: ...


@dataclass(frozen=True, slots=True)
class Library:
    """A library that is probed, or was recognized and is not."""

    identity: tuple[str, int]
    """Device and inode of the file."""
    path: str
    process: int
    """Where it was seen first."""
    location: Location | None
    reason: str
    """Why it is not probed; empty where it is."""
    detach: Callable[[], None] | None = field(repr=False, compare=False, default=None)

    def facts(self) -> dict[str, object]:
        place = self.location
        found: dict[str, object] = {"path": self.path, "process": self.process}
        if place is not None:
            found |= {"build_id": place.build_id, "offset": place.offset, "form": place.form}
            found |= {"pointer": place.pointer, "random": place.random}
        return found | ({"reason": self.reason} if self.reason else {})


class Libraries:
    """What was found on this machine so far."""

    def __init__(self, program: Probing, within: Iterable[str] = ()) -> None:
        """*within*: only files below one of these folders are probed; all, where there is none."""
        self._program = program
        self._within = tuple(os.path.join(os.path.realpath(each), "") for each in within)
        self._known = KnownLibraries()
        self._seen: set[tuple[str, int]] = set()
        """Files that are mapped and were examined, and those of ``found``."""
        self.found: list[Library] = []
        """Probed, or with labels of a key log and a reason why they are not, in the order they were seen."""
        self.examined = 0
        """Files whose code was looked at."""

    def look(self) -> None:
        """Examine what is mapped now and was not before, and forget what is not mapped any more.

        What is probed stays for the next process that maps it, unless there are very many.
        """
        before, self._seen = self._seen, set()
        for each in mapped_files(self._seen):
            if each.identity not in before:
                self._open(each)
        ended = [each for each in self.found if each.identity not in self._seen]
        for library in ended[: max(0, len(self.found) - MOST_FOUND)]:
            if library.detach is not None:
                library.detach()
            self.found.remove(library)
        self._seen |= {library.identity for library in self.found}

    def meet(self, files: Iterable[MappedFile]) -> None:
        """Examine *files* that are new."""
        for each in files:
            if each.identity not in self._seen:
                self._seen.add(each.identity)
                self._open(each)

    def processes(self) -> list[dict[str, object]]:
        """Who maps what was found now: ``process``, ``command`` and the numbers of its ``libraries``."""
        numbers = {library.identity: number for number, library in enumerate(self.found)}
        using: dict[int, set[int]] = {}
        for each in every_mapping() if numbers else ():
            if each.identity in numbers and each.process != os.getpid():
                using.setdefault(each.process, set()).add(numbers[each.identity])
        return [
            {"process": process, "command": _command(process), "libraries": sorted(libraries)}
            for process, libraries in sorted(using.items())
        ]

    def _open(self, mapped: MappedFile) -> None:
        if self._within and not mapped.path.startswith(self._within):
            return
        try:
            descriptor = mapped.open()
        except OSError:
            self._seen.discard(mapped.identity)  # the next process that maps it may be looked into
            return
        try:
            self._examine(mapped, descriptor)
        finally:
            os.close(descriptor)

    def _examine(self, mapped: MappedFile, descriptor: int) -> None:
        self.examined += 1
        try:
            location = self._known.look(descriptor, mapped.path)
        except Refused as refusal:
            if refusal.labels:
                self._add(mapped, None, str(refusal))
            return
        except OSError:
            return
        try:
            detach = self._program.attach(f"/proc/self/fd/{descriptor}", location)
        except ProbeError as error:
            self._add(mapped, location, str(error))
            return
        self._add(mapped, location, "", detach)

    def _add(
        self,
        mapped: MappedFile,
        location: Location | None,
        reason: str,
        detach: Callable[[], None] | None = None,
    ) -> None:
        found = Library(mapped.identity, mapped.path, mapped.process, location, reason, detach)
        self.found.append(found)

    def close(self) -> None:
        """Take every probe away."""
        for each in self.found:
            if each.detach is not None:
                each.detach()
        self.found.clear()


class Service:
    """The socket, the program and the libraries of one probe."""

    def __init__(
        self,
        program: Probing,
        libraries: Libraries,
        path: str,
        readers: Collection[int],
        group: int | None = None,
    ) -> None:
        """Listen at *path* for processes of the users *readers*; members of *group* may connect.

        Raises ProbeError: *path* cannot be listened at.
        """
        self._program = program
        self._libraries = libraries
        self._readers = readers
        self._path = path
        self._holder: socket.socket | None = None
        self._asking: dict[socket.socket, float] = {}
        """Who waits for the status, and until when for the sensor's report in it."""
        self._heard = b""
        """The beginning of that report."""
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._listener = _listen(path, group)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def run(self, on_ready: Callable[[], None] = lambda: None, mappings: Told | None = None) -> None:
        """Serve until :meth:`stop`. *on_ready* is called after the first look at what is mapped.

        *mappings* tells of what is mapped from now on. Without it, all processes are looked at every second.
        """
        for descriptor in () if mappings is None else mappings.descriptors:
            self._selector.register(descriptor, selectors.EVENT_READ)
        look_s = LOOK_S if mappings is None else LOOK_TOLD_S
        self._libraries.look()
        on_ready()
        next_look = time.monotonic() + look_s
        while not self._stopping:
            due = min((next_look, *self._asking.values()))
            wait_s = min(_STOP_S, max(0.0, due - time.monotonic()))
            for key, _ in self._selector.select(wait_s):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._holder:
                    self._hear(self._holder)
                elif isinstance(key.fileobj, socket.socket):
                    self._answer(key.fileobj)
            late = [each for each, until in self._asking.items() if time.monotonic() >= until]
            self._tell(late, None)
            if mappings is not None:
                self._libraries.meet(mappings.read())
            if time.monotonic() >= next_look or (mappings is not None and mappings.lost):
                if mappings is not None:
                    mappings.lost = False
                self._libraries.look()
                next_look = time.monotonic() + look_s

    def stop(self) -> None:
        """End :meth:`run` soon. May be called by a signal handler."""
        self._stopping = True

    def close(self) -> None:
        """Take probes and socket away. Legal twice."""
        self._libraries.close()
        for key in list(self._selector.get_map().values()) if self._selector.get_map() else []:
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()
        Path(self._path).unlink(missing_ok=True)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        waiting = sum(isinstance(key.fileobj, socket.socket) for key in self._selector.get_map().values())
        if link.peer(connection) not in self._readers or waiting > _MOST_WAITING:
            connection.close()
            return
        connection.settimeout(1.0)
        self._selector.register(connection, selectors.EVENT_READ)

    def _answer(self, connection: socket.socket) -> None:
        """To one line of whoever has connected, or to its end."""
        try:
            line = connection.recv(_LINE_BYTES)
            if line == b"ring\n" and self._holder is None:
                program = self._program
                link.send_ring(connection, program.ring, program.counter_map, program.ring_bytes)
                self._holder, self._heard = connection, b""
                return
            if line == b"ring\n":
                connection.sendall(b"busy\n")
            elif line == b"status\n" and self._ask_sensor():
                self._asking[connection] = time.monotonic() + REPORT_S
                return
            elif line == b"status\n":
                connection.sendall(json.dumps(self.status()).encode())
        except OSError:
            pass
        self._asking.pop(connection, None)
        self._end(connection)

    def _ask_sensor(self) -> bool:
        if self._holder is None:
            return False
        with suppress(OSError):
            self._holder.sendall(b"report\n")
        return True

    def _hear(self, holder: socket.socket) -> None:
        """A part of the sensor's report, or that it has ended."""
        try:
            part = holder.recv(1 << 16)
        except OSError:
            part = b""
        self._heard += part
        if not part or len(self._heard) > link.ANSWER_BYTES:
            self._holder = None
            self._end(holder)
            self._tell(list(self._asking), None)
        elif self._heard.endswith(b"\n"):
            try:
                report = json.loads(self._heard)
            except ValueError:
                report = None
            self._heard = b""
            self._tell(list(self._asking), report)

    def _tell(self, asking: Iterable[socket.socket], report: object) -> None:
        for each in asking:
            with suppress(OSError):
                each.sendall(json.dumps(self.status() | {"report": report}).encode())
            del self._asking[each]
            self._end(each)

    def _end(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        connection.close()

    def status(self) -> dict[str, object]:
        """What is probed, what is not and why, who uses it, and what was counted."""
        return {
            "libraries": [each.facts() for each in self._libraries.found],
            "processes": self._libraries.processes(),
            "examined": self._libraries.examined,
            "secrets": self._program.counters(),
            "sensor": self._holder is not None,
            "report": None,
        }


def _command(process: int) -> str:
    """The name of a process, as ``ps`` has it; empty when it has ended."""
    try:
        return Path(f"/proc/{process}/comm").read_text(errors="replace").strip()
    except OSError:
        return ""


def _listen(path: str, group: int | None) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with suppress(FileNotFoundError):
            os.unlink(path)
        before = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(before)
        if group is not None:
            os.chown(path, -1, group)
            os.chmod(path, 0o660)
        listener.listen(_MOST_WAITING)
    except OSError as error:
        listener.close()
        raise ProbeError(f"cannot listen at {path}: {error.strerror}") from None
    return listener
