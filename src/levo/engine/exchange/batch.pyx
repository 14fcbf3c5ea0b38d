"""Batches of finished exchanges: what leaves the engine, and what every output is given.

A batch owns its records, and its life goes one way: ``attach`` says what is to be done to exchanges before
anybody reads them; ``process`` does it, in order and once, whoever asks and however often; then they are read;
then ``release``d. Reading processes first what it is about to read, so a lone reader masks piece by piece on the
core that encodes. Any number of threads may read at the same time. The encoders run without the GIL.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.pythread cimport (
    NOWAIT_LOCK,
    WAIT_LOCK,
    PyThread_acquire_lock,
    PyThread_allocate_lock,
    PyThread_free_lock,
    PyThread_get_thread_ident,
    PyThread_release_lock,
)
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

import ipaddress
from copy import copy

from levo.engine.exchange.coding cimport Inflater, decode_message, inflater_free, inflater_new
from levo.engine.exchange.grpc_web cimport may_be_grpc_web, read_grpc_web
from levo.engine.core.exchange cimport (
    Facts,
    address_text,
    client_family,
    exchange_facts,
    exchange_footprint,
    exchange_free,
    exchange_new,
    fetch_ahead,
    is_status,
    section_allocate,
    section_text,
)
from levo.engine.encode.jsonl cimport jsonl_encode
from levo.engine.core.memory cimport buffer_append, leave_spares, set_limit, take
from levo.engine.encode.otlp cimport otlp_encode
from levo.engine.core.output cimport Output, Text, output_free
from levo.engine.core.types cimport (
    ANOMALY_COUNT,
    GRPC_ANSWERED_COMPRESSED,
    GRPC_ASKED_COMPRESSED,
    GRPC_CALL,
    PROTOCOL_HTTP1,
    PROTOCOL_HTTP2,
    PROTOCOL_WEBSOCKET,
    Exchange,
    Hop,
    Message,
    Pool,
    Section,
    Span,
)

from levo.model.exchange import ANOMALIES, DIRECTIONS, GRPC_STREAMING, HOPS, INCOMPLETE_REASONS
from levo.model.exchange import Address as _Address
from levo.model.exchange import Exchange as _Exchange
from levo.model.exchange import Request as _Request
from levo.model.exchange import Response as _Response


cdef class Batch:
    """A chain of finished exchanges in order of completion. ``Batch()`` is empty."""

    def __cinit__(self):
        set_limit(&self.budget, INT64_MAX, 0)

    def __dealloc__(self):
        self._free(<size_t>-1)
        free(self.marks)
        if self.lock != NULL:
            PyThread_free_lock(self.lock)

    def __len__(self):
        return self.count

    def __repr__(self):
        return f"Batch({self.count} exchanges, {self.budget.used} octets)"

    @property
    def nbytes(self) -> int:
        """Octets of memory that the records take."""
        return self.budget.used

    def decode(
        self, size_t max_body_bytes=10_000_000, size_t max_growth_bytes=64_000_000, size_t start=0, stop=None
    ) -> int:
        """Undo content codings (``levo.engine.exchange.coding``): for a finisher, which comes before every reader.

        *max_body_bytes* bounds one body, *max_growth_bytes* what all bodies may grow by together; once it is used
        up, each further coded body is decoded to no more than 64 KiB. *start* and *stop* choose a slice by position.

        Returns how many bodies a bound has cut.
        """
        cdef size_t end = self.count if stop is None or stop > self.count else stop
        cdef size_t left = end - start if end > start else 0
        cdef Exchange* exchange = <Exchange*>self._from(start)
        cdef Inflater* inflater = inflater_new()
        cdef size_t growth = max_growth_bytes if max_growth_bytes < <size_t>1 << 40 else <size_t>1 << 40
        cdef int64_t limit = self.budget.used + <int64_t>growth
        cdef size_t place = start
        cdef int cut = 0
        if inflater == NULL:
            raise MemoryError
        if self.marks == NULL and left == self.count:
            self.marks = <Exchange**>calloc(self.count // MARK_EVERY + 1, sizeof(Exchange*))
        with nogil:
            while exchange != NULL and left:
                left -= 1
                fetch_ahead(exchange)
                if self.marks != NULL and place % MARK_EVERY == 0:
                    self.marks[place // MARK_EVERY] = exchange
                place += 1
                cut += decode_message(&self.budget, inflater, &exchange.request, self._bound(limit, max_body_bytes))
                cut += decode_message(&self.budget, inflater, &exchange.response, self._bound(limit, max_body_bytes))
                if may_be_grpc_web(&exchange.response.body) or may_be_grpc_web(&exchange.request.body):
                    read_grpc_web(&self.budget, exchange)
                exchange.footprint = exchange_footprint(exchange)
                exchange = exchange.next
            inflater_free(inflater)
        return cut

    cdef size_t _bound(self, int64_t limit, size_t max_size) noexcept nogil:
        """How large the next body may become."""
        return max_size if self.budget.used < limit or max_size < 65536 else 65536

    def otlp(self, bytes resource, size_t start=0, stop=None, *, str scope_version="") -> memoryview:
        """An ``ExportTraceServiceRequest``, one span per exchange (``levo.engine.encode.otlp``); empty for no exchange.

        *resource* comes from ``levo.wire.resource``. *start* and *stop* choose a slice by position, half open.

        Raises:
            MemoryError: the output does not fit.
        """
        cdef bytes version = scope_version.encode("utf-8")
        cdef Text resource_text, version_text
        cdef Output out
        cdef size_t front, end = self.count if stop is None or stop > self.count else stop
        resource_text.data = <const uint8_t*><const char*>resource
        resource_text.length = <uint32_t>len(resource)
        version_text.data = <const uint8_t*><const char*>version
        version_text.length = <uint32_t>len(version)
        memset(&out, 0, sizeof(Output))
        self._process(end)
        with nogil:
            front = otlp_encode(self._from(start), end - start if end > start else 0, resource_text, version_text, &out)
        return _encoded(&out, front)

    def jsonl(self, size_t start=0, stop=None) -> bytes:
        """One JSON object per line, each line ended (``levo.engine.encode.jsonl``); *start* and *stop* as for ``otlp``.

        Raises:
            MemoryError: the output does not fit.
        """
        cdef Output out
        cdef size_t end = self.count if stop is None or stop > self.count else stop
        cdef size_t count = end - start if end > start else 0
        memset(&out, 0, sizeof(Output))
        self._process(end)
        with nogil:
            jsonl_encode(self._from(start), count, &out)
        return bytes(_encoded(&out, 0))

    def attach(self, finisher=None, *, bint sole=False) -> None:
        """Say once, before the first reader, what is to be done to exchanges before they are read.

        *finisher* is called with this batch and two positions; it changes the exchanges between them and reads
        none. *sole*: there is one reader, and what it ``release``s may go at once.

        Raises:
            ValueError: the batch has a finisher.
        """
        if self.finisher is not None:
            raise ValueError("a batch has one finisher")
        self.sole = sole
        if finisher is not None:
            self.lock = PyThread_allocate_lock()
            if self.lock == NULL:
                raise MemoryError
            self.finisher = finisher

    def process(self, stop=None) -> None:
        """Do what was ``attach``ed to the exchanges before position *stop*, or to all. Idempotent; for any thread.

        Every method that reads does this first. What could not be processed is never read: whoever asks for it
        gets the finisher's error, which is not called again.
        """
        self._process(self.count if stop is None else stop)

    cdef int _process(self, size_t stop) except -1:
        # Some more than are asked for: calling *finisher* costs as much as a dozen exchanges.
        stop = (stop + PROCESSED_TOGETHER - 1) // PROCESSED_TOGETHER * PROCESSED_TOGETHER
        if stop > self.count:
            stop = self.count
        if self.finisher is None or self.processed >= stop:
            return 0
        if self.holder == PyThread_get_thread_ident():
            raise RuntimeError("a finisher reads the batch that it is to finish")
        if not PyThread_acquire_lock(self.lock, NOWAIT_LOCK):
            with nogil:
                PyThread_acquire_lock(self.lock, WAIT_LOCK)
        self.holder = PyThread_get_thread_ident()
        try:
            self._process_alone(stop)
        finally:
            self.holder = 0
            PyThread_release_lock(self.lock)
        return 0

    cdef int _process_alone(self, size_t stop) except -1:
        if self.processed < self.released:
            self.processed = self.released
        if self.processed >= stop:
            return 0
        if self.failure is not None:
            raise copy(self.failure)
        try:
            self.finisher(self, self.processed, stop)
        except BaseException as error:
            self.failure = copy(error)  # a traceback would keep this batch alive
            raise
        self.processed = stop
        return 0

    def release(self, size_t stop) -> None:
        """The reader needs no exchange before position *stop* again. Does nothing unless it is the *sole* one.

        They are freed while the cache holds them, rather than all together when they are cold.
        """
        if self.sole and stop > self.released:
            self._free(stop - self.released)

    cdef void _free(self, size_t count) noexcept:
        cdef Exchange* exchange = self.first
        cdef Exchange* after
        while exchange != NULL and count:
            after = exchange.next
            exchange_free(&self.budget, exchange)
            exchange = after
            self.released += 1
            count -= 1
        self.first = exchange
        if exchange == NULL:
            self.last = NULL
        leave_spares(self.budget.pool, &self.budget.spares)

    cdef const Exchange* _from(self, size_t start) noexcept nogil:
        """The exchange at that position; NULL behind the last. Those that were released are not asked for again."""
        cdef const Exchange* exchange = self.first
        cdef size_t skipped = start - self.released
        if start < self.released:
            return NULL
        if self.marks != NULL and start < self.count and start // MARK_EVERY * MARK_EVERY >= self.released:
            exchange = self.marks[start // MARK_EVERY]
            skipped = start % MARK_EVERY
        while skipped and exchange != NULL:
            exchange = exchange.next
            skipped -= 1
        return exchange

    def exchanges(self) -> list:
        """The exchanges as ``levo.model.exchange.Exchange``, in order."""
        cdef list values = []
        cdef Exchange* exchange
        self._process(self.count)
        exchange = self.first
        while exchange != NULL:
            values.append(_value(exchange))
            exchange = exchange.next
        return values

    @staticmethod
    def build(exchanges) -> Batch:
        """The inverse of ``exchanges``: records made from values. Times of a message lie in the message.

        ``scheme``, ``host``, ``path`` and ``query`` follow from target and fields afterwards; ``host`` is kept
        as authority where no Host field and no absolute target gives it.

        Raises:
            ValueError: an address, version, reason or anomaly is none.
        """
        cdef Batch batch = Batch()
        cdef Exchange* exchange
        cdef size_t place = 0
        for value in exchanges:
            place += 1
            exchange = batch_add(batch)
            _fill(&batch.budget, exchange, value)
            exchange.request.stream_start = exchange.response.stream_start = place
            exchange.footprint = exchange_footprint(exchange)
        return batch


cdef Exchange* batch_add(Batch batch) except NULL:
    """An empty exchange at the end of *batch*, which owns it."""
    cdef Exchange* exchange = exchange_new(&batch.budget)
    if exchange == NULL:
        raise MemoryError
    if batch.last == NULL:
        batch.first = exchange
    else:
        batch.last.next = exchange
        exchange.previous = batch.last
    batch.last = exchange
    batch.count += 1
    return exchange


cdef Batch batch_adopt(Exchange* first, Exchange* last, size_t count, int64_t octets, Pool* pool):
    """A batch that owns the *count* exchanges chained from *first* to *last*, whose footprints sum to *octets*.

    The caller's budget no longer counts them; *pool* is that budget's. Looks at none of them: they are cold by now.
    """
    cdef Batch batch = Batch()
    batch.first = first
    batch.last = last
    batch.count = count
    batch.budget.used = octets
    batch.budget.pool = pool
    return batch


cdef class _Encoded:
    """What an encoder has written, without a copy. Read through a memoryview, which keeps it alive."""

    cdef Output out
    cdef size_t start

    def __dealloc__(self):
        output_free(&self.out)

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self.out.data + self.start, <Py_ssize_t>(self.out.length - self.start), 1, flags)  # no-cython-lint


cdef object _encoded(Output* out, size_t start):
    """The octets of *out* from *start* on; *out* is freed with them. MemoryError if it failed."""
    cdef _Encoded encoded = _Encoded()
    encoded.out = out[0]
    encoded.start = start
    if encoded.out.failed:
        raise MemoryError("no memory to encode a batch")
    return memoryview(encoded)


# Records to values.

cdef str _str(Text text):
    cdef bytes octets = text.data[:text.length] if text.length else b""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


cdef tuple _fields(const Section* section):
    cdef uint32_t i
    cdef list lines = []
    if section.fields != NULL:
        for i in range(section.field_count):
            lines.append((
                _str(section_text(section, section.fields[i].name)),
                _str(section_text(section, section.fields[i].value)),
            ))
    return tuple(lines)


cdef str _version(uint8_t major, uint8_t minor):
    return f"{major}.{minor}" if major < 2 else str(major)


cdef dict _message(const Message* message):
    cdef int bit
    return {
        "headers": _fields(&message.head),
        "trailers": _fields(&message.trailers),
        "body": <bytes>message.body.data[:message.body.length] if message.body.length else b"",
        "body_size": message.body.length if message.content_decoded else message.wire_body_size,
        "wire_body_size": message.wire_body_size,
        "truncated": message.truncated != 0,
        "missing_bytes": message.missing_bytes,
        "decoded": message.content_decoded != 0,
        "complete": message.complete != 0,
        "version": _version(message.version_major, message.version_minor),
        "start_ns": message.start_ns,
        "head_ns": message.head_ns,
        "end_ns": message.end_ns,
        "data_messages": message.data_messages,
        "data_message_bytes": message.data_message_bytes,
        "text_messages": message.text_messages,
        "control_frames": message.control_frames,
        "anomalies": tuple([ANOMALIES[bit] for bit in range(ANOMALY_COUNT) if message.anomalies >> bit & 1]),
    }


cdef object _value(const Exchange* exchange):
    cdef Facts facts
    cdef char address[46]
    cdef uint32_t length
    request = response = peer = None
    exchange_facts(exchange, &facts)
    if exchange.proxied:
        length = address_text(exchange.peer, exchange.family, address)
        peer = _Address(address[:length].decode("ascii"), exchange.peer_port)
    length = address_text(exchange.client, client_family(exchange), address)
    client = _Address(address[:length].decode("ascii"), exchange.client_port)
    length = address_text(exchange.server, exchange.family, address)
    server = _Address(address[:length].decode("ascii"), exchange.server_port)
    if exchange.request.present:
        request = _Request(
            method=_str(facts.method),
            target=_str(facts.target),
            scheme=_str(facts.scheme),
            host=_str(facts.host),
            path=_str(facts.path),
            query=_str(facts.query),
            **_message(&exchange.request),
        )
    if exchange.response.present:
        response = _Response(
            status=exchange.response.status,
            reason=_str(section_text(&exchange.response.head, exchange.response.reason)),
            **_message(&exchange.response),
        )
    if exchange.protocol == PROTOCOL_WEBSOCKET:
        protocol = "websocket"
    else:
        protocol = "http/" + _version(facts.version_major, facts.version_minor)
    return _Exchange(
        client=client,
        server=server,
        peer=peer,
        direction=DIRECTIONS[exchange.heading & 3],
        request=request,
        response=response,
        start_ns=facts.start_ns,
        end_ns=facts.end_ns,
        protocol=protocol,
        weight=exchange.weight,
        incomplete=INCOMPLETE_REASONS[exchange.incomplete - 1] if 1 <= exchange.incomplete <= 12 else None,
        stream_id=exchange.stream_id,
        interim=exchange.interim,
        hop=HOPS[exchange.hop.side] if exchange.hop != NULL else "",
        hops_merged=exchange.hop.merged if exchange.hop != NULL else 0,
        grpc=exchange.grpc != 0,
        grpc_streaming=GRPC_STREAMING[exchange.grpc >> 1 & 3],
        grpc_compressed=exchange.grpc & (GRPC_ASKED_COMPRESSED | GRPC_ANSWERED_COMPRESSED) != 0,
    )


# Values to records.

cdef bytes _octets(str text):
    """Octets of a name or value. Octets that are no UTF-8 may be given as Python's surrogate escapes."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


