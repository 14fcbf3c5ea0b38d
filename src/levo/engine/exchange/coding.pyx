"""Content and transfer codings (RFC 9110 section 8.4, RFC 9112 section 7): gzip, deflate, br, zstd, undone in place.

Codings are undone from the last one listed to the first. The label is a hint and the octets decide, as in
browsers: each coding has a reader that answers what it found.

* ``FULL``: the whole coding was read. Octets behind its end are ignored; so are its checksums.
* ``PART``: the input breaks off or turns wrong; what came out before is kept and the body marked truncated.
* ``LIMIT``: the output bound was met; the body is cut there and marked truncated.
* ``NOT``: the octets are not of that coding. Another one is tried by its magic number, else they stay as they are.

gzip and deflate run in zlib, always as raw deflate behind headers that are read here: a wrong checksum, header
check or missing trailer cannot hide content. br and zstd run in their Python packages, which are handed small
pieces, so that output before an error is kept and output beyond the bound is never made.

Text in UTF-16 or UTF-32 becomes UTF-8 at last: nobody could find a name in it otherwise.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

import brotli
import zstandard

from levo.engine.core.exchange cimport section_find, section_text
from levo.engine.core.memory cimport buffer_append, buffer_free, buffer_reserve
from levo.engine.core.output cimport Text, body_text_length, equals_lower, lower
from levo.engine.core.types cimport BODY_CHUNKED, Budget, Buffer, Field, Message

cdef extern from "zlib.h" nogil:
    ctypedef struct z_stream:
        uint8_t* next_in
        unsigned int avail_in
        unsigned long total_in
        uint8_t* next_out
        unsigned int avail_out
        unsigned long total_out
    int inflateInit2(z_stream* stream, int window_bits)
    int inflateReset(z_stream* stream)
    int inflate(z_stream* stream, int flush)
    int inflateEnd(z_stream* stream)
    int Z_OK, Z_STREAM_END, Z_NO_FLUSH, Z_BUF_ERROR

cdef enum:
    MAX_LAYERS = 5
    MAX_OUTPUT = 0x7F000000    # a Buffer counts in 32 bits

cdef enum Coding:
    CODING_UNKNOWN = 0
    CODING_IDENTITY = 1
    CODING_GZIP = 2
    CODING_DEFLATE = 3
    CODING_BR = 4
    CODING_ZSTD = 5
    CODING_CHUNKED = 6         # inside another transfer coding: the outermost one is framing

cdef enum Outcome:
    NOT = 0
    FULL = 1
    PART = 2
    LIMIT = 3

cdef struct Inflater:
    z_stream stream


cdef Inflater* inflater_new() noexcept nogil:
    """A zlib state, or NULL when memory is refused."""
    cdef Inflater* inflater = <Inflater*>calloc(1, sizeof(Inflater))
    if inflater != NULL and inflateInit2(&inflater.stream, -15) != Z_OK:
        free(inflater)
        return NULL
    return inflater


cdef void inflater_free(Inflater* inflater) noexcept nogil:
    if inflater != NULL:
        inflateEnd(&inflater.stream)
        free(inflater)


cdef Outcome inflate_raw(
    Budget* budget, Inflater* inflater, const uint8_t* data, uint32_t length, size_t max_size, Buffer* out,
    uint32_t* used
) noexcept nogil:
    """Append what the raw deflate stream (RFC 1951) at *data* holds; *used*: its octets, when it has an end."""
    cdef z_stream* stream = &inflater.stream
    cdef uint32_t before = out.length, room
    cdef size_t wanted
    cdef int answer
    inflateReset(stream)
    stream.next_in = <uint8_t*>data
    stream.avail_in = length
    used[0] = length
    while True:
        if out.length >= max_size:
            # At the bound: is there really more?
            room = 0
        else:
            if out.length == out.capacity:
                wanted = <size_t>out.capacity * 2 if out.capacity else <size_t>length * 4
                wanted = max_size if wanted > max_size else wanted if wanted > 512 else 512
                if wanted <= out.capacity:
                    wanted = max_size
                if not buffer_reserve(budget, out, <uint32_t>wanted):
                    return LIMIT
            room = out.capacity - out.length
            if room > max_size - out.length:
                room = <uint32_t>(max_size - out.length)
        if room == 0:
            return at_limit(stream, used, length)
        stream.next_out = out.data + out.length
        stream.avail_out = room
        answer = inflate(stream, Z_NO_FLUSH)
        out.length += room - stream.avail_out
        if answer == Z_STREAM_END:
            used[0] = length - stream.avail_in
            return FULL
        if answer != Z_OK and answer != Z_BUF_ERROR:
            return PART if out.length > before else NOT
        if stream.avail_out:              # all input taken, no end seen
            return PART


cdef Outcome at_limit(z_stream* stream, uint32_t* used, uint32_t length) noexcept nogil:
    """The bound is met: FULL when the stream ends exactly here, else LIMIT."""
    cdef uint8_t probe
    cdef int answer
    stream.next_out = &probe
    stream.avail_out = 1
    answer = inflate(stream, Z_NO_FLUSH)
    if answer == Z_STREAM_END and stream.avail_out:
        used[0] = length - stream.avail_in
        return FULL
    return PART if stream.avail_out else LIMIT


cdef inline bint is_gzip(const uint8_t* data, uint32_t length) noexcept nogil:
    return length >= 3 and data[0] == 0x1F and data[1] == 0x8B and data[2] == 8


cdef inline bint is_zlib(const uint8_t* data, uint32_t length) noexcept nogil:
    return (length >= 2 and data[0] & 15 == 8 and data[0] >> 4 <= 7 and data[1] & 0x20 == 0
            and (<uint32_t>data[0] << 8 | data[1]) % 31 == 0)


cdef inline bint is_zstd(const uint8_t* data, uint32_t length) noexcept nogil:
    return length >= 4 and data[0] == 0x28 and data[1] == 0xB5 and data[2] == 0x2F and data[3] == 0xFD


cdef uint32_t gzip_header(const uint8_t* data, uint32_t length) noexcept nogil:
    """Octets of a member's header (RFC 1952 section 2.3); 0 when it does not end within *length*."""
    cdef uint32_t at = 10
    cdef uint8_t flags
    cdef int text
    if length < 10:
        return 0
    flags = data[3]
    if flags & 4:
        if length - at < 2:
            return 0
        text = data[at] | data[at + 1] << 8
        at += 2
        if length - at < <uint32_t>text:
            return 0
        at += text
    for text in range(2):
        if flags & (8 if text == 0 else 16):
            while at < length and data[at]:
                at += 1
            if at == length:
                return 0
            at += 1
    if flags & 2:
        if length - at < 2:
            return 0
        at += 2
    return at


