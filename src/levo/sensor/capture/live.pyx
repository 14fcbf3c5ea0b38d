# distutils: libraries = pcap
"""Live capture through libpcap: one handle for each interface, over memory-mapped rings of the kernel.

Rings are TPACKET_V3 blocks of 256 KiB that the kernel fills with frames of any size, one behind the other, and
hands over when full or after ``BLOCK_TIMEOUT_MS``. (Immediate mode would give every frame a slot of its own.)

Threads: ``pump`` belongs to the capture thread, everything else may be called from another. One lock guards the
handles; ``pump`` holds it while it dispatches, never while it waits, and never takes the GIL.

A ring that fills up is replaced by a larger one (``_grow``, in a thread of its own): both sockets are of one fanout
group, which gives each frame to one of them; the small one is read to its end before the large one is begun.

A handle that failed stays in its slot until ``events``, ``statistics`` or ``refresh`` reaps it.
"""

from cpython.pythread cimport (
    PyThread_acquire_lock,
    PyThread_allocate_lock,
    PyThread_free_lock,
    PyThread_release_lock,
    PyThread_type_lock,
)
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset, strncpy
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from levo.engine.core.source cimport FrameSource
from levo.engine.core.types cimport Frame, FrameSink
from levo.sensor.capture.bpf cimport Program, bpf_program, instructions_of, link_type_of, pcap_pkthdr, pcap_t
from levo.sensor.capture.fanout cimport QUIET_PROTOCOL, fanout_join, fanout_steer, listen_shut

import os
import threading
import time

from levo.errors import CaptureError, ConfigError, PrivilegeError, Problem
from levo.sensor.capture.bpf import ExpressionError, compile_expression
from levo.sensor.capture.filters import check_expression, live_program, resolve
from levo.sensor.capture.interfaces import ANY, default_interfaces, list_interfaces
from levo.sensor.capture.privilege import missing_privilege
from levo.sensor.capture.statistics import GONE, InterfaceStatistics, LiveStatistics

cdef extern from "pcap/pcap.h":
    struct pcap_stat:
        unsigned int ps_recv
        unsigned int ps_drop
        unsigned int ps_ifdrop

    ctypedef void (*pcap_handler)(
        unsigned char* user, const pcap_pkthdr* header, const unsigned char* data
    ) noexcept nogil

    pcap_t* pcap_create(const char* name, char* error)
    void pcap_close(pcap_t* handle) nogil
    int pcap_set_snaplen(pcap_t* handle, int snaplen)
    int pcap_set_promisc(pcap_t* handle, int on)
    int pcap_set_timeout(pcap_t* handle, int ms)
    int pcap_set_buffer_size(pcap_t* handle, int size)
    int pcap_set_protocol_linux(pcap_t* handle, int protocol)
    int pcap_set_tstamp_precision(pcap_t* handle, int precision)
    int pcap_get_tstamp_precision(pcap_t* handle)
    int pcap_activate(pcap_t* handle) nogil
    int pcap_setnonblock(pcap_t* handle, int on, char* error)
    int pcap_datalink(pcap_t* handle)
    int pcap_set_datalink(pcap_t* handle, int link_type)
    int pcap_fileno(pcap_t* handle)
    int pcap_get_selectable_fd(pcap_t* handle) nogil
    int pcap_compile(pcap_t* handle, bpf_program* program, const char* text, int optimize, unsigned int netmask)
    void pcap_freecode(bpf_program* program)
    int pcap_setfilter(pcap_t* handle, bpf_program* program) nogil
    int pcap_dispatch(pcap_t* handle, int count, pcap_handler callback, unsigned char* user) nogil
    int pcap_stats(pcap_t* handle, pcap_stat* result) nogil
    char* pcap_geterr(pcap_t* handle) nogil
    unsigned int PCAP_NETMASK_UNKNOWN
    int PCAP_ERRBUF_SIZE
    int PCAP_TSTAMP_PRECISION_NANO
    int PCAP_ERROR_NO_SUCH_DEVICE
    int PCAP_ERROR_PERM_DENIED
    int PCAP_ERROR_IFACE_NOT_UP
    int PCAP_ERROR_PROMISC_PERM_DENIED