cdef class _Writer:
    """Lays out one section: its text, and where each piece of it went."""

    cdef list pieces
    cdef size_t at

    def __cinit__(self):
        self.pieces = []
        self.at = 0

    cdef Span add(self, bytes piece):
        cdef Span span
        span.at = <uint32_t>self.at
        span.length = <uint32_t>len(piece)
        self.pieces.append(piece)
        self.at += len(piece)
        if self.at > 0x3FFFFFFF:
            raise ValueError("a header section above 1 GiB")
        return span


cdef int _write_section(Budget* budget, Section* section, _Writer writer, lines) except -1:
    cdef uint32_t i = 0
    cdef Span name, value
    cdef bytes text
    cdef list pairs = [(writer.add(_octets(key)), writer.add(_octets(content))) for key, content in lines]
    text = b"".join(writer.pieces)
    if not pairs and not text:
        return 0
    if not section_allocate(budget, section, <uint32_t>len(text), <uint32_t>len(pairs)):
        raise MemoryError
    memcpy(section.text, <const char*>text, len(text))
    for name, value in pairs:
        section.fields[i].name = name
        section.fields[i].value = value
        i += 1
    return 0


cdef int _set_version(Message* message, str version) except -1:
    major, _, minor = version.partition(".")
    if not (major.isdecimal() and len(major) < 3 and (not minor or (minor.isdecimal() and len(minor) < 3))):
        raise ValueError(f"not an HTTP version: {version!r}")
    message.version_major = <uint8_t>int(major)
    message.version_minor = <uint8_t>(int(minor) if minor else 0)
    return 0


