"""Loads the probe's eBPF program through libbpf and attaches it to libraries.

libbpf and the program's object are looked for when a probe starts: nothing else of the product needs them.
Probes are attached as one link for each library (uprobe_multi, Linux 6.6), which takes CAP_BPF and
CAP_PERFMON; older kernels have only the perf events, for which they want CAP_SYS_ADMIN.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from levo.errors import ProbeError
from levo.tlsprobe.location import Location

OBJECT = Path(__file__).with_name("secrets.bpf.o")
"""Compiled when the product is built, where clang and libbpf's headers are there."""

_FORMS = {"arguments": 0, "embedded": 1, "pointer": 2}
_SYS_BPF = {"x86_64": 321, "aarch64": 280}
_LINK_CREATE, _UPROBE_MULTI = 28, 48
_SET_DUMPABLE = 4
_NAMES_DENY, _NAMES_ALLOW = 1, 2
COUNTERS = ("hits", "passed", "filtered", "limited", "ring_full", "fault")
"""The probe's counters, in their order (``event.h``)."""


class _UprobeOptions(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_size_t),
        ("reference_counter", ctypes.c_size_t),
        ("cookie", ctypes.c_uint64),
        ("returning", ctypes.c_bool),
        ("function", ctypes.c_char_p),
    )


_PRINT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_POINTER, _INT, _TEXT, _SIZE = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "bpf_object__open_file": (_POINTER, _TEXT, _POINTER),
    "bpf_object__load": (_INT, _POINTER),
    "bpf_object__close": (None, _POINTER),
    "bpf_object__find_program_by_name": (_POINTER, _POINTER, _TEXT),
    "bpf_object__find_map_by_name": (_POINTER, _POINTER, _TEXT),
    "bpf_map__set_max_entries": (_INT, _POINTER, ctypes.c_uint32),
    "bpf_map__fd": (_INT, _POINTER),
    "bpf_program__fd": (_INT, _POINTER),
    "bpf_program__set_expected_attach_type": (_INT, _POINTER, _INT),
    "bpf_program__attach_uprobe_opts": (_POINTER, _POINTER, _INT, _TEXT, _SIZE, _POINTER),
    "bpf_link__destroy": (_INT, _POINTER),
    "bpf_map_update_elem": (_INT, _INT, _POINTER, _POINTER, ctypes.c_uint64),
    "bpf_map_lookup_elem": (_INT, _INT, _POINTER, _POINTER),
    "libbpf_set_print": (_POINTER, _PRINT),
}


def cookie(location: Location) -> int:
    """What the program is told at each hit: how to find the client random."""
    return _FORMS[location.form] | location.pointer << 4 | location.random << 16


