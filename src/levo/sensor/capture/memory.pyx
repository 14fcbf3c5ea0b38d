"""Frames held in memory as a source, and a sink that keeps what a source hands over. For tests and small tools."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free

from levo.engine.core.source cimport FrameSource
from levo.engine.core.types cimport Frame, FrameSink


cdef enum:
    LOOK_MS = 50


cdef class MemorySource(FrameSource):
    """Hands over frames of a list, in its order. The octets are not copied."""

    cdef list _kept
    cdef Frame* _frames
    cdef Py_ssize_t _count
    cdef Py_ssize_t _next

    def __cinit__(self, frames, int link_type=1, int interface=0):
        """*frames*: (time_ns, octets, wire_length), wire_length at least the number of octets."""
        cdef Py_ssize_t index
        cdef bytes octets
        cdef Frame* frame
        self._frames = NULL
        self._next = 0
        self._kept = [(time_ns, bytes(octets), wire) for time_ns, octets, wire in frames]
        self._count = len(self._kept)
        self._frames = <Frame*>calloc(self._count if self._count else 1, sizeof(Frame))
        if self._frames == NULL:
            raise MemoryError
        for index, (time_ns, octets, wire) in enumerate(self._kept):
            frame = &self._frames[index]
            frame.data = <const uint8_t*><char*>octets
            frame.captured_length = <uint32_t>len(octets)
            frame.wire_length = max(<uint32_t>wire, frame.captured_length)
            frame.time_ns = <int64_t>time_ns
            frame.link_type = <uint16_t>link_type
            frame.interface = <uint16_t>interface

    def __dealloc__(self):
        free(self._frames)

    cdef int pump(self, FrameSink sink, void* context, int limit, int timeout_ms) except -2 nogil:
        cdef int passed = 0
        if self._next >= self._count:
            return -1
        while passed < limit and self._next < self._count:
            sink(context, &self._frames[self._next])
            self._next += 1
            passed += 1
        return passed

    def close(self):
        """Nothing comes after this. Legal twice."""
        self._next = self._count


cdef class Recorder:
    """Keeps copies of the frames that a source hands over."""

    cdef readonly list frames
    """(time_ns, octets, wire_length, link_type) in the order received."""
    cdef readonly list interfaces
    """``Frame.interface`` of each of ``frames``."""

    def __cinit__(self):
        self.frames = []
        self.interfaces = []

    def pump(self, FrameSource source not None, int limit=1000, int timeout_ms=100):
        """One call of ``source.pump``; returns what it returned."""
        cdef int result
        with nogil:
            result = source.pump(keep, <void*>self, limit, timeout_ms)
        return result


ctypedef struct Totals:
    long long frames
    long long captured_bytes
    long long wire_bytes


cdef class Counter:
    """Counts frames and octets without keeping them, and without the GIL."""

    cdef Totals _totals

    def pump(self, FrameSource source not None, int limit=1000, int timeout_ms=100):
        """One call of ``source.pump``; returns what it returned."""
        cdef int result
        with nogil:
            result = source.pump(count, &self._totals, limit, timeout_ms)
        return result

    @property
    def frames(self):
        return self._totals.frames

    @property
    def captured_bytes(self):
        return self._totals.captured_bytes

    @property
    def wire_bytes(self):
        return self._totals.wire_bytes


cdef void keep(void* context, const Frame* frame) noexcept nogil:
    with gil:
        octets = frame.data[:frame.captured_length] if frame.captured_length else b""
        (<Recorder>context).frames.append((frame.time_ns, octets, frame.wire_length, frame.link_type))
        (<Recorder>context).interfaces.append(frame.interface)


cdef void count(void* context, const Frame* frame) noexcept nogil:
    cdef Totals* totals = <Totals*>context
    totals.frames += 1
    totals.captured_bytes += frame.captured_length
    totals.wire_bytes += frame.wire_length


def record(FrameSource source not None, limit=None, idle_ms=None):
    """All frames of *source* to its end, or the first *limit*: list of (time_ns, octets, wire_length, link_type).

    *idle_ms* ends the recording when no frame came for so long, while somebody looked; a live source has no
    other end.
    """
    recorder = Recorder()
    idle = 0
    while limit is None or len(recorder.frames) < limit:
        wanted = 1000 if limit is None else min(1000, limit - len(recorder.frames))
        passed = recorder.pump(source, wanted, LOOK_MS)
        idle = 0 if passed else idle + LOOK_MS
        if passed < 0 or (idle_ms is not None and idle >= idle_ms):
            break
    return recorder.frames