cdef Outcome read_gzip(
    Budget* budget, Inflater* inflater, const uint8_t* data, uint32_t length, size_t max_size, Buffer* out
) noexcept nogil:
    """All members of a gzip file; what follows the last one is ignored."""
    cdef uint32_t header, used
    cdef Outcome outcome = NOT, step
    while is_gzip(data, length):
        header = gzip_header(data, length)
        if header == 0 or header == length:
            return PART
        step = inflate_raw(budget, inflater, data + header, length - header, max_size, out, &used)
        if step != FULL:
            return PART if step == NOT and outcome == FULL else step
        outcome = FULL
        used += header
        data += used
        length -= used
        if length <= 8:
            break
        data += 8
        length -= 8
    return outcome


cdef Outcome read_deflate(
    Budget* budget, Inflater* inflater, const uint8_t* data, uint32_t length, size_t max_size, Buffer* out
) noexcept nogil:
    """zlib (RFC 1950) as the standard says, or raw deflate as some servers send it."""
    cdef uint32_t used
    cdef Outcome outcome
    if is_zlib(data, length):
        outcome = inflate_raw(budget, inflater, data + 2, length - 2, max_size, out, &used)
        if outcome == FULL or (outcome != NOT and out.length):
            return outcome
    if length == 0 or body_text_length(data, length, False) >= 0:
        return NOT                        # real text can look like raw deflate for a while, never the reverse
    out.length = 0
    return inflate_raw(budget, inflater, data, length, max_size, out, &used)


