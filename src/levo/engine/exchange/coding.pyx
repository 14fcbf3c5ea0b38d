"""Content codings (RFC 9110 section 8.4): gzip, deflate, br, zstd, alone or stacked, undone in place.

Codings are undone from the last one listed to the first. The label is a hint and the octets decide, as in
browsers: each coding has a reader that answers what it found.

* ``FULL``: the whole coding was read. Octets behind its end are ignored; so are its checksums.
* ``PART``: the input breaks off or turns wrong; what came out before is kept and the body marked truncated.
* ``LIMIT``: the output bound was met; the body is cut there and marked truncated.
* ``NOT``: the octets are not of that coding. Another one is tried by its magic number, else they stay as they are.

gzip and deflate run in zlib, always as raw deflate behind headers that are read here: a wrong checksum, header
check or missing trailer cannot hide content. br and zstd run in their Python packages, which are handed small
pieces, so that output before an error is kept and output beyond the bound is never made.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

import brotli
import zstandard

from levo.engine.core.exchange cimport section_text
from levo.engine.core.memory cimport buffer_append, buffer_free, buffer_reserve
from levo.engine.core.output cimport Text, body_text_length, equals_lower, lower
from levo.engine.core.types cimport Budget, Buffer, Message

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


cdef Outcome read_as(
    Budget* budget, Inflater* inflater, Coding coding, const uint8_t* data, uint32_t length, size_t max_size,
    Buffer* out
) noexcept nogil:
    if coding == CODING_GZIP:
        return read_gzip(budget, inflater, data, length, max_size, out)
    if coding == CODING_DEFLATE:
        return read_deflate(budget, inflater, data, length, max_size, out)
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


cdef bint is_content_encoding(Text name) noexcept nogil:
    """The field name, whatever noise stands in or around it."""
    cdef uint32_t i, matched = 0
    cdef const uint8_t* wanted = <const uint8_t*>b"content-encoding"
    if name.length < 16 or name.length > 64:
        return False
    for i in range(name.length):
        if is_noise(name.data[i]) or name.data[i] == c" ":
            continue
        if matched == 16 or lower(name.data[i]) != wanted[matched]:
            return False
        matched += 1
    return matched == 16


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
    return coding_of(word, size)


cdef int list_codings(const Message* message, Coding* codings) noexcept nogil:
    """Fill *codings* (room for MAX_LAYERS + 1) from the last applied to the first, identity left out.

    Returns how many; one above MAX_LAYERS says there were more. A label that is not known is kept once.
    """
    cdef uint32_t i = message.head.field_count, start, stop, end
    cdef int count = 0
    cdef Text value
    cdef Coding coding
    while i:
        i -= 1
        if message.head.fields[i].name.length < 16:
            continue                      # shorter than "content-encoding"; noise makes it longer
        if not is_content_encoding(section_text(&message.head, message.head.fields[i].name)):
            continue
        value = section_text(&message.head, message.head.fields[i].value)
        stop = value.length
        while stop:
            end = stop
            while stop and value.data[stop - 1] != c",":
                stop -= 1
            start = stop
            if stop:
                stop -= 1
            coding = first_coding(value.data + start, end - start)
            if coding == CODING_IDENTITY or (coding == CODING_UNKNOWN and count and codings[count - 1] == coding):
                continue
            codings[count] = coding
            count += 1
            if count > MAX_LAYERS:
                return count
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
    if count == 0:
        return False
    if max_size > MAX_OUTPUT:
        max_size = MAX_OUTPUT
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
    return bounded


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