class Program:
    """The loaded program and its maps. It runs, and detaches, with this process: nothing is pinned."""

    def __init__(
        self,
        *,
        ring_bytes: int = 8 << 20,
        most_a_second: int = 50_000,
        denied: Iterable[str] = (),
        allowed: Iterable[str] = (),
        path: Path = OBJECT,
    ) -> None:
        """*denied* and *allowed* are command names (as in ``ps``), of which only one list can be given.

        Raises ProbeError: the object or libbpf is missing, or the kernel refuses the program.
        """
        if not path.exists():
            raise ProbeError(f"{path} is missing: the product was built without clang or libbpf's headers")
        self._libbpf = _load_libbpf()
        self._print = _PRINT(lambda _level, _format, _arguments: 0)
        self._libbpf.libbpf_set_print(self._print)
        self._ring_bytes = ring_bytes
        self._path = path
        self._settings = (most_a_second, tuple(denied), tuple(allowed))
        self.multi = True
        """Probes are attached by uprobe_multi; otherwise by perf events."""
        self._object = 0
        self._open()

    def _open(self) -> None:
        libbpf = self._libbpf
        self._object = libbpf.bpf_object__open_file(os.fsencode(self._path), None)
        if not self._object:
            raise ProbeError(f"{self._path} is not an object of this libbpf")
        self._program = libbpf.bpf_object__find_program_by_name(self._object, b"on_secret")
        if self.multi:
            libbpf.bpf_program__set_expected_attach_type(self._program, _UPROBE_MULTI)
        libbpf.bpf_map__set_max_entries(self._map(b"secrets"), self._ring_bytes)
        failed = libbpf.bpf_object__load(self._object)
        if failed and self.multi:
            self._close_object()
            self.multi = False
            self._open()
            return
        if failed:
            raise ProbeError(f"the kernel refuses the probe's program: {_reason(-failed)}")
        self._set()

    def _set(self) -> None:
        most, denied, allowed = self._settings
        names = _NAMES_ALLOW if allowed else _NAMES_DENY if denied else 0
        for name in allowed or denied:
            self._update(b"names", name.encode()[:15].ljust(16, b"\0"), b"\1")
        self._update(b"settings", bytes(4), struct.pack("<QQ", most, names))

    def _map(self, name: bytes) -> int:
        return int(self._libbpf.bpf_object__find_map_by_name(self._object, name))

    def _update(self, name: bytes, key: bytes, value: bytes) -> None:
        failed = self._libbpf.bpf_map_update_elem(self._libbpf.bpf_map__fd(self._map(name)), key, value, 0)
        if failed:
            raise ProbeError(f"the table {name.decode()} of the probe cannot be written: {_reason(-failed)}")

    @property
    def ring(self) -> int:
        """Descriptor of the ring of secrets; this process never maps it."""
        return int(self._libbpf.bpf_map__fd(self._map(b"secrets")))

    @property
    def ring_bytes(self) -> int:
        return self._ring_bytes

    @property
    def counter_map(self) -> int:
        """Descriptor of the counters."""
        return int(self._libbpf.bpf_map__fd(self._map(b"counters")))

    def counters(self) -> dict[str, int]:
        """What the program has counted, by the names of :data:`COUNTERS`."""
        found = {}
        for number, name in enumerate(COUNTERS):
            value = ctypes.c_uint64()
            self._libbpf.bpf_map_lookup_elem(
                self.counter_map, struct.pack("<I", number), ctypes.cast(ctypes.byref(value), _POINTER)
            )
            found[name] = value.value
        return found

    def attach(self, path: str, location: Location) -> Callable[[], None]:
        """Probe the library at *path* from now on, in all processes; returns what ends that.

        *path* may be ``/proc/self/fd/N``. Raises ProbeError: the kernel refuses.
        """
        if self.multi:
            try:
                link = self._attach_multi(path, location)
            except OSError as error:
                raise ProbeError(f"the kernel refuses the probe: {_reason(error.errno or 0)}") from None
            return lambda: os.close(link)
        options = _UprobeOptions(ctypes.sizeof(_UprobeOptions), 0, cookie(location), False, None)
        made = self._libbpf.bpf_program__attach_uprobe_opts(
            self._program, -1, os.fsencode(path), location.offset, ctypes.byref(options)
        )
        if not made:
            raise ProbeError(f"the kernel refuses the probe: {_reason(ctypes.get_errno())}")
        return lambda: self._libbpf.bpf_link__destroy(made) and None

    def _attach_multi(self, path: str, location: Location) -> int:
        name = ctypes.create_string_buffer(os.fsencode(path))
        offset, tag = ctypes.c_uint64(location.offset), ctypes.c_uint64(cookie(location))
        attributes = struct.pack(
            "<IIIIQQQQIIII",
            *(self._libbpf.bpf_program__fd(self._program), 0, _UPROBE_MULTI, 0),
            *(ctypes.addressof(name), ctypes.addressof(offset), 0, ctypes.addressof(tag)),
            *(1, 0, 0, 0),
        )
        libc = ctypes.CDLL(None, use_errno=True)
        number = _SYS_BPF[platform.machine()]
        link: int = libc.syscall(number, _LINK_CREATE, attributes, len(attributes))
        if link < 0:
            raise OSError(ctypes.get_errno(), "uprobe_multi")
        return link

    def close(self) -> None:
        """Unload. Probes that are attached go on until their ends are called, or the process ends."""
        if self._object:
            self._close_object()

    def _close_object(self) -> None:
        self._libbpf.bpf_object__close(self._object)
        self._object = 0


def protect() -> None:
    """No core of this process is written, and no other process of its user may look into it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)


def _load_libbpf() -> ctypes.CDLL:
    try:
        libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
    except OSError:
        raise ProbeError("the probe needs libbpf (Debian and Ubuntu: apt install libbpf1)") from None
    for name, (result, *arguments) in _FUNCTIONS.items():
        function = getattr(libbpf, name)
        function.restype, function.argtypes = result, arguments
    return libbpf


def _reason(number: int) -> str:
    if number in (errno.EPERM, errno.EACCES):
        return "it takes CAP_BPF and CAP_PERFMON, before Linux 6.6 CAP_SYS_ADMIN"
    return os.strerror(number)