cdef Outcome take_pieces(Budget* budget, Buffer* out, bytes piece, size_t max_size) noexcept:
    """Append *piece* up to the bound: FULL, or LIMIT when it does not fit."""
    cdef size_t size = PyBytes_GET_SIZE(piece), room = max_size - out.length
    cdef size_t kept = size if size < room else room
    if not buffer_append(budget, out, <const uint8_t*>PyBytes_AS_STRING(piece), <uint32_t>kept):
        return LIMIT
    return FULL if kept == size else LIMIT


cdef Outcome read_br(Budget* budget, bytes data, size_t max_size, Buffer* out, Py_ssize_t step) noexcept:
    """One brotli stream (RFC 7932), fed *step* octets at a time."""
    cdef Py_ssize_t at = 0, size = len(data)
    cdef bytes piece
    try:
        reader = brotli.Decompressor()
        while at < size:
            piece = reader.process(data[at:at + step], output_buffer_limit=65536)
            while True:
                if take_pieces(budget, out, piece, max_size) == LIMIT:
                    return LIMIT
                if reader.is_finished():
                    return FULL
                if not piece or (len(piece) < 65536 and reader.can_accept_more_data()):
                    break
                piece = reader.process(b"", output_buffer_limit=65536)
            at += step
    except brotli.error:
        if step > 1 and at + step > 0:
            out.length = 0
            return read_br(budget, data[:at + step], max_size, out, 1)
        return PART if out.length else NOT
    except MemoryError:
        return LIMIT
    return PART


cdef Outcome read_zstd(Budget* budget, bytes data, size_t max_size, Buffer* out) noexcept:
    """All zstd frames (RFC 8878); windows up to 8 MiB, as RFC 9659 asks."""
    cdef Py_ssize_t at = 0, size = len(data), step = 128
    cdef bint any_frame = False
    try:
        context = zstandard.ZstdDecompressor(max_window_size=1 << 23)
        reader = context.decompressobj()
        while at < size:
            if take_pieces(budget, out, reader.decompress(data[at:at + step]), max_size) == LIMIT:
                return LIMIT
            at += step
            if reader.eof:
                any_frame = True
                at = (size if at > size else at) - len(reader.unused_data)
                if not is_zstd_start(data, at):
                    return FULL
                reader = context.decompressobj()
    except zstandard.ZstdError:
        return PART if any_frame or out.length else NOT
    except MemoryError:
        return LIMIT
    return FULL if any_frame and at >= size and reader.eof else PART


cdef bint is_zstd_start(bytes data, Py_ssize_t at) noexcept:
    """A frame or a skippable frame begins at *at*."""
    return data[at:at + 4] == b"\x28\xb5\x2f\xfd" or (data[at + 1:at + 4] == b"\x2a\x4d\x18" and data[at] >> 4 == 5)


cdef Outcome read_packaged(
    Budget* budget, Coding coding, const uint8_t* data, uint32_t length, size_t max_size, Buffer* out
) noexcept with gil:
    """The codings whose readers are Python packages."""
    cdef bytes octets
    try:
        octets = PyBytes_FromStringAndSize(<const char*>data, length)
    except MemoryError:
        return LIMIT
    if coding == CODING_BR:
        return read_br(budget, octets, max_size, out, 4096)
    return read_zstd(budget, octets, max_size, out)


