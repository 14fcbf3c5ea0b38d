"""Secrets from ``levo tls probe``, out of the ring that its eBPF program writes and this process alone reads.

The ring and the counters are mapped from descriptors that the probe handed over (``levo.tlsprobe.link``): no system
call is needed to read them, no capability, and no GIL. The layout is the kernel's BPF_MAP_TYPE_RINGBUF: a page with
the reader's position, which is ours, one with the writer's, then the data twice in a row, so that no record is cut.
A record is eight octets of header and one ``struct levo_secret`` (``levo/tlsprobe/event.h``), nothing else: both
positions also count records.

Threads: ``take`` belongs to the capture thread, everything else to any. A lock guards the mappings; ``take`` never
waits for it.
"""

from cpython.pythread cimport (
    PyThread_acquire_lock,
    PyThread_allocate_lock,
    PyThread_free_lock,
    PyThread_release_lock,
    PyThread_type_lock,
)
from libc.errno cimport errno
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from levo.engine.core.source cimport KeySink, KeySource

import os

from levo.sensor.capture.statistics import ProbeStatistics

cdef extern from "<sys/mman.h>" nogil:
    void* mmap(void* wanted, size_t length, int protection, int flags, int descriptor, long offset)
    int munmap(void* begin, size_t length)
    int PROT_READ
    int PROT_WRITE
    int MAP_SHARED
    void* MAP_FAILED

cdef extern from "levo/tlsprobe/shared.h" nogil:
    uint64_t levo_load64(const void* at)
    uint32_t levo_load32(const void* at)
    void levo_store64(void* at, uint64_t value)

cdef extern from "levo/tlsprobe/event.h" nogil:
    struct levo_secret:
        uint8_t kind
        uint8_t length
        uint32_t process
        uint8_t client_random[32]
        uint8_t secret[48]
    enum:
        LEVO_HITS
        LEVO_PASSED
        LEVO_FILTERED
        LEVO_LIMITED
        LEVO_RING_FULL
        LEVO_FAULT
        LEVO_COUNTERS

cdef enum:
    RECORD = 8 + sizeof(levo_secret)
    TRIES = 100

cdef struct Mapped:
    uint8_t* reader             # NULL: no ring
    const uint8_t* writer
    const uint8_t* data
    const uint64_t* counters
    uint64_t size
    size_t page

cdef struct Counted:
    uint64_t hits
    uint64_t passed
    uint64_t delivered
    uint64_t before
    uint64_t filtered
    uint64_t limited
    uint64_t ring_full
    uint64_t fault


cdef struct Reader:
    Mapped ring
    Counted counted             # of rings that have been given up, and what was delivered of this one
    uint64_t before             # records of this ring that somebody else has taken
    PyThread_type_lock lock


cdef int pass_records(Mapped* ring, KeySink sink, void* context) noexcept nogil:
    cdef uint64_t at = levo_load64(ring.reader)
    cdef uint64_t end = levo_load64(ring.writer)
    cdef const uint8_t* record
    cdef const levo_secret* secret
    cdef int passed = 0
    while end - at >= RECORD:
        record = ring.data + (at & (ring.size - 1))
        if levo_load32(record) != sizeof(levo_secret):
            break                                 # still being written
        secret = <const levo_secret*>(record + 8)
        sink(context, secret.client_random, secret.kind, secret.secret, secret.length, secret.process)
        at += RECORD
        passed += 1
        levo_store64(ring.reader, at)
    return passed


cdef int take_secrets(void* source, KeySink sink, void* context) noexcept nogil:
    cdef Reader* reader = <Reader*>source
    cdef int passed = 0
    if reader.ring.reader == NULL or not PyThread_acquire_lock(reader.lock, 0):
        return 0
    if reader.ring.reader != NULL:
        passed = pass_records(&reader.ring, sink, context)
        reader.counted.delivered += <uint64_t>passed
    PyThread_release_lock(reader.lock)
    return passed