cdef int _fill_message(Budget* budget, Message* message, value) except -1:
    cdef bytes body = value.body
    cdef uint16_t anomalies = 0
    if len(body) > 0x7FFFFFFF:
        raise ValueError("a body above 2 GiB")
    _write_section(budget, &message.trailers, _Writer(), value.trailers)
    if not buffer_append(budget, &message.body, <const uint8_t*><const char*>body, <uint32_t>len(body)):
        raise MemoryError
    for name in value.anomalies:
        anomalies |= 1 << ANOMALIES.index(name)
    _set_version(message, value.version)
    message.anomalies = anomalies
    message.present = 1
    message.complete = value.complete
    message.truncated = value.truncated
    message.content_decoded = value.decoded
    message.missing_bytes = value.missing_bytes
    message.wire_body_size = value.wire_body_size
    message.start_ns = value.start_ns
    message.head_ns = value.head_ns
    message.end_ns = value.end_ns
    message.data_messages = value.data_messages
    message.data_message_bytes = value.data_message_bytes
    message.text_messages = value.text_messages
    message.control_frames = value.control_frames
    return 0


cdef int _set_address(uint8_t* out, int* family, text) except -1:
    address = ipaddress.ip_address(text or "0.0.0.0")
    cdef bytes packed = address.packed
    if address.version == 4:
        memcpy(out + 12, <const char*>packed, 4)
        out[10] = out[11] = 0xFF
        family[0] = 4
    else:
        memcpy(out, <const char*>packed, 16)
        family[0] = 6
    return 0