cdef Outcome read_chunked(
    Budget* budget, const uint8_t* data, uint32_t length, size_t max_size, Buffer* out
) noexcept nogil:
    """The chunks of RFC 9112 section 7.1; extensions and trailers are passed over."""
    cdef uint32_t at = 0, digits
    cdef uint64_t size
    cdef Outcome broken = NOT
    while True:
        size = digits = 0
        while at < length and digits < 16 and hex_digit(data[at]) >= 0:
            size = size << 4 | <uint64_t>hex_digit(data[at])
            digits += 1
            at += 1
        if digits == 0 or digits == 16 or (at < length and data[at] > 32 and data[at] != c";"):
            return broken
        while at < length and data[at] != 10:
            at += 1
        if at == length:
            return broken
        if size == 0:
            return FULL
        at += 1
        broken = PART
        digits = <uint32_t>size if size < length - at else length - at
        if digits > max_size - out.length:
            buffer_append(budget, out, data + at, <uint32_t>(max_size - out.length))
            return LIMIT
        if not buffer_append(budget, out, data + at, digits):
            return LIMIT
        at += digits
        while at < length and (data[at] == 13 or data[at] == 10):
            at += 1


cdef inline int hex_digit(uint8_t octet) noexcept nogil:
    if c"0" <= octet <= c"9":
        return octet - c"0"
    octet = lower(octet)
    return octet - c"a" + 10 if c"a" <= octet <= c"f" else -1


cdef Outcome read_as(
    Budget* budget, Inflater* inflater, Coding coding, const uint8_t* data, uint32_t length, size_t max_size,
    Buffer* out
) noexcept nogil:
    if coding == CODING_GZIP:
        return read_gzip(budget, inflater, data, length, max_size, out)
    if coding == CODING_DEFLATE:
        return read_deflate(budget, inflater, data, length, max_size, out)
    if coding == CODING_CHUNKED:
        return read_chunked(budget, data, length, max_size, out)
    return read_packaged(budget, coding, data, length, max_size, out)


cdef Coding coding_by_magic(const uint8_t* data, uint32_t length) noexcept nogil:
    if is_gzip(data, length):
        return CODING_GZIP
    if is_zstd(data, length):
        return CODING_ZSTD
    if is_zlib(data, length):
        return CODING_DEFLATE
    return CODING_UNKNOWN


cdef Coding coding_of(const uint8_t* token, uint32_t length) noexcept nogil:
    """The coding a token names (IANA HTTP Content Coding Registry, with aliases seen in the wild)."""
    if length == 4:
        if equals_lower(token, <const uint8_t*>b"gzip", 4):
            return CODING_GZIP
        if equals_lower(token, <const uint8_t*>b"zstd", 4):
            return CODING_ZSTD
        if equals_lower(token, <const uint8_t*>b"none", 4):
            return CODING_IDENTITY
    elif length == 2:
        if equals_lower(token, <const uint8_t*>b"br", 2):
            return CODING_BR
    elif length == 6:
        if equals_lower(token, <const uint8_t*>b"x-gzip", 6):
            return CODING_GZIP
    elif length == 7:
        if equals_lower(token, <const uint8_t*>b"deflate", 7):
            return CODING_DEFLATE
    elif length == 8:
        if equals_lower(token, <const uint8_t*>b"identity", 8):
            return CODING_IDENTITY
    elif length == 9:
        if equals_lower(token, <const uint8_t*>b"x-deflate", 9):
            return CODING_DEFLATE
    return CODING_UNKNOWN


cdef inline bint is_word(uint8_t octet) noexcept nogil:
    """Octets that names of codings are made of."""
    return c"a" <= lower(octet) <= c"z" or c"0" <= octet <= c"9" or octet == c"-" or octet == c"_"


cdef inline bint is_noise(uint8_t octet) noexcept nogil:
    """Octets that no token may hold and that readers were seen to pass over: controls and those above ASCII."""
    return octet < 0x20 or octet >= 0x7F


cdef inline bint may_be_coding(uint8_t first) noexcept nogil:
    """Whether the name of a field that lists codings may begin with that octet: c, t or noise."""
    return first | 0x20 == c"c" or first | 0x20 == c"t" or first <= 0x20 or first >= 0x7F


cdef bint is_called(Text name, const uint8_t* wanted, uint32_t size) noexcept nogil:
    """The field name, whatever noise stands in or around it."""
    cdef uint32_t i, matched = 0
    if name.length < size or name.length > 64:
        return False
    for i in range(name.length):
        if is_noise(name.data[i]) or name.data[i] == c" ":
            continue
        if matched == size or lower(name.data[i]) != wanted[matched]:
            return False
        matched += 1
    return matched == size