cdef void count_in(Reader* reader, Counted* to) noexcept nogil:
    """Add what this ring's counters say: of one moment, if there is one in which no program is under way."""
    cdef const uint64_t* counters = reader.ring.counters
    cdef uint64_t now[LEVO_COUNTERS]
    cdef int i, _each
    if reader.ring.reader == NULL:
        return
    for _each in range(TRIES):
        for i in range(LEVO_COUNTERS - 1, -1, -1):
            now[i] = levo_load64(counters + i)
        if now[<int>LEVO_HITS] == (now[<int>LEVO_PASSED] + now[<int>LEVO_FILTERED] + now[<int>LEVO_LIMITED]
                                   + now[<int>LEVO_RING_FULL] + now[<int>LEVO_FAULT]):
            break
    to.hits += now[<int>LEVO_HITS]
    to.passed += now[<int>LEVO_PASSED]
    to.filtered += now[<int>LEVO_FILTERED]
    to.limited += now[<int>LEVO_LIMITED]
    to.ring_full += now[<int>LEVO_RING_FULL]
    to.fault += now[<int>LEVO_FAULT]


cdef void unmap(Mapped* ring) noexcept nogil:
    if ring.reader != NULL:
        munmap(ring.reader, ring.page)
    if ring.writer != NULL:
        munmap(<void*>ring.writer, ring.page + 2 * ring.size)
    if ring.counters != NULL:
        munmap(<void*>ring.counters, ring.page)
    memset(ring, 0, sizeof(Mapped))


cdef class ProbeSource(KeySource):
    """Hands the engine the secrets of a probe; none as long as none has been adopted."""

    cdef Reader reader

    def __cinit__(self):
        memset(&self.reader, 0, sizeof(Reader))
        self.reader.lock = PyThread_allocate_lock()
        if self.reader.lock == NULL:
            raise MemoryError("lock")
        self.take, self.source = take_secrets, &self.reader

    def __dealloc__(self):
        unmap(&self.reader.ring)
        if self.reader.lock != NULL:
            PyThread_free_lock(self.reader.lock)

    def adopt(self, int ring, int counters, uint64_t ring_bytes) -> None:
        """Read from now on the ring of *ring_bytes* data octets open as *ring*, with the counters open as *counters*.

        What is left in the ring before it has been taken by then, or is counted as waiting for ever. The descriptors
        may be closed afterwards.

        Raises ValueError: *ring_bytes* is not a power of two of whole pages. OSError: the kernel does not map them.
        """
        cdef Mapped fresh
        memset(&fresh, 0, sizeof(Mapped))
        fresh.page = <size_t>os.sysconf("SC_PAGE_SIZE")
        fresh.size = ring_bytes
        if ring_bytes < fresh.page or ring_bytes & (ring_bytes - 1):
            raise ValueError(f"a ring of {ring_bytes} octets")
        try:
            fresh.reader = map_(ring, fresh.page, PROT_READ | PROT_WRITE, 0)
            fresh.writer = map_(ring, fresh.page + 2 * ring_bytes, PROT_READ, fresh.page)
            fresh.counters = <const uint64_t*>map_(counters, fresh.page, PROT_READ, 0)
        except OSError:
            unmap(&fresh)
            raise
        fresh.data = fresh.writer + fresh.page
        with nogil:
            PyThread_acquire_lock(self.reader.lock, 1)
            count_in(&self.reader, &self.reader.counted)
            self.reader.counted.before += self.reader.before
            unmap(&self.reader.ring)
            self.reader.ring = fresh
            self.reader.before = levo_load64(fresh.reader) // RECORD
            PyThread_release_lock(self.reader.lock)

    @property
    def connected(self) -> bool:
        """A ring has been adopted."""
        return self.reader.ring.reader != NULL

    def statistics(self) -> ProbeStatistics:
        """What the probe has counted and this process has taken, all rings together."""
        cdef Counted now
        with nogil:
            PyThread_acquire_lock(self.reader.lock, 1)
            now = self.reader.counted
            now.before += self.reader.before
            count_in(&self.reader, &now)
            PyThread_release_lock(self.reader.lock)
        return ProbeStatistics(
            hits=now.hits, delivered=now.delivered, before=now.before, filtered=now.filtered, limited=now.limited,
            ring_full=now.ring_full, fault=now.fault,
            waiting=now.passed - now.before - now.delivered,
        )


cdef uint8_t* map_(int descriptor, size_t length, int protection, size_t offset) except NULL:
    cdef void* made = mmap(NULL, length, protection, MAP_SHARED, descriptor, <long>offset)
    if made == MAP_FAILED:
        raise OSError(errno, os.strerror(errno))
    return <uint8_t*>made