cdef extern from "<poll.h>" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    int poll(pollfd* entries, unsigned long count, int timeout_ms)
    short POLLIN

cdef extern from "<sys/socket.h>" nogil:
    int setsockopt(int fd, int level, int name, const void* value, unsigned int size)
    int SOL_PACKET

BUFFER_BYTES = 32 * 1024 * 1024
"""Ring of one interface, unless told otherwise. It counts as resident memory of this process."""
ALL_BUFFERS_BYTES = 256 * 1024 * 1024
"""What the rings share where no interface is named: a host may have hundreds."""

SMALLEST_BUFFER_BYTES = 1024 * 1024
SNAPLEN = 262144
BLOCK_TIMEOUT_MS = 50
"""Age at which the kernel hands over a block that is not full."""

cdef double RESOLVE_EVERY_S = 60.0
cdef double READ_WITHIN_S = 2.0     # what a ring held so long ago has been read

cdef enum:
    PACKET_IGNORE_OUTGOING = 23     # packet(7), Linux 4.20
    MOST_INTERFACES = 1024
    DLT_LINUX_SLL2 = 276            # says of each frame which interface showed it
    FULL_SHARE = 16                 # a ring with more than this part waiting is too small
    FRAME_OVERHEAD = 96             # of the kernel's, in the ring
    LAST_BLOCK_MS = 70              # after so long a socket that gets no more frames has handed over all it got
    GATHERED_BYTES = 4 << 20        # passed in one call: what the engine may hold before it is emptied
    MOST_ADDRESSES = 64

cdef inline int64_t monotonic_ms() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t>now.tv_sec * 1000 + now.tv_nsec // 1000000


cdef struct Handle:
    pcap_t* pcap                # NULL: closed; the slot and its counters stay
    pcap_t* larger              # takes its place once *pcap* is empty, or NULL
    pcap_t* left                # has been replaced, not closed yet, or NULL
    int64_t steered_ms          # when frames began to go to *larger*; 0: they do not
    int group                   # fanout group, or -1: the ring stays as it is
    int ring_bytes
    int largest_ring_bytes
    bint loopback
    bint pressed                # the ring has been found too small
    bint relieved               # a larger one is being, or was, tried
    bint growing                # ... is being
    int fd
    uint16_t number
    uint16_t link_type
    bint nano
    bint failed
    FrameSink sink              # of the current dispatch
    void* context
    int64_t octets              # passed by it
    uint64_t received
    uint64_t delivered
    uint64_t dropped
    uint64_t interface_dropped
    uint32_t last_received      # pcap_stats counters are 32 bits wide and wrap
    uint32_t last_dropped
    uint32_t last_interface_dropped
    char error[256]


cdef void on_frame(unsigned char* user, const pcap_pkthdr* header, const unsigned char* data) noexcept nogil:
    cdef Handle* handle = <Handle*>user
    cdef Frame frame
    frame.data = data
    frame.captured_length = header.caplen
    frame.wire_length = header.len if header.len > header.caplen else header.caplen
    frame.time_ns = <int64_t>header.ts.tv_sec * 1000000000 + (
        <int64_t>header.ts.tv_usec if handle.nano else <int64_t>header.ts.tv_usec * 1000
    )
    frame.link_type = handle.link_type
    frame.interface = handle.number
    handle.delivered += 1
    handle.octets += header.caplen
    handle.sink(handle.context, &frame)