cdef Coding first_coding(const uint8_t* element, uint32_t length) noexcept nogil:
    """The coding that one list element names: its first word, noise left out; what follows is ignored."""
    cdef uint8_t word[16]
    cdef uint32_t i = 0, size = 0
    while i < length and not is_word(element[i]):
        i += 1
    if i == length:
        return CODING_IDENTITY
    while i < length and (is_word(element[i]) or is_noise(element[i])):
        if is_word(element[i]):
            if size == 16:
                return CODING_UNKNOWN
            word[size] = element[i]
            size += 1
        elif element[i] == c"\t" or element[i] == c"\r" or element[i] == c"\n":
            break
        i += 1
    if size == 7 and equals_lower(word, <const uint8_t*>b"chunked", 7):
        return CODING_CHUNKED
    return coding_of(word, size)


cdef int list_codings(const Message* message, Coding* codings) noexcept nogil:
    """Fill *codings* (room for MAX_LAYERS + 1) from the last applied to the first, identity left out.

    Transfer codings were applied after content codings. Returns how many; one above MAX_LAYERS says there were more.
    A label that is not known is kept once.
    """
    cdef const Field* field = message.head.fields + message.head.field_count
    cdef Coding outer[MAX_LAYERS + 1]
    cdef Coding inner[MAX_LAYERS + 1]
    cdef Text name
    cdef int outside = 0, inside = 0, i
    cdef bint framed = message.body_framing == BODY_CHUNKED
    while field != message.head.fields:
        field -= 1
        if field.name.length < 16:
            continue                      # shorter than "content-encoding"; noise makes it longer
        name = section_text(&message.head, field.name)
        if name.length == 0 or not may_be_coding(name.data[0]):
            continue
        if is_called(name, <const uint8_t*>b"content-encoding", 16):
            inside = add_codings(section_text(&message.head, field.value), inner, inside, NULL)
        elif framed and field.value.length == 7 and name.length == 17 and (
            message.head.text[field.value.at] | 0x20 == c"c"
        ):
            framed = False                # chunked alone, which nearly all are: undone
        elif is_called(name, <const uint8_t*>b"transfer-encoding", 17):
            outside = add_codings(section_text(&message.head, field.value), outer, outside, &framed)
    for i in range(outside):
        codings[i] = outer[i]
    for i in range(inside):
        if outside + i > MAX_LAYERS:
            return MAX_LAYERS + 1
        codings[outside + i] = inner[i]
    return outside + inside


cdef int add_codings(Text value, Coding* codings, int count, bint* framed) noexcept nogil:
    """Add the codings of one field value to *count* others, the last one first; how many they are then.

    *framed*: of transfer codings, whether the chunked one that framed the content is still to come; NULL: they are
    content codings.
    """
    cdef uint32_t start, stop = value.length, end
    cdef Coding coding
    while stop and count <= MAX_LAYERS:
        end = stop
        while stop and value.data[stop - 1] != c",":
            stop -= 1
        start = stop
        if stop:
            stop -= 1
        coding = first_coding(value.data + start, end - start)
        if coding == CODING_CHUNKED and framed == NULL:
            coding = CODING_UNKNOWN
        elif coding == CODING_CHUNKED and framed[0]:
            framed[0] = False
            continue
        if coding == CODING_IDENTITY or (coding == CODING_UNKNOWN and count and codings[count - 1] == coding):
            continue
        codings[count] = coding
        count += 1
    return count


