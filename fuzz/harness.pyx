"""Fuzz targets over the compiled core. Any octets: exchanges or a counted reason, never a crash.

A target is a C function of the input's octets. It raises where an invariant does not hold; ``entry`` turns that, and
whatever an ordinarily ignored exception is, into an abort that libFuzzer reports. What holds for every target:

* no read or write outside of a block, no undefined behavior, no leak (the sanitizers see to that);
* after ``finish`` the ledger balances, nothing is open and nothing is held;
* what is encoded decodes again, by readers that we did not write.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport abort, free, malloc
from libc.string cimport memcpy, memset
from posix.unistd cimport ftruncate, pwrite

import gzip
import json
import os
import sys
import traceback
import zlib
from urllib.parse import urlencode

from levo.engine.exchange.batch cimport Batch, batch_add
from levo.engine.engine cimport Engine
from levo.engine.core.exchange cimport exchange_footprint, section_allocate
from levo.engine.net.frame cimport Decoder, decode_frame, decoder_finish, decoder_free, decoder_init, decoder_tick
from levo.engine.http2.hpack cimport (
    HeaderList,
    Hpack,
    hpack_decode,
    hpack_footprint,
    hpack_forget,
    hpack_free,
    hpack_init,
    list_free,
    list_init,
)
from levo.engine.core.memory cimport buffer_append, set_limit
from levo.engine.core.source cimport FrameSource
from levo.engine.core.state cimport Connection
from levo.engine.tcp.twins cimport Alias, Twins
from levo.engine.tls.records cimport TlsTable
from levo.engine.tls.endpoints cimport ENDPOINT_SLOTS, Endpoint
from levo.engine.tls.keys cimport Secrets
from levo.engine.core.types cimport (
    DROP_MERGED_HOP, PROTOCOL_HTTP1, PROTOCOL_HTTP2, PROTOCOL_WEBSOCKET,
    Budget, Exchange, Frame, FrameSink, Message, Packet, Section, Span, Stats,
)

import brotli
import orjson
import re2
import zstandard
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fuzz.sealer import Sealer
from levo.config import credentials
from levo.wire.resource import encode_resource
from levo.engine.exchange.redact import Redactor
from levo.errors import CaptureFileError
from levo.sensor.capture.file import FileSource


class Finding(AssertionError):
    """An invariant does not hold."""


cdef int check(bint holds, str what) except -1:
    if not holds:
        raise Finding(what)
    return 0


# Octets to segments: 0xFF is a mark, 0xFF 0xFF stands for itself, any other octet behind it is a Mark. What lies
# between two marks is the payload of one segment. So octets can be inserted or removed anywhere, and the rest of
# the input keeps its meaning.

cdef enum Mark:
    MARK_SIDE = 1             # bit 0: who sends the following
    MARK_KIND = 14            # bits 1 to 3: Event
    MARK_NO_ACK = 16
    MARK_OLD_ACK = 32         # the acknowledgment lags by one segment


cdef enum Event:
    EVENT_NONE = 0
    EVENT_GAP = 1             # octets that the capture never saw
    EVENT_BACK = 2            # the next segment begins before the last one's end
    EVENT_HOLD = 3            # the next segment comes one later
    EVENT_FLAGS = 4           # TCP flags of the next segment
    EVENT_TIME = 5            # time passes
    EVENT_CONNECTION = 6      # which connection
    EVENT_CUT = 7             # the snap length cuts the next segment


cdef enum Path:
    # Where the following segments are seen: bits 2 to 4 of the value of EVENT_CONNECTION, in the target networks.
    PATH_PLAIN = 0
    PATH_VLAN = 1
    PATH_STACKED = 2          # two VLAN tags
    PATH_VXLAN = 3
    PATH_GENEVE = 4
    PATH_KEY = 5              # GRE
    PATH_LABEL = 6            # MPLS
    PATH_TRANSLATED = 7       # under other addresses and ports
    PATH_KIND = 28
    PATH_OTHER = 32           # another number of that kind
    PATH_COPY = 64            # and on the plain path, too


cdef enum:
    CONNECTIONS = 4
    SEGMENT = 16384
    HEADERS = 54              # Ethernet, IPv4, TCP
    MOST_WRAPPING = 64        # octets that a path adds
    FIRST_CLOCK = 240         # of the values of EVENT_TIME: from here on a time of CLOCKS


# What clocks show at strange moments: none, one before 1970, those of 32 bits, pcap's and pcapng's last ones.
cdef int64_t[16] CLOCKS
CLOCKS[:] = [
    0, 1, -1, 1_000_000_000, 0x7FFFFFFF * 1_000_000_000, 0x80000000 * 1_000_000_000, 0xFFFFFFFF * 1_000_000_000,
    0x100000000 * 1_000_000_000, 0x7FFFFFFFFFFFFFFF, -0x8000000000000000, 0x7FFFFFFFFFFFFFFF - 10_000_000_000,
    1_700_000_000_000_000_000, 1_600_000_000_000_000_000, 1_800_000_000_000_000_000, 2_000_000_000, 5,
]


cdef inline void put16(uint8_t* at, uint32_t value) noexcept nogil:
    at[0] = <uint8_t>(value >> 8)
    at[1] = <uint8_t>value


cdef inline void put32(uint8_t* at, uint32_t value) noexcept nogil:
    put16(at, value >> 16)
    put16(at + 2, value)


cdef class Talk(FrameSource):
    """The segments that an input stands for, as a source of frames. Each frame lies in a block of just its size."""

    cdef const uint8_t* data
    cdef size_t size
    cdef size_t at
    cdef uint32_t seq[CONNECTIONS][2]
    cdef uint32_t last_seq[CONNECTIONS][2]
    cdef int64_t time_ns
    cdef uint8_t segment[SEGMENT]
    cdef uint32_t length
    cdef uint8_t* held
    cdef uint32_t held_length
    cdef uint32_t held_wire
    cdef bint hold
    cdef bint many                # several connections
    cdef bint paths               # ... in several networks, and copies
    cdef bint chain               # ... each opened by the host that answers the one before
    cdef uint8_t path
    cdef bint handshake
    cdef int connection
    cdef int side
    cdef int flags                # of the next segment; -1: the usual ones
    cdef uint32_t cut
    cdef uint8_t mark
    cdef uint64_t frames
    cdef bint sealing
    cdef object sealer            # makes a TLS record of each segment, or None

    def __cinit__(self):
        cdef int i
        for i in range(CONNECTIONS):
            self.seq[i][0] = 1000
            self.seq[i][1] = <uint32_t>0xFFFFFF00    # wraps soon
            self.last_seq[i][0] = self.seq[i][0]
            self.last_seq[i][1] = self.seq[i][1]
        self.flags = -1
        self.time_ns = 1_700_000_000_000_000_000

    def __dealloc__(self):
        free(self.held)

    cdef void seal(self) noexcept with gil:
        cdef bytes sealed = self.sealer.seal(self.side, self.segment[:self.length])
        self.length = min(<uint32_t>len(sealed), <uint32_t>SEGMENT)
        memcpy(self.segment, <const char*>sealed, self.length)

    cdef void emit(self, FrameSink sink, void* context, int flags) noexcept nogil:
        """Pass one segment, of ``segment``, in the direction of ``side``."""
        if self.sealing and self.length:
            self.seal()
        self.pass_segment(sink, context, flags)

    cdef void pass_segment(self, FrameSink sink, void* context, int flags) noexcept nogil:
        cdef uint32_t kept = self.length - (self.cut if self.cut < self.length else self.length)
        cdef uint32_t* seq = self.seq[self.connection]
        cdef uint32_t advance = self.length + (flags >> 1 & 1) + (flags & 1)
        cdef uint8_t* block = <uint8_t*>malloc(HEADERS + kept)
        cdef uint32_t ack = seq[1 - self.side]
        if block == NULL:
            return
        if self.mark & MARK_OLD_ACK:
            ack = self.last_seq[self.connection][1 - self.side]
        memset(block, 0, HEADERS)
        block[12] = 8
        block[14] = 0x45
        put16(block + 16, 40 + self.length)
        block[22] = 64
        block[23] = 6
        block[26] = block[30] = 10
        block[29] = 1 + self.side
        block[33] = 2 - self.side
        if self.chain:
            block[29] += <uint8_t>self.connection
            block[33] += <uint8_t>self.connection
        put16(block + 34, 40000 + self.connection if self.side == 0 else 8080)
        put16(block + 36, 8080 if self.side == 0 else 40000 + self.connection)
        put32(block + 38, seq[self.side])
        if flags & 16:
            put32(block + 42, ack)
        block[46] = 0x50
        block[47] = <uint8_t>flags
        put16(block + 48, 65535)
        if kept:
            memcpy(block + HEADERS, self.segment, kept)
        self.last_seq[self.connection][self.side] = seq[self.side]
        seq[self.side] += advance
        if self.path:
            self.wrap(sink, context, block, HEADERS + kept, HEADERS + self.length)
            if not self.path & PATH_COPY:
                free(block)
                self.release(sink, context)
                block = NULL
        if block == NULL:
            pass
        elif self.hold and self.held == NULL:
            self.held = block
            self.held_length = HEADERS + kept
            self.held_wire = HEADERS + self.length
        else:
            self.give(sink, context, block, HEADERS + kept, HEADERS + self.length)
            self.release(sink, context)
        self.hold = False
        self.length = 0
        self.cut = 0
        self.flags = -1

    cdef void wrap(
        self, FrameSink sink, void* context, const uint8_t* plain, uint32_t length, uint32_t wire
    ) noexcept nogil:
        """Pass the frame *plain* as it is seen on the current path."""
        cdef uint8_t outer[MOST_WRAPPING]
        cdef uint8_t* block
        cdef int kind = (self.path & PATH_KIND) >> 2
        cdef uint32_t number = 5 + (self.path & PATH_OTHER)
        cdef uint32_t front = 12, more = 0          # octets of *plain* before what is put in, and how many that is
        memset(outer, 0, MOST_WRAPPING)
        if kind == PATH_VLAN or kind == PATH_STACKED:
            put16(outer, 0x8100)
            put16(outer + 2, number)
            put16(outer + 4, 0x88A8)
            put16(outer + 6, 7)
            more = 4 if kind == PATH_VLAN else 8
        elif kind == PATH_LABEL:
            # The label stands after the EtherType, which changes.
            put16(outer, 0x8847)
            put32(outer + 2, number << 12 | 0x140)
            more = 6
        elif kind >= PATH_VXLAN and kind <= PATH_KEY:
            front = 0
            more = 42 if kind == PATH_KEY else 50
            outer[12] = 8
            outer[14] = 0x45
            put16(outer + 16, more - 14 + wire)
            outer[22] = 64
            outer[23] = 47 if kind == PATH_KEY else 17
            outer[26] = outer[30] = 192
            outer[29] = 1 + self.side
            outer[33] = 2 - self.side
            if kind == PATH_KEY:
                put32(outer + 34, 0x20006558)
                put32(outer + 38, number)
            else:
                put16(outer + 34, 50000)
                put16(outer + 36, 4789 if kind == PATH_VXLAN else 6081)
                put16(outer + 38, 16 + wire)
                put32(outer + 42, 0x08000000 if kind == PATH_VXLAN else 0x00006558)
                put32(outer + 46, number << 8)
        block = <uint8_t*>malloc(length + more)
        if block == NULL:
            return
        memcpy(block, plain, front)
        memcpy(block + front, outer, more)
        if kind == PATH_LABEL:
            memcpy(block + front + more, plain + 14, length - 14)
            more -= 2
        else:
            memcpy(block + front + more, plain + front, length - front)
        if kind == PATH_TRANSLATED:
            block[26] ^= self.path & PATH_OTHER
            block[30] ^= self.path & PATH_OTHER
            block[27] ^= self.side == 0
            block[31] ^= self.side
            block[34 if self.side == 0 else 36] ^= 3
        self.give(sink, context, block, length + more, wire + more)

    cdef void give(self, FrameSink sink, void* context, uint8_t* block, uint32_t length, uint32_t wire) noexcept nogil:
        cdef Frame frame
        memset(&frame, 0, sizeof(Frame))
        frame.data = block
        frame.captured_length = length
        frame.wire_length = wire
        frame.time_ns = self.time_ns
        frame.link_type = 1
        sink(context, &frame)
        self.frames += 1
        self.time_ns += 100_000
        free(block)

    cdef void release(self, FrameSink sink, void* context) noexcept nogil:
        cdef uint8_t* block = self.held
        if block != NULL:
            self.held = NULL
            self.give(sink, context, block, self.held_length, self.held_wire)

    cdef void flush(self, FrameSink sink, void* context) noexcept nogil:
        """End the segment that is being collected."""
        cdef int flags = self.flags
        if self.length == 0 and flags < 0:
            return
        if flags < 0:
            flags = 8 if self.mark & MARK_NO_ACK else 24
        self.emit(sink, context, flags)

    cdef void begin(self, FrameSink sink, void* context) noexcept nogil:
        """The handshake of the current connection."""
        cdef int side = self.side
        self.side = 0
        self.emit(sink, context, 2)
        self.side = 1
        self.emit(sink, context, 18)
        self.side = 0
        self.emit(sink, context, 16)
        self.side = side

    cdef void obey(self, FrameSink sink, void* context, uint8_t mark) noexcept nogil:
        cdef uint8_t value = 0
        cdef int event = (mark & MARK_KIND) >> 1
        self.mark = mark
        self.side = mark & MARK_SIDE
        if event != EVENT_NONE and event != EVENT_HOLD and self.at < self.size:
            value = self.data[self.at]
            self.at += 1
        if event == EVENT_GAP:
            self.seq[self.connection][self.side] += value if value < 224 else (value - 223) * 1460
        elif event == EVENT_BACK:
            self.seq[self.connection][self.side] -= value
        elif event == EVENT_HOLD:
            self.hold = True
        elif event == EVENT_FLAGS:
            self.flags = value
        elif event == EVENT_TIME and value >= FIRST_CLOCK:
            self.time_ns = CLOCKS[value - FIRST_CLOCK]
        elif event == EVENT_TIME:
            self.time_ns += <int64_t>1_000_000 << (value & 31) if value < 200 else -<int64_t>1_000_000 << (value & 15)
        elif event == EVENT_CONNECTION and self.many:
            self.connection = value % CONNECTIONS
            if self.paths:
                self.path = value & (PATH_KIND | PATH_OTHER | PATH_COPY)
            if value & 128:
                self.begin(sink, context)
        elif event == EVENT_CUT:
            self.cut = value

    cdef int pump(self, FrameSink sink, void* context, int limit, int timeout_ms) except -2 nogil:
        cdef uint64_t before = self.frames
        cdef uint8_t octet
        if self.at >= self.size and self.held == NULL and self.length == 0:
            return -1
        if self.handshake:
            self.handshake = False
            self.begin(sink, context)
        while self.at < self.size and self.frames - before < <uint64_t>limit:
            octet = self.data[self.at]
            self.at += 1
            if octet == 0xFF and self.at < self.size:
                octet = self.data[self.at]
                self.at += 1
                if octet != 0xFF:
                    self.flush(sink, context)
                    self.obey(sink, context, octet)
                    continue
            if self.length == SEGMENT:
                self.flush(sink, context)
            self.segment[self.length] = octet
            self.length += 1
        if self.at >= self.size:
            self.flush(sink, context)
            self.release(sink, context)
        return <int>(self.frames - before)


cdef enum Option:
    # Bits of the first octet of a conversation.
    OPTION_MID_STREAM = 1
    OPTION_LITTLE_MEMORY = 2
    OPTION_SHORT_HEADS = 4
    OPTION_SHORT_BODIES = 8
    OPTION_FEW_PENDING = 16
    OPTION_NO_BODIES = 32
    OPTION_SMALL_SLICES = 64
    OPTION_RATE = 128


cdef object MASK_HEADERS = Redactor(headers=credentials.HEADERS)
cdef bytes RESOURCE = encode_resource({"service.name": "fuzz"})


cdef struct Drained:
    uint64_t exchanges
    uint64_t merged             # into them: other hops of the same requests


cdef int drain(Engine engine, Drained* drained, bint closely) except -1:
    """Take what is ready; *closely*: its encodings are examined, which takes as long as all the rest."""
    cdef Batch batch = engine.take()
    cdef const Exchange* exchange = batch.first
    drained.exchanges += batch.count
    while exchange != NULL:
        if exchange.hop != NULL:
            drained.merged += exchange.hop.merged
        exchange = exchange.next
    return examine(batch, 65536) if closely and batch.count else 0


cdef int examine(Batch batch, size_t max_size) except -1:
    """Decode, mask and encode *batch*; read the encodings back."""
    cdef Exchange* exchange
    cdef int64_t footprint = 0
    batch.decode(max_size, 1 << 20)
    MASK_HEADERS.redact(batch)
    exchange = batch.first
    while exchange != NULL:
        footprint += exchange_footprint(exchange)
        exchange = exchange.next
    check(footprint == batch.budget.used, "a batch's memory is miscounted")
    request = ExportTraceServiceRequest.FromString(bytes(batch.otlp(RESOURCE)))
    check(sum([len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans])
          == batch.count, "spans are missing")
    lines = batch.jsonl().splitlines()
    check(len(lines) == batch.count, "lines are missing")
    for line in lines:
        orjson.loads(line)
    return 0


cdef int balanced(const Stats* s, const Drained* drained) except -1:
    cdef uint64_t dropped = 0
    cdef int i
    for i in range(16):
        dropped += s.exchanges_dropped[i]
    check(s.frames_received == s.frames_tcp + s.frames_not_ip + s.frames_not_tcp + s.frames_malformed
          + s.frames_unsupported_link + s.frames_fragment_joined + s.frames_fragment_lost, "frames do not balance")
    check(s.payload_bytes_received == s.payload_bytes_parsed + s.payload_bytes_duplicate
          + s.payload_bytes_duplicate_nat + s.payload_bytes_opaque
          + s.payload_bytes_skipped + s.payload_bytes_evicted + s.payload_bytes_closed
          + s.payload_bytes_out_of_window + s.payload_bytes_held, "payload octets do not balance")
    check(s.exchanges_begun == s.exchanges_emitted + s.exchanges_open + dropped, "exchanges do not balance")
    check(s.payload_bytes_held == 0, "octets are held behind the end")
    check(s.exchanges_open == 0, "exchanges are open behind the end")
    check(s.exchanges_dropped[<int>DROP_MERGED_HOP] == drained.merged, "an exchange is merged into none")
    check(s.exchanges_emitted == drained.exchanges,
          "an exchange was counted as emitted and is not there, or the reverse")
    check(s.exchanges_emitted_incomplete <= s.exchanges_emitted, "more are incomplete than there are")
    return 0


cdef Engine engine_of(uint8_t options, hops):
    cdef Engine engine = Engine(
        hops=hops,
        max_memory_bytes=20_000 if options & OPTION_LITTLE_MEMORY else 64 << 20,
        max_head_bytes=500 if options & OPTION_SHORT_HEADS else 262_144,
        max_message_bytes=1000 if options & OPTION_SHORT_BODIES else 10_000_000,
        max_pending=3 if options & OPTION_FEW_PENDING else 1024,
        keep_bodies=not options & OPTION_NO_BODIES,
        traces_per_minute=3.0 if options & OPTION_RATE else 0.0,
        endpoint_traces_per_minute=2.0 if options & OPTION_RATE else -1.0,
    )
    engine.state.hash_seed = 1
    if options & OPTION_LITTLE_MEMORY:
        set_limit(&engine.state.budget, 20_000, 4_000)    # room for some exchanges that are given up
    return engine


cdef int64_t kept_memory(Engine engine) noexcept:
    """What an engine may hold behind its end: closed connections and their other ends, secrets, encrypted endpoints."""
    cdef const TlsTable* tls = <const TlsTable*>engine.state.tls
    cdef int64_t kept = <int64_t>sizeof(Connection) * engine.state.connection_count
    cdef int i
    kept += <int64_t>sizeof(Alias) * (<const Twins*>engine.state.twins).count
    for i in range(ENDPOINT_SLOTS):
        if tls.endpoints.slots[i] != NULL:
            kept += <int64_t>sizeof(Endpoint)
    return kept + <int64_t>sizeof(Secrets) * tls.keys.count


cdef int converse(
    const uint8_t* data, size_t size, bint many, bytes front=b"", sealer=None, bint late=False, bint paths=False,
    hops=None,
) except -1:
    """Run the conversation of *data* through an engine, behind the turns of *front*, sealed by *sealer*.

    *late*: the key log is there only when it is asked for the third time. *hops*: as of ``Engine``; the connections
    are a chain then, and the host in its middle captures.
    """
    cdef Engine engine
    cdef Talk talk
    cdef uint8_t options
    cdef Drained drained
    cdef uint8_t* whole
    cdef size_t front_size = len(front)
    cdef bint closely = size % 4 == 0
    if size < 1:
        return 0
    options = data[0]
    engine = engine_of(options, hops)
    memset(&drained, 0, sizeof(Drained))
    if hops is not None:
        engine.set_host_addresses(["10.0.0.2"])
    if late:
        answers = iter([b"", b"", sealer.key_log()])
        engine.set_key_source(lambda: next(answers, b""), wait=True)
    elif sealer is not None:
        check(engine.add_secrets(sealer.key_log())[0] > 0, "a key log is not read")
    whole = <uint8_t*>malloc(size - 1 + front_size)
    if whole == NULL and size - 1 + front_size:
        raise MemoryError
    if front_size:
        memcpy(whole, <const char*>front, front_size)
    if size > 1:
        memcpy(whole + front_size, data + 1, size - 1)
    try:
        talk = Talk()
        talk.data = whole
        talk.size = size - 1 + front_size
        talk.many = many
        talk.paths = paths
        talk.chain = hops is not None
        talk.handshake = not options & OPTION_MID_STREAM
        talk.sealer = sealer
        talk.sealing = sealer is not None
        while engine.pump(talk, 3 if options & OPTION_SMALL_SLICES else 4096, 0) >= 0:
            drain(engine, &drained, closely)
        engine.finish()
        drain(engine, &drained, closely)
        check(engine.state.stats.frames_received == talk.frames, "frames are missing")
        balanced(&engine.state.stats, &drained)
        check(engine.state.ready_bytes == 0 and engine.state.ready_count == 0, "drained, and something is ready")
        check(engine.state.budget.used == kept_memory(engine), "memory was not given back, or more than was taken")
        engine.finish()
        check(engine.state.ready_count == 0, "finish() again gives something")
    finally:
        free(whole)
    return 0


cdef bytes UPGRADE = (
    b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    b"\xff\x01HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\xff\x00"
)


cdef int target_tcp(const uint8_t* data, size_t size) except -1:
    return converse(data, size, True)


cdef int target_networks(const uint8_t* data, size_t size) except -1:
    """The same in VLANs and tunnels, under other addresses, and captured twice."""
    return converse(data, size, True, b"", None, False, True)


cdef int target_hops(const uint8_t* data, size_t size) except -1:
    """Through proxies: hops of a request are merged, or linked where its first octet says so."""
    hops = "link" if size and data[0] & OPTION_NO_BODIES else "merge"
    return converse(data, size, True, b"", None, False, False, hops)


cdef int target_talk(const uint8_t* data, size_t size) except -1:
    return converse(data, size, False)


cdef int target_websocket(const uint8_t* data, size_t size) except -1:
    return converse(data, size, False, UPGRADE)


cdef int target_sealed(const uint8_t* data, size_t size) except -1:
    """Suite and how the keys come, options, and the segments of what is said behind TLS."""
    cdef bytes front
    if size < 2:
        return 0
    sealer = Sealer(data[0] & 7, handshake=bool(data[0] & 8), h2=bool(data[0] & 32))
    front = b"".join([bytes((255, side)) + octets.replace(b"\xff", b"\xff\xff") for side, octets in sealer.opening()])
    return converse(data + 1, size - 1, False, front, sealer, data[0] & 16)


# Frames

cdef uint16_t[16] LINKS
LINKS[:] = [1, 0, 12, 101, 105, 108, 113, 127, 141, 192, 228, 229, 276, 9, 50, 7]
cdef uint64_t[1] SEEN


cdef int one_frame(
    Decoder* decoder, uint8_t* octets, uint32_t length, uint32_t more, int64_t time_ns, int link
) except -1:
    cdef Frame frame
    cdef Packet packet
    cdef uint32_t i
    cdef uint64_t seen = 0
    cdef uint8_t* block = <uint8_t*>malloc(length)
    memset(&frame, 0, sizeof(Frame))
    if length:
        memcpy(block, octets, length)
    frame.data = block
    frame.captured_length = length
    frame.wire_length = length + more
    frame.time_ns = time_ns
    frame.link_type = <uint16_t>link
    if decode_frame(decoder, &frame, &packet):
        for i in range(packet.payload_length):
            seen += packet.payload[i]
        for i in range(packet.options_length):
            seen += packet.options[i]
        SEEN[0] += seen
        if packet.family != 4 and packet.family != 6:
            free(block)
            raise Finding("an address family that is none")
    free(block)
    return 0


cdef int target_frame(const uint8_t* data, size_t size) except -1:
    """Link type, then frames; 0xFF and an octet other than 0xFF ends one."""
    cdef Decoder decoder
    cdef Budget budget
    cdef Stats stats
    cdef uint8_t frame[SEGMENT]
    cdef uint32_t length = 0
    cdef size_t at = 1
    cdef int link
    cdef int64_t time_ns = 0
    cdef uint8_t octet
    if size < 1:
        return 0
    memset(&budget, 0, sizeof(Budget))
    memset(&stats, 0, sizeof(Stats))
    set_limit(&budget, 4096 if data[0] & 128 else 1 << 24, 0)
    link = LINKS[data[0] & 15]
    decoder_init(&decoder, &budget, &stats, 1)
    try:
        while at < size:
            octet = data[at]
            at += 1
            if octet == 0xFF and at < size:
                octet = data[at]
                at += 1
                if octet != 0xFF:
                    one_frame(&decoder, frame, length, octet & 31, time_ns, link)
                    length = 0
                    time_ns += <int64_t>1_000_000 << (octet >> 3)
                    if octet & 1:
                        decoder_tick(&decoder, time_ns)
                    continue
            if length < SEGMENT:
                frame[length] = octet
                length += 1
        one_frame(&decoder, frame, length, 0, time_ns, link)
        decoder_finish(&decoder)
        check(stats.frames_received == stats.frames_tcp + stats.frames_not_ip + stats.frames_not_tcp
              + stats.frames_malformed + stats.frames_unsupported_link + stats.frames_fragment_joined
              + stats.frames_fragment_lost, "frames do not balance")
        check(budget.used == 0, "fragments are held behind the end")
    finally:
        decoder_free(&decoder)
    return 0


# HPACK

cdef int target_hpack(const uint8_t* data, size_t size) except -1:
    """Options, how many blocks, where they are cut; then the blocks."""
    cdef Hpack table
    cdef HeaderList fields
    cdef Budget budget
    cdef uint32_t i, k, limit, start, end, left
    cdef uint8_t* block
    if size < 5:
        return 0
    memset(&budget, 0, sizeof(Budget))
    limit = 200 if data[0] & 2 else 262_144
    hpack_init(&table, data[0] & 1)
    left = <uint32_t>size - 5
    start = 0
    for i in range(1, 6):
        end = left if i == 5 else <uint32_t>(<uint64_t>left * data[i] >> 8)
        if end < start:
            end = start
        block = <uint8_t*>malloc(end - start)
        if end > start:
            memcpy(block, data + 5 + start, end - start)
        list_init(&fields, limit)
        hpack_decode(&budget, &table, block, end - start, &fields)
        free(block)
        for k in range(fields.count):
            check(fields.fields[k].name.at + fields.fields[k].name.length <= fields.length
                  and fields.fields[k].value.at + fields.fields[k].value.length <= fields.length,
                  "a field lies outside of its list")
        check(fields.length <= limit, "a list passes its bound")
        list_free(&budget, &fields)
        check(budget.used == hpack_footprint(&table), "a table's memory is miscounted")
        if data[0] & 4 and i == 2:
            hpack_forget(&budget, &table)
        start = end
    hpack_free(&budget, &table)
    return check(budget.used == 0, "a table leaves memory behind")


# Records

cdef Exchange* new_exchange(Batch batch) except NULL:
    cdef Exchange* exchange = batch_add(batch)
    exchange.client[10] = exchange.client[11] = exchange.server[10] = exchange.server[11] = 0xFF
    exchange.family = 4
    exchange.sampled = 1
    exchange.protocol = PROTOCOL_HTTP1
    return exchange


cdef int put_section(Batch batch, Section* section, list lines, list more, Span* spans) except -1:
    """Field lines, then octets that *spans* are set to."""
    cdef bytes text = b"".join([name + value for name, value in lines]) + b"".join(more)
    cdef uint32_t at = 0, i = 0
    if not section_allocate(&batch.budget, section, <uint32_t>len(text), <uint32_t>len(lines)):
        raise MemoryError
    memcpy(section.text, <const char*>text, len(text))
    for name, value in lines:
        section.fields[i].name.at = at
        section.fields[i].name.length = <uint32_t>len(name)
        at += <uint32_t>len(name)
        section.fields[i].value.at = at
        section.fields[i].value.length = <uint32_t>len(value)
        at += <uint32_t>len(value)
        i += 1
    for i in range(len(more)):
        spans[i].at = at
        spans[i].length = <uint32_t>len(more[i])
        at += spans[i].length
    return 0


cdef int put_body(Batch batch, Message* message, bytes body) except -1:
    if not buffer_append(&batch.budget, &message.body, <const uint8_t*><const char*>body, <uint32_t>len(body)):
        raise MemoryError
    message.wire_body_size = len(body)
    return 0


CODINGS = (
    b"gzip", b"deflate", b"br", b"zstd", b"x-gzip", b"identity", b"gzip, br", b"br, gzip", b"deflate, gzip, zstd",
    b"GZIP ,, deflate", b"zstd,zstd", b"compress", b"", b"gzip, gzip, gzip, gzip, gzip, gzip",
    b"deflate, br", b"aws-chunked",
)
TRANSFERS = (b"gzip, chunked", b"chunked, gzip", b"chunked", b"deflate, chunked, gzip")


cdef int target_coding(const uint8_t* data, size_t size) except -1:
    """Which codings are claimed, the bound; then the body."""
    cdef Batch batch = Batch()
    cdef Exchange* exchange
    cdef Span spans[3]
    cdef size_t bound
    if size < 2:
        return 0
    exchange = new_exchange(batch)
    exchange.response.present = exchange.response.complete = 1
    lines = [(b"Content-Encoding", CODINGS[data[0] & 15])]
    if data[0] & 16:
        lines.append((b"Transfer-Encoding", TRANSFERS[data[0] >> 5 & 3]))
    if data[0] & 128:
        lines.append((b"Content-Type", b"application/json"))
    put_section(batch, &exchange.response.head, lines, [], spans)
    put_body(batch, &exchange.response, data[2:size])
    bound = <size_t>1 << (data[1] & 15) << 4
    exchange.response.truncated = data[1] >> 7
    batch.decode(bound, 1 << 20)
    check(exchange.response.body.length <= bound or exchange.response.body.length <= size, "a body passes its bound")
    return check(exchange_footprint(exchange) == batch.budget.used, "a body's memory is miscounted")


cdef int target_encode(const uint8_t* data, size_t size) except -1:
    """Ten octets of numbers, then texts with 0xFF behind each: method, target, scheme, authority, reason, two
    bodies, then names and values."""
    cdef Batch batch = Batch()
    cdef Exchange* exchange
    cdef Span spans[4]
    cdef list texts, lines
    if size < 10:
        return 0
    texts = (<bytes>data[10:size]).split(b"\xff")
    texts += [b""] * (7 - len(texts))
    lines = list(zip(texts[7::2], texts[8::2]))
    exchange = new_exchange(batch)
    exchange.protocol = (PROTOCOL_HTTP1, PROTOCOL_HTTP2, PROTOCOL_WEBSOCKET)[data[0] % 3]
    exchange.family = 6 if data[0] & 64 else 4
    if data[0] & 64:
        memcpy(exchange.client, data, 10)
    exchange.encrypted = data[0] >> 7
    exchange.incomplete = data[1] % 14
    exchange.grpc = data[2]
    exchange.interim = data[3]
    exchange.weight = (1.0, 0.0, 1e300, -1.0)[data[4] & 3]
    exchange.request.present = data[5] & 1
    exchange.response.present = data[5] >> 1 & 1
    exchange.request.truncated = data[5] >> 2 & 1
    exchange.response.truncated = data[5] >> 3 & 1
    exchange.request.complete = data[5] >> 4 & 1
    exchange.response.complete = data[5] >> 5 & 1
    exchange.request.content_decoded = exchange.response.content_decoded = data[5] >> 6 & 1
    exchange.response.status = <uint16_t>(data[6] << 8 | data[7])
    exchange.request.anomalies = data[8]
    exchange.request.missing_bytes = data[9]
    exchange.request.version_major = data[3] & 3
    exchange.request.version_minor = data[4] >> 4
    exchange.response.data_messages = data[9]
    if exchange.request.present:
        put_section(batch, &exchange.request.head, lines[:len(lines) // 2], texts[:4], spans)
        exchange.request.method, exchange.request.target = spans[0], spans[1]
        if exchange.protocol == PROTOCOL_HTTP2:
            exchange.request.scheme, exchange.request.authority = spans[2], spans[3]
        put_body(batch, &exchange.request, texts[5])
    if exchange.response.present:
        put_section(batch, &exchange.response.head, lines[len(lines) // 2:], texts[4:5], spans)
        exchange.response.reason = spans[0]
        put_body(batch, &exchange.response, texts[6])
    exchange.footprint = exchange_footprint(exchange)
    examine(batch, 65536)
    batch.exchanges()
    return 0


# Masking

NAMES = ("password", "ssn", "Card-Number", "k")
cdef object BY_NAME = Redactor(NAMES)
cdef object BY_BOTH = Redactor(
    NAMES, [re2.compile(rb"[a-z0-9.]{1,20}@[a-z0-9.]{1,20}"), re2.compile(rb"\d{3}-?\d{2}-?\d{4}")])
cdef object BY_DEFAULT = Redactor(
    defaults=credentials.FIELDS, urls=(*credentials.URL_HEADERS, "cookie"), url_fields=("key",),
    redirect_fields=("code",), headers=credentials.HEADERS)
KINDS = (
    b"application/json", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=X", b"text/plain",
    b"application/xml", b"", b"application/x-ndjson", b"application/grpc", b"message/http", b"application/http",
    b"multipart/mixed; boundary=X", b"text/xml", b"text/html", b"text/json", b"a/x-form", b"application/soap+xml",
)


cdef int target_redact(const uint8_t* data, size_t size) except -1:
    """Content type; then what is body of the response and target of the request."""
    cdef Batch batch = Batch()
    cdef Exchange* exchange
    cdef Span spans[4]
    cdef bytes body, masked
    if size < 1:
        return 0
    body = data[1:size]
    exchange = new_exchange(batch)
    exchange.request.present = exchange.response.present = 1
    put_section(batch, &exchange.request.head, [(b"Cookie", body[:64])], [b"GET", body[:256]], spans)
    exchange.request.method, exchange.request.target = spans[0], spans[1]
    put_section(batch, &exchange.response.head, [(b"Content-Type", KINDS[data[0] & 15])], [], spans)
    put_body(batch, &exchange.response, body)
    exchange.response.truncated = data[0] >> 6 & 1
    (BY_BOTH if data[0] & 128 else BY_DEFAULT if data[0] & 32 else BY_NAME).redact(batch)
    masked = exchange.response.body.data[:exchange.response.body.length] if exchange.response.body.length else b""
    if not exchange.response.truncated:
        check(len(masked) == len(body), "masking changes the length")
    batch.exchanges()
    return 0


# What must be masked, however it is coded

cdef bytes CANARY = b"kanarienvogel"
CONTENT_CODINGS = (b"gzip", b"deflate", b"br", b"zstd")
TRANSFER_CODINGS = ((), (b"chunked",), (b"gzip", b"chunked"), (b"deflate", b"gzip", b"chunked"), (b"chunked", b"gzip"))
CHARSETS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
cdef object MESSAGE = (
    b"POST /i?access_token=%s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nCookie: s=%s\r\n\r\n"
    % (CANARY, CANARY, CANARY))


cdef bytes coded(bytes octets, bytes coding, int step):
    if coding == b"gzip":
        return gzip.compress(octets, 1)
    if coding == b"deflate":
        return zlib.compress(octets, 1)
    if coding == b"br":
        return brotli.compress(octets, quality=1)
    if coding == b"zstd":
        return zstandard.ZstdCompressor(1).compress(octets)
    pieces = [octets[at:at + step] for at in range(0, len(octets), step)]
    return b"".join([b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]) + b"0\r\n\r\n"


cdef tuple secret_body(int kind, str charset, str filler):
    """(Content-Type, body) with CANARY where it must be masked, between text that an input chose."""
    secret = CANARY.decode()
    if kind == 0 or kind == 1:
        value = {"a": filler, "password": secret, filler: [{"client_secret": secret}, filler], "b": 1}
        text = orjson.dumps(value).decode() if kind == 0 else json.dumps(value, indent=1)
        return b"application/json; charset=" + charset.encode(), text.encode(charset)
    if kind == 2:
        text = urlencode({"a": filler, "password": secret, "b" + filler: "1", "client_secret": secret})
        return b"application/x-www-form-urlencoded; charset=" + charset.encode(), text.encode(charset)
    if kind == 3:
        return b"message/http", MESSAGE.decode().encode(charset)
    if kind == 4:
        return b"application/http; msgtype=request", MESSAGE + filler.encode()
    part = orjson.dumps({"k": filler, "password": secret})
    return b"multipart/mixed; boundary=X", (
        b"--X\r\nContent-Type: application/http\r\n\r\n" + MESSAGE + b"\r\n--X\r\n"
        b"Content-Type: application/json\r\n\r\n" + part + b"\r\n--X--\r\n")


cdef int target_secrets(const uint8_t* data, size_t size) except -1:
    """Kind and charset, codings, side, lengths of chunks and segments; then text around the secrets."""
    cdef Engine engine
    cdef Talk talk
    cdef Batch batch
    cdef bytes whole, body, head, kind
    cdef int step, side
    if size < 6:
        return 0
    filler = (<bytes>data[6:min(size, 300)]).decode("latin-1").replace(CANARY.decode(), "")
    filler = "".join([c for c in filler if c.isprintable()])
    kind, body = secret_body(data[0] % 6, CHARSETS[data[1] & 7], filler)
    side = data[2] & 1
    step = 1 + data[4]
    contents = [CONTENT_CODINGS[data[2] >> 2 & 3]] * bool(data[2] & 2)
    contents += [CONTENT_CODINGS[data[2] >> 5 & 3]] * (data[2] >> 7)
    transfers = TRANSFER_CODINGS[data[3] % 5]
    if side == 0 and transfers and transfers[len(transfers) - 1] == b"gzip":
        transfers = ()                            # a request ends with chunked (RFC 9112 section 6.1)
    head = b"Content-Type: " + kind + b"\r\n"
    for coding in contents:
        body = coded(body, coding, step)
    for coding in transfers:
        body = coded(body, coding, step)
    if contents:
        head += b"Content-Encoding: " + b", ".join(contents) + b"\r\n"
    if transfers:
        head += b"Transfer-Encoding: " + b", ".join(transfers) + b"\r\n"
        if transfers[len(transfers) - 1] != b"chunked":
            head += b"Connection: close\r\n"
    else:
        head += b"Content-Length: %d\r\n" % len(body)
    if side:
        turns = ((0, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"), (1, b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body))
    else:
        turns = ((0, b"POST /a HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n" + body), (1, b"HTTP/1.1 204 No\r\n\r\n"))
    step = 16 + 8 * data[5]
    whole = b"".join([
        bytes((255, number)) + octets[at:at + step].replace(b"\xff", b"\xff\xff")
        for number, octets in turns for at in range(0, len(octets), step)
    ]) + b"\xff\x09\x11\xff\x08\x11\xff\x00"   # both ends: FIN, ACK
    engine = Engine()
    engine.state.hash_seed = 1
    talk = Talk()
    talk.data = whole
    talk.size = len(whole)
    talk.handshake = True
    while engine.pump(talk, 4096, 0) >= 0:
        pass
    engine.finish()
    batch = engine.take()
    batch.decode(1 << 20, 1 << 24)
    BY_DEFAULT.redact(batch)
    lines = batch.jsonl()
    check(CANARY not in lines and CANARY not in bytes(batch.otlp(RESOURCE)), "a secret leaves")
    encoded = (b"FuYXJpZW52b2dl", b"bmFyaWVudm9nZW", b"YW5hcmllbnZvZ2")
    check(not [1 for part in encoded if part in lines], "a secret leaves in base64")
    return check(batch.count == 1, "another number of exchanges than one")


# Capture files

cdef int FILE = os.memfd_create("capture", 0)
PATH = f"/proc/self/fd/{FILE}"


cdef void count_frame(void* context, const Frame* frame) noexcept nogil:
    cdef uint64_t* seen = <uint64_t*>context
    cdef uint32_t i
    for i in range(frame.captured_length):
        seen[1] += frame.data[i]
    seen[0] += 1


cdef int target_capture(const uint8_t* data, size_t size) except -1:
    """A capture file."""
    cdef uint64_t seen[2]
    cdef FrameSource source
    memset(seen, 0, sizeof(seen))
    if ftruncate(FILE, 0) or pwrite(FILE, data, size, 0) != <ssize_t>size:
        raise OSError("cannot write the file")
    try:
        source = FileSource(PATH)
    except CaptureFileError:
        return 0
    try:
        while source.pump(count_frame, seen, 64, 0) >= 0:
            pass
    except CaptureFileError:
        pass
    statistics = source.statistics()
    check(statistics.received == statistics.delivered + statistics.filtered, "records do not balance")
    check(statistics.delivered == seen[0], "frames are miscounted")
    check(sum(map(len, source.secrets)) == statistics.secrets_bytes, "secrets are miscounted")
    source.close()
    return 0


# The Satellite's readers of what others send

cdef uint64_t NOW = 1_700_000_000_000_000_000


cdef int target_spans(const uint8_t* data, size_t size) except -1:
    """A trace request. What protobuf reads of it, no more and no less, is what we read."""
    # Here and below, so that the sensor's targets do not load the Satellite.
    from levo.satellite.learn.trace import read_delivery
    from levo.wire.validation import count_spans
    from tests.helpers.protobuf_spans import read_traces

    cdef bytes octets = data[:size]
    try:
        expected = list(read_traces(ExportTraceServiceRequest.FromString(octets), "", NOW))
    except DecodeError:
        expected = None
    try:
        read = read_delivery(octets, "", NOW)[1]
    except ValueError:
        read = None
    counted = count_spans(octets)
    check(counted is None or (expected is not None and counted == len(expected)), "spans are miscounted")
    check(expected is None or read == expected, "traces are not those that protobuf reads")
    return 0


cdef int target_observe(const uint8_t* data, size_t size) except -1:
    """JSON bodies, 0xFF between them. Each by itself and then merged, they teach what they teach together."""
    from levo.satellite.learn.schema import Node, Observer, merge
    from levo.satellite.learn.schema.observe import text_format

    cdef bytes octets = data[:size]
    together, merged = Node(), Node()
    for body in octets.split(b"\xff"):
        try:
            value = orjson.loads(body)
        except ValueError:
            text_format(body.decode("utf-8", "surrogateescape"))
            continue
        alone = Node()
        for node in (alone, together):
            Observer(key=b"0123456789abcdef", path="/a").observe(node, value)
        merged = merge(merged, alone)
    check(merged == together, "learning apart and merging is not learning together")
    check(0 <= together.evidence <= together.objects, "more different objects than objects")
    return 0


cdef int target_stored(const uint8_t* data, size_t size) except -1:
    """What is stored of a place's messages. It is refused, or read and from then on the same."""
    from levo.satellite.learn.schema import DamagedKnowledge, Knowledge, pack_knowledge, unpack_knowledge

    cdef bytes row = data[:size]
    try:
        known = unpack_knowledge(row)
    except DamagedKnowledge:
        return 0
    octets = pack_knowledge(known)
    again = unpack_knowledge(octets)
    check(again == known and pack_knowledge(again) == octets, "what is written is not what was read")
    together = Knowledge()
    together.absorb(known)
    together.absorb(again)
    pack_knowledge(together)
    return 0