cdef class LiveSource(FrameSource):
    """Frames of live interfaces. Each frame on loopback once, excluded connections never.

    Where no interface is named and many are up, one handle reads all of them (``default_interfaces``): each
    would cost a ring and a descriptor. When so many come up later, that handle is opened first; the others
    are closed once they have been read up to then. The engine recognizes what both have seen meanwhile.
    """

    cdef Handle** _handles
    cdef int _count
    cdef int _turn
    cdef pollfd* _entries
    cdef PyThread_type_lock _lock
    cdef bint _closed
    cdef uint64_t _lost

    cdef list _names                # by slot
    cdef object _chosen             # names asked for, or None: all that are up
    cdef double _together_at        # when ANY took the place of separate interfaces; 0: it did not
    cdef object _filter
    cdef int _snaplen
    cdef int _buffer_bytes
    cdef int _first_bytes
    cdef bint _pressed              # some handle's ring is
    cdef bint _moving               # some handle's frames go to a larger ring
    cdef bint _promiscuous
    cdef tuple _exclude
    cdef tuple _vxlan_ports
    cdef object _addresses
    cdef double _resolved_at
    cdef bint _unresolved
    cdef list _events
    cdef dict _complaints           # name -> why it is not open, said once
    cdef list _free                 # slots that no name has
    cdef Handle _gone               # counters of interfaces that have gone
    cdef bint _any_gone

    def __cinit__(
        self,
        interfaces=(),
        *,
        filter=None,
        int snaplen=SNAPLEN,
        int buffer_bytes=BUFFER_BYTES,
        int first_bytes=0,
        exclude=(),
        bint promiscuous=False,
        vxlan_ports=(),
    ):
        """Open *interfaces* (none named: all that are up, and those that come up later; many of them as one).

        *filter* is a pcap-filter(7) expression; *exclude* holds ``filters.Endpoint`` whose TCP traffic is not
        captured; *vxlan_ports* are UDP ports of VXLAN besides the usual ones. *buffer_bytes* is the ring of one
        interface, less where many are captured unnamed. With *first_bytes*, a ring begins that small and is replaced
        by the whole one when it fills up. All that can be wrong with the arguments is found before any interface is
        opened.

        Raises ``ConfigError`` (filter, unknown interface), ``PrivilegeError`` (CAP_NET_RAW), ``CaptureError``
        (no interface can be opened).
        """
        self._lock = PyThread_allocate_lock()
        self._handles = <Handle**>calloc(MOST_INTERFACES, sizeof(void*))
        self._entries = <pollfd*>calloc(MOST_INTERFACES, sizeof(pollfd))
        if self._lock == NULL or self._handles == NULL or self._entries == NULL:
            raise MemoryError
        self._names = []
        self._events = []
        self._complaints = {}
        self._free = []
        self._chosen = list(dict.fromkeys(interfaces)) or None
        self._filter = filter if filter is not None and filter.strip() else None
        self._snaplen = snaplen
        self._buffer_bytes = buffer_bytes
        self._first_bytes = first_bytes
        self._promiscuous = promiscuous
        self._exclude = tuple(exclude)
        self._vxlan_ports = tuple(vxlan_ports)
        self._addresses = frozenset()
        if self._filter is not None:
            check_expression(self._filter)
        listed = self._list()
        self._check_names(listed)
        self._resolve()
        Program(live_program(self._filter, self._addresses, compile_expression, self._vxlan_ports))
        try:
            self._open_missing(listed, True)
        except BaseException:
            self.close()
            raise

    def __dealloc__(self):
        cdef int index
        if self._handles != NULL:
            for index in range(self._count):
                for pcap in (<size_t>self._handles[index].pcap, <size_t>self._handles[index].larger,
                             <size_t>self._handles[index].left):
                    if pcap:
                        pcap_close(<pcap_t*><size_t>pcap)
                free(self._handles[index])
        free(self._handles)
        free(self._entries)
        if self._lock != NULL:
            PyThread_free_lock(self._lock)

    # Handing over

    cdef int pump(self, FrameSink sink, void* context, int limit, int timeout_ms) except -2 nogil:
        """Gathers: returns after *limit* frames, some MiB or *timeout_ms*, so that a busy caller comes round seldom."""
        cdef int64_t until = monotonic_ms() + timeout_ms
        cdef int64_t now, patience
        cdef int64_t octets = 0
        cdef int passed = 0
        cdef int got
        while True:
            got = self._dispatch(sink, context, limit - passed, &octets)
            if got < 0:
                return passed if passed else got
            passed += got
            now = monotonic_ms()
            if self._pressed:
                with gil:
                    self._relieve()
            if passed >= limit or octets >= GATHERED_BYTES or now >= until:
                return passed
            if got == 0:
                patience = until - now
                if self._moving and patience > 10:
                    patience = 10
                poll(self._entries, <unsigned long>self._collect(), <int>patience)

    cdef int _dispatch(self, FrameSink sink, void* context, int limit, int64_t* octets) noexcept nogil:
        """Pass what the rings hold, a different interface first each time; -1 when closed.

        Adds the octets passed to *octets*.
        """
        cdef int passed = 0
        cdef int index
        cdef int got
        cdef Handle* handle
        self._acquire()
        if self._closed:
            PyThread_release_lock(self._lock)
            return -1
        for index in range(self._count):
            if passed >= limit:
                break
            handle = self._handles[(self._turn + index) % self._count]
            if handle.pcap == NULL or handle.failed:
                continue
            handle.sink = sink
            handle.context = context
            handle.octets = 0
            got = pcap_dispatch(handle.pcap, limit - passed, on_frame, <unsigned char*>handle)
            octets[0] += handle.octets
            if got >= 0:
                passed += got
                if handle.steered_ms and got == 0 and monotonic_ms() - handle.steered_ms > LAST_BLOCK_MS:
                    replace_ring(handle)
                elif not handle.pressed and handle.group >= 0 and (
                    handle.octets + got * FRAME_OVERHEAD > handle.ring_bytes // FULL_SHARE
                ):
                    handle.pressed = self._pressed = True
            else:
                strncpy(handle.error, pcap_geterr(handle.pcap), sizeof(handle.error) - 1)
                handle.failed = True
        self._turn = (self._turn + 1) % (self._count if self._count else 1)
        PyThread_release_lock(self._lock)
        return passed

    cdef int _collect(self) noexcept nogil:
        """List the descriptors to wait for."""
        cdef int count = 0
        cdef int index
        self._acquire()
        for index in range(self._count):
            if self._handles[index].pcap != NULL and not self._handles[index].failed:
                self._entries[count].fd = self._handles[index].fd
                self._entries[count].events = POLLIN
                self._entries[count].revents = 0
                count += 1
        PyThread_release_lock(self._lock)
        return count

    cdef void _acquire(self) noexcept nogil:
        PyThread_acquire_lock(self._lock, 1)

    # Opening

    cdef list _list(self):
        try:
            return list_interfaces()
        except OSError as error:
            raise CaptureError(f"cannot list network interfaces: {error.strerror}") from None

    cdef _check_names(self, list listed):
        known = [each.name for each in listed]
        for name in self._chosen or ():
            if name != ANY and name not in known:
                raise ConfigError(
                    Problem("--interfaces", f"there is no interface {name!r}; there are: {', '.join(known)}")
                )

    cdef _resolve(self):
        """Look up the excluded hosts. Addresses seen earlier stay: connections to them may last."""
        found = resolve(self._exclude)
        self._resolved_at = time.monotonic()
        self._unresolved = bool(found.unresolved)
        for host in found.unresolved:
            self._complain(("host", host), f"{host!r} has no address yet: traffic to it cannot be excluded")
        addresses = found.addresses | self._addresses
        self._addresses = addresses if len(addresses) <= MOST_ADDRESSES else found.addresses

    cdef _open_missing(self, list listed, bint first):
        """Open what should be open and is not. At first, a refusal by the kernel is an error."""
        by_name = {each.name: each for each in listed}
        if self._chosen is None:
            wanted = [ANY] if ANY in self.interfaces else default_interfaces(listed)
            buffer_bytes = min(self._buffer_bytes, ALL_BUFFERS_BYTES // max(len(wanted), 1))
        else:
            wanted = self._chosen
            buffer_bytes = self._buffer_bytes
        buffer_bytes = max(buffer_bytes, SMALLEST_BUFFER_BYTES)
        trouble = None
        for name in wanted:
            slot = self._names.index(name) if name in self._names else -1
            if slot >= 0 and self._is_open(slot):
                continue
            known = by_name.get(name)
            if name != ANY and (known is None or not known.up):
                self._complain(name, f"{name!r} is {'gone' if known is None else 'down'}; waiting for it")
                continue
            try:
                self._open(name, slot, known is not None and known.loopback, buffer_bytes)
            except (ConfigError, PrivilegeError):
                if first:
                    raise
                self._complain(name, f"{name!r} cannot be captured any more")
            except CaptureError as error:
                trouble = error
                self._complain(name, str(error))
            else:
                if name == ANY and self._chosen is None:
                    self._complaints.pop(name, None)
                    self._together_at = time.monotonic()
                    up = sum(each.up and each.readable for each in listed)
                    self._events.append(f"{up} interfaces are up: captured together, as {ANY!r}")
                elif self._complaints.pop(name, None) is not None or not first:
                    self._events.append(f"capturing on {name!r}")
        if first and trouble is not None and not self.interfaces:
            raise trouble

    cdef bint _is_open(self, int slot):
        return self._handles[slot].pcap != NULL

    cdef _complain(self, key, str text):
        """Report *text* unless it is what was said last about *key*."""
        if self._complaints.get(key) != text:
            self._complaints[key] = text
            self._events.append(text)

    cdef _open(self, str name, int slot, bint loopback, int buffer_bytes):
        """Open one interface and put it into *slot*, or a new one for -1."""
        cdef pcap_t* pcap
        cdef Handle* handle
        cdef int ring_bytes = buffer_bytes
        cdef int group = -1
        if self._first_bytes and self._first_bytes < buffer_bytes:
            ring_bytes = self._first_bytes
        pcap = self._activate(name, loopback, ring_bytes, 0)
        try:
            if ring_bytes < buffer_bytes:
                group = fanout_join(pcap_fileno(pcap), -1, loopback)
                if group < 0:       # the kernel cannot do it: the whole ring at once
                    ring_bytes = buffer_bytes
                    pcap_close(pcap)
                    pcap = NULL
                    pcap = self._activate(name, loopback, ring_bytes, 0)
            set_filter(pcap, name, self._filter, self._addresses, self._vxlan_ports)
            handle = self._slot(name, slot)
        except BaseException:
            if pcap != NULL:
                pcap_close(pcap)
            raise
        with nogil:
            self._acquire()
        handle.link_type = <uint16_t>link_type_of(pcap_datalink(pcap))
        handle.nano = pcap_get_tstamp_precision(pcap) == PCAP_TSTAMP_PRECISION_NANO
        handle.failed = False
        handle.group = group
        handle.ring_bytes = ring_bytes
        handle.largest_ring_bytes = buffer_bytes
        handle.loopback = loopback
        handle.pressed = handle.relieved = False
        begin_ring(handle, pcap)
        PyThread_release_lock(self._lock)

    cdef pcap_t* _activate(self, str name, bint loopback, int buffer_bytes, int protocol) except NULL:
        """A handle that does not block, without a filter; with a *protocol*, of frames of that alone."""
        cdef char error[512]    # PCAP_ERRBUF_SIZE is 256
        cdef pcap_t* pcap
        cdef int code
        cdef int on = 1
        error[0] = 0
        pcap = pcap_create(name.encode("utf-8", "surrogateescape"), error)
        if pcap == NULL:
            raise CaptureError(f"cannot open {name!r}: {error.decode('utf-8', 'replace')}")
        try:
            pcap_set_snaplen(pcap, self._snaplen)
            pcap_set_promisc(pcap, self._promiscuous)
            pcap_set_timeout(pcap, BLOCK_TIMEOUT_MS)
            pcap_set_buffer_size(pcap, buffer_bytes)
            pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO)
            if protocol:
                pcap_set_protocol_linux(pcap, protocol)
            with nogil:
                code = pcap_activate(pcap)
            if code < 0:
                raise activation_error(name, code, pcap_geterr(pcap).decode("utf-8", "replace"))
            if loopback:
                # The twin that loopback shows on its way out is not even copied. Where the kernel is too old for
                # it, libpcap passes the twin over.
                setsockopt(pcap_fileno(pcap), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on))
            if name == ANY:
                pcap_set_datalink(pcap, DLT_LINUX_SLL2)     # before libpcap 1.10: version 1, as it is
            if pcap_setnonblock(pcap, 1, error) != 0:
                raise CaptureError(f"cannot open {name!r}: {error.decode('utf-8', 'replace')}")
        except BaseException:
            pcap_close(pcap)
            raise
        return pcap

    cdef Handle* _slot(self, str name, int slot) except NULL:
        cdef Handle* handle
        if slot < 0 and self._free:
            slot = self._free.pop()
            self._names[slot] = name
        if slot >= 0:
            return self._handles[slot]
        if self._count >= MOST_INTERFACES:
            raise CaptureError(f"cannot open {name!r}: {MOST_INTERFACES} interfaces are open already")
        handle = <Handle*>calloc(1, sizeof(Handle))
        if handle == NULL:
            raise MemoryError
        handle.number = <uint16_t>self._count
        with nogil:
            self._acquire()
        self._handles[self._count] = handle
        self._count += 1
        self._names.append(name)
        PyThread_release_lock(self._lock)
        return handle

    # Rings that fill up

    cdef _relieve(self):
        """Have each ring that is too small replaced. Called by the capture thread, which goes on reading."""
        cdef int index
        self._pressed = False
        for index in range(self._count):
            if self._handles[index].pressed and not self._handles[index].relieved:
                self._handles[index].relieved = self._handles[index].growing = True
                threading.Thread(target=self._grow, args=(index,), name="levo-ring", daemon=True).start()

    def _grow(self, int index):
        """Replace the ring of a handle by its largest; where that fails, the small one stays."""
        try:
            self._replace_by_largest(index)
        finally:
            self._handles[index].growing = False

    cdef _replace_by_largest(self, int index):
        cdef Handle* handle = self._handles[index]
        cdef pcap_t* pcap = NULL
        cdef pcap_t* left = NULL
        cdef bint waiting = True
        name = self._names[index]
        try:
            pcap = self._activate(name, handle.loopback, handle.largest_ring_bytes, QUIET_PROTOCOL)
            if listen_shut(pcap_fileno(pcap)) != 0 or (
                fanout_join(pcap_fileno(pcap), handle.group, handle.loopback) != handle.group
            ):
                raise CaptureError(f"cannot replace the ring of {name!r}")
            with nogil:
                self._acquire()
            try:
                if self._closed or handle.pcap == NULL or handle.failed or handle.larger != NULL:
                    pcap_close(pcap)
                    return
                set_filter(pcap, name, self._filter, self._addresses, self._vxlan_ports)
                if fanout_steer(pcap_fileno(pcap), 1) != 0:
                    raise CaptureError(f"cannot replace the ring of {name!r}")
                handle.larger = pcap
                handle.steered_ms = monotonic_ms()
                self._moving = True
                pcap = NULL
            finally:
                PyThread_release_lock(self._lock)
        except (CaptureError, ConfigError, PrivilegeError) as error:
            if pcap != NULL:
                pcap_close(pcap)
            self._events.append(f"{error}; capture goes on with {handle.ring_bytes >> 20} MiB")
            return
        self._events.append(
            f"traffic on {name!r} fills its ring: {handle.largest_ring_bytes >> 20} MiB now, which count as resident"
        )
        while waiting:      # for the capture thread, which reads the small ring to its end
            time.sleep(0.02)
            with nogil:
                self._acquire()
            left, handle.left = handle.left, NULL
            waiting = handle.larger != NULL and not self._closed
            self._moving = waiting
            PyThread_release_lock(self._lock)
            if left != NULL:
                with nogil:
                    pcap_close(left)

    # Looking after it

    cdef _reap(self):
        """Close failed handles, keeping their counters."""
        cdef int index
        cdef Handle* handle
        for index in range(self._count):
            handle = self._handles[index]
            if not handle.failed or handle.pcap == NULL:
                continue
            text = handle.error.decode("utf-8", "replace")
            self._close_handle(handle)
            self._lost += 1
            name = self._names[index]
            self._complaints[name] = text
            self._events.append(f"capture on {name!r} ended: {text}")

    cdef _close_handle(self, Handle* handle):
        with nogil:
            self._acquire()
            if handle.pcap != NULL:
                read_statistics(handle)
                pcap_close(handle.pcap)
                handle.pcap = NULL
            if handle.larger != NULL:
                pcap_close(handle.larger)
                handle.larger = NULL
            handle.steered_ms = 0
            PyThread_release_lock(self._lock)

    def refresh(self):
        """Open interfaces that came up, look up excluded hosts again. Call it every few seconds, not from the
        capture thread: name resolution may take long. Never raises for the state of an interface."""
        if self._closed:
            return
        self._reap()
        before = self._addresses
        if self._exclude and (self._unresolved or time.monotonic() - self._resolved_at >= RESOLVE_EVERY_S):
            self._resolve()
        if self._addresses != before:
            self._replace_filters()
        try:
            listed = self._list()
        except CaptureError as error:
            self._complain(None, str(error))
            return
        self._note_down(listed)
        self._forget(listed)
        self._open_missing(listed, False)
        self._close_separate()

    cdef _forget(self, list listed):
        """Count interfaces that are closed and no more together, and give their slots to others."""
        cdef int index
        cdef Handle* handle
        kept = {each.name for each in listed} | {ANY} | set(self._chosen or ())
        for index in range(self._count):
            handle = self._handles[index]
            if self._names[index] is None or self._names[index] in kept or self._is_open(index) or handle.growing:
                continue
            add_counters(&self._gone, handle)
            self._any_gone = True
            self._names[index] = None
            self._free.append(index)
        for name in [name for name in self._complaints if isinstance(name, str) and name not in kept]:
            del self._complaints[name]

    cdef _close_separate(self):
        """Close the interfaces that ANY has taken the place of."""
        cdef int index
        if self._together_at == 0 or time.monotonic() - self._together_at < READ_WITHIN_S:
            return
        for index in range(self._count):
            if self._names[index] != ANY and self._is_open(index):
                self._close_handle(self._handles[index])
        self._together_at = 0

    cdef _note_down(self, list listed):
        """Interfaces that are open and go down deliver nothing, and go on by themselves when they come up."""
        by_name = {each.name: each for each in listed}
        for name in self.interfaces:
            known = by_name.get(name)
            if name != ANY and known is not None and not known.up:
                self._complain(name, f"{name!r} went down; waiting for it")
            elif name in self._complaints:
                del self._complaints[name]
                self._events.append(f"{name!r} is up again")

    cdef _replace_filters(self):
        cdef int index
        cdef Handle* handle
        for index in range(self._count):
            handle = self._handles[index]
            with nogil:
                self._acquire()
            try:
                if handle.pcap != NULL and not handle.failed:
                    set_filter(handle.pcap, self._names[index], self._filter, self._addresses, self._vxlan_ports)
                    if handle.larger != NULL:
                        set_filter(handle.larger, self._names[index], self._filter, self._addresses, self._vxlan_ports)
            except (CaptureError, ConfigError) as error:
                self._events.append(str(error))
            finally:
                PyThread_release_lock(self._lock)

    def events(self):
        """What has happened to interfaces since the last call: lines for a log, oldest first."""
        self._reap()
        events, self._events = self._events, []
        return events

    @property
    def interfaces(self):
        """Names of the interfaces that are open now."""
        return [name for slot, name in enumerate(self._names) if self._is_open(slot)]

    @property
    def excluded(self):
        """(address, port) of the TCP traffic that is not captured."""
        return self._addresses

    def statistics(self):
        """A ``LiveStatistics``. Call it more often than 2**32 frames arrive."""
        cdef int index
        cdef Handle* handle
        self._reap()
        for index in range(self._count):
            handle = self._handles[index]
            with nogil:
                self._acquire()
                if handle.pcap != NULL:
                    read_statistics(handle)
                PyThread_release_lock(self._lock)
        # Copied in one go: meanwhile an interface may go, and its counters must be here or there.
        counted = [counters_of(GONE, &self._gone)] if self._any_gone else []
        for index in range(self._count):
            if self._names[index] is not None:
                counted.append(counters_of(self._names[index], self._handles[index]))
        return LiveStatistics(tuple([InterfaceStatistics(*each) for each in counted]), self._lost)

    def close(self):
        """Close all interfaces; ``pump`` then returns -1. Legal twice. Counters stay readable."""
        cdef int index
        with nogil:
            self._acquire()
        self._closed = True
        PyThread_release_lock(self._lock)
        for index in range(self._count):
            self._close_handle(self._handles[index])

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()