cdef bint decode_message(
    Budget* budget, Inflater* inflater, Message* message, size_t max_size
) noexcept nogil:
    """Undo the content codings of the body, each layer to at most *max_size* octets.

    True when a bound was met (``max_size``, layers, memory). A body that is not what its label says stays as
    it is; one that breaks off, or that lost octets on the way, is marked truncated.
    """
    cdef Coding codings[MAX_LAYERS + 1]
    cdef Coding coding
    cdef Buffer out
    cdef Outcome outcome
    cdef int count, i
    cdef bint bounded = False, hidden = False
    if not message.present or message.body.length == 0 or message.content_decoded or message.head.fields == NULL:
        return False
    count = list_codings(message, codings)
    if max_size > MAX_OUTPUT:
        max_size = MAX_OUTPUT
    if count == 0:
        return may_be_wide(&message.body) and narrow(budget, message, max_size)
    if message.missing_bytes and 0 < message.body_gap_at < message.body.length:
        # Behind a hole coded octets mean nothing: what would come out of them was never sent.
        message.body.length = message.body_gap_at
        message.truncated = 1
    for i in range(count):
        if i == MAX_LAYERS or message.body.length == 0:
            bounded = i == MAX_LAYERS
            break
        if codings[i] == CODING_UNKNOWN:
            hidden = True
            continue
        coding = coding_by_magic(message.body.data, message.body.length)
        if hidden and coding != codings[i]:
            continue                      # the layer above was not undone: only a magic number can tell
        outcome = read_layer(budget, inflater, codings[i], coding, message, max_size, &out)
        if outcome == NOT:
            buffer_free(budget, &out)
            continue
        buffer_free(budget, &message.body)
        message.body = out
        message.content_decoded = 1
        if outcome == LIMIT:
            bounded = True
        if outcome != FULL:
            message.truncated = 1
    if bounded or (message.content_decoded and message.missing_bytes):
        message.truncated = 1
    if may_be_wide(&message.body) and narrow(budget, message, max_size):
        bounded = True
    return bounded


# Text of 16 or 32 bits.

cdef inline bint may_be_wide(const Buffer* body) noexcept nogil:
    return body.length >= 4 and (body.data[0] == 0 or body.data[1] == 0 or body.data[0] >= 0xFE)


cdef bint narrow(Budget* budget, Message* message, size_t max_size) noexcept nogil:
    """Write the body in UTF-8 if it is text in UTF-16 or UTF-32, by its mark or its zeros; True at the bound."""
    cdef const uint8_t* data = message.body.data
    cdef uint32_t at = 0, width, size = 0
    cdef uint32_t length = message.body.length
    cdef bint big, bounded = False
    cdef uint8_t text[4]
    cdef int64_t code
    cdef Buffer out
    memset(&out, 0, sizeof(Buffer))
    if data[0] == 0 and data[1] == 0 and data[2] == 0xFE and data[3] == 0xFF:
        width, big, at = 4, True, 4
    elif data[0] == 0xFF and data[1] == 0xFE and data[2] == 0 and data[3] == 0:
        width, big, at = 4, False, 4
    elif data[0] == 0xFE and data[1] == 0xFF:
        width, big, at = 2, True, 2
    elif data[0] == 0xFF and data[1] == 0xFE:
        width, big, at = 2, False, 2
    elif data[0] == 0 and data[1] == 0:
        width, big = 4, True
    elif data[0] == 0:
        width, big = 2, True
    elif data[2] == 0 and data[3] == 0:
        width, big = 4, False
    else:
        width, big = 2, False
    if at == 0 and not is_text_type(message):
        return False                              # without a mark, zeros alone say little
    while length - at >= width:
        code = next_character(data, length, &at, width, big)
        if code == CUT:
            break
        size = encode(code, text) if code >= 0 else 0
        if out.length + size > max_size:
            bounded = True
            break
        if size == 0 or not buffer_append(budget, &out, text, size):
            buffer_free(budget, &out)             # not text
            return False
    if message.missing_bytes or at < length or bounded:
        message.truncated = 1
    buffer_free(budget, &message.body)
    message.body = out
    message.content_decoded = 1
    return bounded


