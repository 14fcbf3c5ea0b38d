"""gRPC-Web (grpc/grpc, doc/PROTOCOL-WEB.md): the messages of a call, and the trailers that end its response.

A browser cannot read the trailers of HTTP, so the status of a call is in a last frame of the response's content, with
0x80 in its flags. Content of ``application/grpc-web-text`` is base64, in pieces that may each have their own padding.
What a body says is put where HTTP/2 has it: base64 is undone, and the trailers leave the body, so that they are masked
as field lines; messages and the octets in them are counted.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset

from levo.engine.core.exchange cimport section_allocate, section_find, section_text
from levo.engine.core.memory cimport buffer_free, buffer_reserve
from levo.engine.core.network_order cimport be32
from levo.engine.core.output cimport Text, equals_lower
from levo.engine.core.types cimport (
    GRPC_ASKED_COMPRESSED,
    GRPC_CALL,
    GRPC_CLIENT_STREAMS,
    Budget,
    Buffer,
    Exchange,
    Field,
    Message,
    Section,
)

cdef enum:
    MOST_TRAILERS = 64
    LONGEST_TRAILERS = 65536


cdef enum Kind:
    NOT_GRPC_WEB = 0
    BINARY = 1
    TEXT = 2


cdef Kind kind_of(const Message* message) noexcept nogil:
    """What its Content-Type says: ``application/grpc-web``, ``application/grpc-web-text``, with a suffix or not."""
    cdef Field* field
    cdef Text value
    if not message.present:
        return NOT_GRPC_WEB
    field = section_find(&message.head, b"content-type", 12)
    if field == NULL:
        return NOT_GRPC_WEB
    value = section_text(&message.head, field.value)
    if value.length < 20 or not equals_lower(value.data, <const uint8_t*>b"application/grpc-web", 20):
        return NOT_GRPC_WEB
    if value.length >= 25 and equals_lower(value.data + 20, <const uint8_t*>b"-text", 5):
        return TEXT
    return BINARY


cdef void read_grpc_web(Budget* budget, Exchange* exchange) noexcept nogil:
    """Note what the bodies of a call say; does nothing where neither message is gRPC-Web."""
    cdef Kind asked = kind_of(&exchange.request), answered = kind_of(&exchange.response)
    cdef bint counts = not exchange.grpc          # else HTTP/2 has counted
    if asked != NOT_GRPC_WEB:
        read_body(budget, exchange, 0, asked, counts)
    if answered != NOT_GRPC_WEB:
        read_body(budget, exchange, 1, answered, counts)


cdef void read_body(Budget* budget, Exchange* exchange, int side, Kind kind, bint counts) noexcept nogil:
    cdef Message* message = &exchange.request if side == 0 else &exchange.response
    cdef uint32_t length = message.body.length
    cdef Buffer plain
    exchange.grpc |= GRPC_CALL
    if message.missing_bytes and message.body_gap_at < length:
        length = message.body_gap_at
    memset(&plain, 0, sizeof(Buffer))
    if kind == TEXT and length and buffer_reserve(budget, &plain, length):
        if from_base64(message.body.data, length, &plain):
            message.truncated |= length < message.body.length
            length = plain.length
            buffer_free(budget, &message.body)
            message.body = plain
            message.content_decoded = 1
            kind = BINARY
        else:
            buffer_free(budget, &plain)
    if kind == BINARY:
        read_frames(budget, exchange, side, length, counts)


cdef void read_frames(Budget* budget, Exchange* exchange, int side, uint32_t length, bint counts) noexcept nogil:
    """Frames up to the end, or to one that is not whole: its length counts, as it was announced."""
    cdef Message* message = &exchange.request if side == 0 else &exchange.response
    cdef const uint8_t* data = message.body.data
    cdef uint32_t at = 0, size
    cdef uint8_t flags
    while length - at >= 5:
        flags = data[at]
        size = be32(data + at + 1)
        if flags & 0x7E:
            return
        at += 5
        if flags & 0x80:
            if side == 1 and not flags & 1 and size == message.body.length - at and (
                read_trailers(budget, &message.trailers, data + at, size)
            ):
                message.body.length = at - 5
            return
        elif counts:
            message.data_messages += 1
            message.data_message_bytes += size
            if message.data_messages == 2:
                exchange.grpc |= <uint8_t>(GRPC_CLIENT_STREAMS << side)
            if flags & 1:
                exchange.grpc |= <uint8_t>(GRPC_ASKED_COMPRESSED << side)
        if size > length - at:
            return
        at += size


cdef bint read_trailers(Budget* budget, Section* section, const uint8_t* data, uint32_t length) noexcept nogil:
    """Field lines, ``name: value``, each with its line end. False where they are none, or too many to keep."""
    cdef uint32_t at = 0, count = 0, end, colon, i
    cdef Field* field
    if section.text != NULL or length == 0 or length > LONGEST_TRAILERS:
        return False
    for i in range(length):
        count += data[i] == c"\n"
    if count >= MOST_TRAILERS or not section_allocate(budget, section, length, count + 1):
        return False
    memcpy(section.text, data, length)
    count = 0
    while at < length:
        end = at
        while end < length and data[end] != c"\n":
            end += 1
        colon = at
        while colon < end and data[colon] != c":":
            colon += 1
        if at < colon < end:
            field = section.fields + count
            count += 1
            field.name.at = at
            field.name.length = colon - at
            colon += 1
            while colon < end and (data[colon] == c" " or data[colon] == c"\t"):
                colon += 1
            i = end
            while i > colon and data[i - 1] <= 32:
                i -= 1
            field.value.at = colon
            field.value.length = i - colon
        at = end + 1
    section.field_count = count
    return True


cdef inline int sextet(uint8_t octet) noexcept nogil:
    """The value of a digit of base64 (RFC 4648 section 4); -1 for any other octet."""
    if c"A" <= octet <= c"Z":
        return octet - c"A"
    if c"a" <= octet <= c"z":
        return octet - c"a" + 26
    if c"0" <= octet <= c"9":
        return octet - c"0" + 52
    if octet == c"+":
        return 62
    return 63 if octet == c"/" else -1


cdef bint from_base64(const uint8_t* data, uint32_t length, Buffer* out) noexcept nogil:
    """Decode pieces that follow each other, each padded or not, into *out*, which has room; False: not base64."""
    cdef uint32_t i, bits = 0, held = 0
    cdef int value
    for i in range(length):
        if data[i] == c"=":
            held = 0                              # the piece ends here: what is left of it are padding bits
            bits = 0
            continue
        value = sextet(data[i])
        if value < 0:
            if data[i] <= 32:
                continue
            return False
        bits = bits << 6 | <uint32_t>value
        held += 6
        if held >= 8:
            held -= 8
            out.data[out.length] = <uint8_t>(bits >> held)
            bits &= (<uint32_t>1 << held) - 1
            out.length += 1
    return True