cdef tuple counters_of(str name, const Handle* handle):
    """The fields of an ``InterfaceStatistics``."""
    return (
        name, handle.received, handle.delivered, handle.dropped, handle.interface_dropped, handle.pcap != NULL,
        handle.ring_bytes)


cdef void add_counters(Handle* total, Handle* handle) noexcept:
    """Move the counters of *handle*, which is closed, to *total*."""
    total.received += handle.received
    total.delivered += handle.delivered
    total.dropped += handle.dropped
    total.interface_dropped += handle.interface_dropped
    handle.received = handle.delivered = handle.dropped = handle.interface_dropped = 0
    handle.ring_bytes = 0


cdef void begin_ring(Handle* handle, pcap_t* pcap) noexcept nogil:
    """Let *handle* read *pcap*, which has counted nothing yet. The lock is held."""
    handle.fd = pcap_get_selectable_fd(pcap)
    handle.last_received = handle.last_dropped = handle.last_interface_dropped = 0
    handle.pcap = pcap


cdef void replace_ring(Handle* handle) noexcept nogil:
    """The small ring is empty, and nothing comes any more: go on with the larger one. The lock is held."""
    read_statistics(handle)
    handle.left = handle.pcap
    begin_ring(handle, handle.larger)
    handle.larger = NULL
    handle.steered_ms = 0
    handle.group = -1
    handle.ring_bytes = handle.largest_ring_bytes