cdef bint is_text_type(const Message* message) noexcept nogil:
    """Whether the Content-Type is one of text: JSON, XML, forms, ``text/``."""
    cdef Field* field = section_find(&message.head, b"content-type", 12)
    cdef Text value
    cdef uint32_t i
    cdef const uint8_t* at
    if field == NULL:
        return False
    value = section_text(&message.head, field.value)
    for i in range(value.length):
        at = value.data + i
        if value.length - i >= 4 and (
            equals_lower(at, <const uint8_t*>b"json", 4)
            or equals_lower(at, <const uint8_t*>b"text", 4)
            or equals_lower(at, <const uint8_t*>b"form", 4)
            or equals_lower(at, <const uint8_t*>b"+xml", 4)
            or equals_lower(at, <const uint8_t*>b"/xml", 4)
        ):
            return True
    return False


cdef enum:
    CUT = -2


cdef inline uint32_t unit_at(const uint8_t* data, uint32_t width, bint big) noexcept nogil:
    if width == 2:
        return <uint32_t>data[0] << 8 | data[1] if big else <uint32_t>data[1] << 8 | data[0]
    if big:
        return <uint32_t>data[0] << 24 | <uint32_t>data[1] << 16 | <uint32_t>data[2] << 8 | data[3]
    return <uint32_t>data[3] << 24 | <uint32_t>data[2] << 16 | <uint32_t>data[1] << 8 | data[0]


cdef int64_t next_character(
    const uint8_t* data, uint32_t length, uint32_t* at, uint32_t width, bint big
) noexcept nogil:
    """The code point at *at*, which moves on; -1 when there is none, CUT when the octets end inside it."""
    cdef uint32_t code = unit_at(data + at[0], width, big), low
    if width == 2 and 0xD800 <= code < 0xDC00:
        if length - at[0] < 4:
            return CUT
        low = unit_at(data + at[0] + 2, 2, big)
        if not 0xDC00 <= low < 0xE000:
            return -1
        code = 0x10000 + ((code - 0xD800) << 10 | (low - 0xDC00))
        at[0] += 2
    elif 0xD800 <= code < 0xE000 or code > 0x10FFFF or is_control(code) or code == 0xFFFE or code == 0xFFFF:
        return -1
    at[0] += width
    return code


cdef inline bint is_control(uint32_t code) noexcept nogil:
    return code < 32 and not (9 <= code <= 13 or code == 27)


cdef uint32_t encode(int64_t code, uint8_t* out) noexcept nogil:
    """UTF-8 (RFC 3629) of one code point; its octets."""
    if code < 0x80:
        out[0] = <uint8_t>code
        return 1
    if code < 0x800:
        out[0] = <uint8_t>(0xC0 | code >> 6)
        out[1] = <uint8_t>(0x80 | code & 0x3F)
        return 2
    if code < 0x10000:
        out[0] = <uint8_t>(0xE0 | code >> 12)
        out[1] = <uint8_t>(0x80 | code >> 6 & 0x3F)
        out[2] = <uint8_t>(0x80 | code & 0x3F)
        return 3
    out[0] = <uint8_t>(0xF0 | code >> 18)
    out[1] = <uint8_t>(0x80 | code >> 12 & 0x3F)
    out[2] = <uint8_t>(0x80 | code >> 6 & 0x3F)
    out[3] = <uint8_t>(0x80 | code & 0x3F)
    return 4


cdef Outcome read_layer(
    Budget* budget, Inflater* inflater, Coding coding, Coding by_magic, const Message* message, size_t max_size,
    Buffer* out
) noexcept nogil:
    """Undo one layer as labeled, else as its magic number says. Nothing read at all counts as NOT."""
    cdef Outcome outcome
    cdef const uint8_t* data = message.body.data
    cdef uint32_t length = message.body.length
    memset(out, 0, sizeof(Buffer))
    outcome = read_as(budget, inflater, coding, data, length, max_size, out)
    if outcome == PART and out.length == 0:
        outcome = NOT                     # the start of anything, too short to tell
    if outcome == NOT and by_magic != CODING_UNKNOWN and by_magic != coding:
        out.length = 0
        outcome = read_as(budget, inflater, by_magic, data, length, max_size, out)
        if outcome == PART and out.length == 0:
            outcome = NOT
    return outcome