ctypedef int (*Target)(const uint8_t*, size_t) except -1

cdef Target target = NULL


cdef int run(const uint8_t* data, size_t size) noexcept:
    try:
        target(data, size)
    except BaseException:
        traceback.print_exc()
        abort()
    return 0


def _unraisable(problem):
    traceback.print_exception(problem.exc_type, problem.exc_value, problem.exc_traceback)
    sys.stderr.write(f"fuzz: an exception was ignored in {problem.object!r}\n")
    abort()


cdef int choose(str name) except -1:
    """Raises ValueError when there is no target of that name."""
    global target
    if name == "frame":
        target = target_frame
    elif name == "tcp":
        target = target_tcp
    elif name == "networks":
        target = target_networks
    elif name == "hops":
        target = target_hops
    elif name == "secrets":
        target = target_secrets
    elif name in ("http1", "cut", "clocks", "fastcgi", "http2", "proxy", "tls"):
        target = target_talk
    elif name == "sealed":
        target = target_sealed
    elif name == "websocket":
        target = target_websocket
    elif name == "hpack":
        target = target_hpack
    elif name == "coding":
        target = target_coding
    elif name == "encode":
        target = target_encode
    elif name == "redact":
        target = target_redact
    elif name == "capture":
        target = target_capture
    elif name == "spans":
        target = target_spans
    elif name == "observe":
        target = target_observe
    elif name == "stored":
        target = target_stored
    else:
        raise ValueError(f"no target {name!r}")
    return 0


def play(str name, bytes octets):
    """Run one input. Raises ``Finding``, or whatever else goes wrong."""
    cdef uint8_t* block = <uint8_t*>malloc(len(octets) + 1)
    choose(name)
    memcpy(block, <const char*>octets, len(octets))
    try:
        target(block, len(octets))
    finally:
        free(block)


def entry(str name):
    """Address of the C function that runs the target of that name."""
    choose(name)
    sys.unraisablehook = _unraisable
    return <uintptr_t><void*>run