cdef void read_statistics(Handle* handle) noexcept nogil:
    """Add what the kernel counted since the last call. The lock is held."""
    cdef pcap_stat now
    memset(&now, 0, sizeof(now))
    if pcap_stats(handle.pcap, &now) != 0:
        return
    handle.received += <uint32_t>(now.ps_recv - handle.last_received)
    handle.dropped += <uint32_t>(now.ps_drop - handle.last_dropped)
    handle.interface_dropped += <uint32_t>(now.ps_ifdrop - handle.last_interface_dropped)
    handle.last_received = now.ps_recv
    handle.last_dropped = now.ps_drop
    handle.last_interface_dropped = now.ps_ifdrop


cdef list compile_live(pcap_t* pcap, str text):
    cdef bpf_program program
    if pcap_compile(pcap, &program, text.encode("utf-8", "surrogateescape"), 1, PCAP_NETMASK_UNKNOWN) != 0:
        raise ExpressionError(pcap_geterr(pcap).decode("utf-8", "replace"))
    try:
        return instructions_of(&program)
    finally:
        pcap_freecode(&program)


cdef class _Compiler:
    """Compiles for one open handle; tags that the kernel took out of the frame are found then."""

    cdef pcap_t* _pcap

    def __call__(self, str text):
        return compile_live(self._pcap, text)


cdef set_filter(pcap_t* pcap, str name, expression, addresses, vxlan_ports):
    cdef _Compiler compiler = _Compiler()
    cdef Program program
    cdef int code
    compiler._pcap = pcap
    program = Program(live_program(expression, addresses, compiler, vxlan_ports))
    with nogil:
        code = pcap_setfilter(pcap, &program.code)
    if code != 0:
        raise CaptureError(f"cannot set the filter on {name!r}: {pcap_geterr(pcap).decode('utf-8', 'replace')}")


cdef activation_error(str name, int code, str text):
    if code == PCAP_ERROR_PERM_DENIED or code == PCAP_ERROR_PROMISC_PERM_DENIED:
        return PrivilegeError(missing_privilege(name, os.environ))
    if code == PCAP_ERROR_NO_SUCH_DEVICE:
        return CaptureError(f"cannot open {name!r}: there is no such interface")
    if code == PCAP_ERROR_IFACE_NOT_UP:
        return CaptureError(f"cannot open {name!r}: it is down")
    return CaptureError(f"cannot open {name!r}: {text}")