cdef int _fill(Budget* budget, Exchange* exchange, value) except -1:
    cdef _Writer writer
    cdef Message* message
    cdef int its_family = 4, peer_family = 4, server_family = 4
    _set_address(exchange.client, &its_family, value.client.address)
    _set_address(exchange.server, &server_family, value.server.address)
    if value.peer is not None:
        _set_address(exchange.peer, &peer_family, value.peer.address)
        exchange.peer_port = value.peer.port
        exchange.proxied = <uint8_t>its_family
        its_family = peer_family
    exchange.heading = <uint8_t>DIRECTIONS.index(value.direction)
    exchange.family = 6 if 6 in (its_family, server_family) else 4
    exchange.client_port = value.client.port
    exchange.server_port = value.server.port
    exchange.weight = value.weight
    if value.hop or value.hops_merged:
        exchange.hop = <Hop*>take(budget, sizeof(Hop))
        if exchange.hop == NULL:
            raise MemoryError
        memset(exchange.hop, 0, sizeof(Hop))
        exchange.hop.side = <uint8_t>HOPS.index(value.hop)
        exchange.hop.merged = value.hops_merged
    exchange.stream_id = value.stream_id
    exchange.interim = value.interim
    if value.grpc:
        exchange.grpc = GRPC_CALL | <uint8_t>(GRPC_STREAMING.index(value.grpc_streaming) << 1)
        if value.grpc_compressed:
            exchange.grpc |= GRPC_ASKED_COMPRESSED
    exchange.sampled = 1
    if value.incomplete is not None:
        exchange.incomplete = <uint8_t>(INCOMPLETE_REASONS.index(value.incomplete) + 1)
    if value.protocol == "websocket":
        exchange.protocol = PROTOCOL_WEBSOCKET
    else:
        exchange.protocol = PROTOCOL_HTTP2 if value.protocol.startswith("http/2") else PROTOCOL_HTTP1
    if value.request is not None:
        message = &exchange.request
        writer = _Writer()
        message.method = writer.add(_octets(value.request.method))
        message.target = writer.add(_octets(value.request.target))
        _fill_message(budget, message, value.request)
        if exchange.protocol == PROTOCOL_HTTP2:
            message.scheme = writer.add(_octets(value.request.scheme))
        else:
            exchange.encrypted = value.request.scheme == "https"
        if value.request.host and (exchange.protocol == PROTOCOL_HTTP2 or value.request.header("host") is None):
            message.authority = writer.add(_octets(value.request.host))
        _write_section(budget, &message.head, writer, value.request.headers)
    if value.response is not None:
        message = &exchange.response
        writer = _Writer()
        message.status = value.response.status if is_status(value.response.status) else 0
        message.reason = writer.add(_octets(value.response.reason))
        _fill_message(budget, message, value.response)
        _write_section(budget, &message.head, writer, value.response.headers)
    if value.request is None or value.request.start_ns == 0:
        _default_times(exchange, value)
    return 0


cdef int _default_times(Exchange* exchange, value) except -1:
    """Messages without times of their own take those of the exchange."""
    if value.request is not None:
        exchange.request.start_ns = exchange.request.head_ns = exchange.request.end_ns = value.start_ns
    if value.response is not None and value.response.start_ns == 0:
        exchange.response.start_ns = exchange.response.head_ns = value.start_ns
        exchange.response.end_ns = value.end_ns
    return 0
