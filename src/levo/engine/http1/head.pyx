"""Reading HTTP/1 heads: start lines and field lines (RFC 9112 sections 2 to 5). Pure functions on octets."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memchr, memcmp, memcpy

from levo.engine.core.exchange cimport is_status
from levo.engine.http1.head_map cimport NO_COLON, HeadMap
from levo.engine.core.memory cimport take
from levo.engine.core.output cimport equals_lower, lower
from levo.engine.core.types cimport (
    ANOMALY_BAD_FIELD,
    ANOMALY_BAD_LENGTH,
    ANOMALY_BAD_TRANSFER_CODING,
    ANOMALY_BARE_LF,
    ANOMALY_FOLDED,
    ANOMALY_LENGTHS_DIFFER,
    Budget,
    Field,
    Message,
    Section,
)


cdef extern from "levo/engine/http1/head.h":
    uint32_t levo_count_odd(const uint8_t* data, uint32_t length) nogil
    const unsigned char[256] levo_token
    const char* levo_methods[]
    const unsigned char levo_method_length[]


cdef bint is_token(uint8_t octet) noexcept nogil:
    return levo_token[octet]


cdef bint is_known_method(const uint8_t* data, uint32_t length) noexcept nogil:
    """Whether *data* is exactly a method of the IANA registry, or one that real servers know."""
    cdef int i = 0
    while levo_methods[i] != NULL:
        if levo_method_length[i] == length and memcmp(levo_methods[i], data, length) == 0:
            return True
        i += 1
    return False


cdef bint begins_known_method(const uint8_t* data, uint32_t length) noexcept nogil:
    """Whether *data* is such a method, or its beginning, and no more."""
    cdef int i = 0
    while levo_methods[i] != NULL:
        if length <= levo_method_length[i] and memcmp(levo_methods[i], data, length) == 0:
            return True
        i += 1
    return False


cdef inline bint equals(const uint8_t* data, const char* lower_name, uint32_t length) noexcept nogil:
    return equals_lower(data, <const uint8_t*>lower_name, length)


cdef inline bint begins_version(const uint8_t* data) noexcept nogil:
    # Five octets; nearly everybody writes them so.
    return memcmp(data, b"HTTP/", 5) == 0 or equals(data, b"http/", 5)


cdef bint goes_on(const uint8_t* data, uint32_t length) noexcept nogil:
    # Behind an odd empty line: a fold, the true empty line, or another field (or nothing yet).
    if length == 0 or data[0] == 32 or data[0] == 9 or data[0] == 10:
        return True
    return data[0] == 13 and (length == 1 or data[1] == 10) or begins_field(data, length)


cdef uint32_t find_head_end(
    const uint8_t* data, uint32_t length, uint32_t start, uint32_t* lines
) noexcept nogil:
    """The length of the head that begins at *data*, its empty line included; 0 when it is not whole.

    The search begins at *start*; *lines* receives how many line ends were passed (from *start* on).
    A line may end with LF alone (RFC 9112 section 2.2). A line of white space only, or of several CR,
    counts as empty, as browsers take it, unless the head visibly goes on behind it.
    """
    cdef const uint8_t* at = data + start
    cdef const uint8_t* end = data + length
    cdef const uint8_t* next
    cdef uint32_t count = 0
    cdef bint odd
    while at < end:
        at = <const uint8_t*>memchr(at, 10, end - at)
        if at == NULL:
            break
        count += 1
        at += 1
        if at >= end or at[0] > 32:
            continue
        next = at
        odd = False
        while next < end and (next[0] == 13 or next[0] == 32 or next[0] == 9):
            odd = odd or next[0] != 13 or next > at
            next += 1
        if next < end and next[0] == 10 and not (odd and goes_on(next + 1, <uint32_t>(end - next - 1))):
            lines[0] = count
            return <uint32_t>(next + 1 - data)
    lines[0] = count
    return 0


cdef bint needs_normalizing(const uint8_t* data, uint32_t length, uint32_t lines) noexcept nogil:
    """Whether a head has anything that ``normalize_head`` would change: lines other than CRLF, NUL, folds."""
    # The line end of the empty line is not among *lines*.
    return levo_count_odd(data, length) != lines + 1


cdef bint begins_field(const uint8_t* data, uint32_t length) noexcept nogil:
    # "name:" or "name :" at the start
    cdef uint32_t at = 0
    while at < length and levo_token[data[at]]:
        at += 1
    if at == 0:
        return False
    while at < length and (data[at] == 32 or data[at] == 9):
        at += 1
    return at < length and data[at] == 58


cdef bint begins_framing_field(const uint8_t* data, uint32_t length) noexcept nogil:
    # one of the fields that decide how content is read
    if not begins_field(data, length):
        return False
    return (length > 17 and equals(data, b"transfer-encoding", 17)
            or length > 14 and equals(data, b"content-length", 14)
            or length > 16 and equals(data, b"content-encoding", 16))


cdef uint32_t normalize_head(
    const uint8_t* data, uint32_t length, uint8_t* out, uint16_t* anomalies
) noexcept nogil:
    """Write the head as lenient receivers read it to *out* (twice *length* octets); its length there.

    NUL is left out, lines end with CRLF, a CR alone ends a line where a field follows it and is a space
    elsewhere, and folded lines are joined with a space (RFC 9112 sections 2.2 and 5.2), unless what is
    folded is itself a field that decides how the content is read: browsers differ there.
    """
    cdef uint32_t at = 0
    cdef uint32_t size = 0
    cdef uint32_t next
    cdef uint8_t octet
    while at < length:
        octet = data[at]
        at += 1
        if octet == 0:
            anomalies[0] |= ANOMALY_BAD_FIELD
        elif octet == 13:
            next = at
            while next < length and (data[next] == 13 or data[next] == 0):
                next += 1
            if next < length and data[next] == 10:
                at = next
            elif begins_field(data + next, length - next):
                anomalies[0] |= ANOMALY_BAD_FIELD
                if size and out[size - 1] != 10:
                    out[size] = 13
                    out[size + 1] = 10
                    size += 2
                at = next
            else:
                out[size] = 32
                size += 1
        elif octet == 10:
            next = at
            while next < length and (data[next] == 32 or data[next] == 9 or data[next] == 13):
                next += 1
            if at < length and (data[at] == 32 or data[at] == 9) and next < length and data[next] != 10:
                anomalies[0] |= ANOMALY_FOLDED
                if begins_framing_field(data + next, length - next):
                    out[size] = 13
                    out[size + 1] = 10
                    size += 2
                else:
                    out[size] = 32
                    size += 1
                at = next
            elif at < length and (data[at] == 32 or data[at] == 9) and next < length:
                # white space only: the empty line, or one more line of a fold
                anomalies[0] |= ANOMALY_BAD_FIELD
                if next + 1 < length and (data[next + 1] == 32 or data[next + 1] == 9):
                    at = next
                    continue
                out[size] = 13
                out[size + 1] = 10
                size += 2
                at = next
            else:
                if at < 2 or data[at - 2] != 13:
                    anomalies[0] |= ANOMALY_BARE_LF
                out[size] = 13
                out[size + 1] = 10
                size += 2
        else:
            out[size] = octet
            size += 1
    return size


cdef uint32_t first_line_length(const uint8_t* data, uint32_t length) noexcept nogil:
    """Octets of the first line without its line end; *length* when there is no line end."""
    cdef const uint8_t* end = <const uint8_t*>memchr(data, 10, length)
    cdef uint32_t size
    if end == NULL:
        return length
    size = <uint32_t>(end - data)
    while size > 0 and data[size - 1] == 13:
        size -= 1
    return size


cdef uint32_t target_length(const uint8_t* data, uint32_t method, uint32_t start, uint32_t end) noexcept nogil:
    """Of the target between *start* and *end*: all but that of CONNECT, an authority, ends before the version."""
    cdef uint32_t at = start
    if method != 7 or memcmp(data, b"CONNECT", 7) != 0:
        return end - start
    while at < end and data[at] != 32 and data[at] != 9:
        at += 1
    return at - start                             # it has no space in it (RFC 9112 section 3.2.3)


cdef int read_request_line(const uint8_t* data, uint32_t length, Message* message) noexcept nogil:
    """Method, target and version of a request line (RFC 9112 section 3): 1, or 0 when it is none.

    Spaces inside the target are accepted, as servers do: the version is what follows the last one.
    2 is a line without a believable version (HTTP/0.9, or one that a server answers with 400).
    """
    cdef uint32_t method = 0
    cdef uint32_t at
    cdef uint32_t end = length
    cdef int kind = 2
    while method < length and levo_token[data[method]]:
        method += 1
    if method == 0 or method > 64 or method >= length or (data[method] != 32 and data[method] != 9):
        return 0
    at = method
    while at < end and (data[at] == 32 or data[at] == 9):
        at += 1
    while end > at and (data[end - 1] == 32 or data[end - 1] == 9):
        end -= 1
    if end == at:
        return 0
    message.version_major = 0
    message.version_minor = 9
    if end >= method + 10 and begins_version(data + end - 8) and data[end - 2] == 46 and (
        48 <= data[end - 3] <= 57 and 48 <= data[end - 1] <= 57
        and (data[end - 9] == 32 or data[end - 9] == 9)
    ):
        message.version_major = data[end - 3] - 48
        message.version_minor = data[end - 1] - 48
        end -= 9
        kind = 1
    elif data[at] != 47:
        return 0
    elif end >= method + 9 and equals(data + end - 7, b"http/1.", 7) and data[end - 8] == 32:
        message.version_major = 1
        message.version_minor = 0
        end -= 8
    while end > at and (data[end - 1] == 32 or data[end - 1] == 9):
        end -= 1
    if end <= at:                 # two spaces and a version: no target
        return 0
    message.method.at = 0
    message.method.length = method
    message.target.at = at
    message.target.length = target_length(data, method, at, end)
    return kind


cdef inline bint read_usual_status(const uint8_t* data, uint32_t length, Message* message) noexcept nogil:
    """The same for a line of more than 13 octets as nearly every server writes it; False when it is another one."""
    if not (
        memcmp(data + 5, b"1.", 2) == 0 and 48 <= data[7] <= 57 and data[8] == 32 and data[12] == 32
        and 49 <= data[9] <= 53 and 48 <= data[10] <= 57 and 48 <= data[11] <= 57
        and data[13] > 32 and data[length - 1] > 32
    ):
        return False
    message.version_major = 1
    message.version_minor = data[7] - 48
    message.status = (data[9] - 48) * 100 + (data[10] - 48) * 10 + data[11] - 48
    message.reason.at = 13
    message.reason.length = length - 13
    return True


cdef bint read_status_line(const uint8_t* data, uint32_t length, Message* message) noexcept nogil:
    """Version, status and reason of a status line (RFC 9112 section 4); False when it is none.

    Lenient as browsers are: the reason phrase and the space before it may be missing, the version may
    have more digits, any control octet may stand for a space, and the number may have leading zeros.
    A number that is not a status code, or something else in its place, is kept as the reason: status 0.
    """
    cdef uint32_t at = 5
    cdef uint32_t number = 0
    cdef uint32_t digits = 0
    if length < 8 or not begins_version(data) or not 48 <= data[5] <= 57:
        return False
    if length > 13 and read_usual_status(data, length, message):
        return True
    while at < length and 48 <= data[at] <= 57 and number < 1000:
        number = number * 10 + (data[at] - 48)
        at += 1
    message.version_major = <uint8_t>(number if number < 10 else 9)
    if at >= length or data[at] != 46:
        return False
    at += 1
    number = 0
    digits = at
    while at < length and 48 <= data[at] <= 57 and number < 1000:
        number = number * 10 + (data[at] - 48)
        at += 1
    if at == digits:
        return False
    message.version_minor = <uint8_t>(number if number < 10 else 0)
    if at < length and data[at] > 32:
        # Something that is no space behind the version: a broken line, the rest is a reason at best.
        message.status = 0
        message.reason.at = at
        message.reason.length = length - at
        return True
    while at < length and data[at] <= 32:
        at += 1
    number = 0
    digits = at
    while at < length and 48 <= data[at] <= 57 and number < 6000:
        number = number * 10 + (data[at] - 48)
        at += 1
    message.status = <uint16_t>number if is_status(number) else 0
    if not message.status:
        at = digits
    while at < length and data[at] <= 32:
        at += 1
    while length > at and data[length - 1] <= 32:
        length -= 1
    message.reason.at = at
    message.reason.length = length - at
    return True


cdef bint read_section(
    Budget* budget, Section* section, const uint8_t* data, uint32_t length, uint32_t lines,
    uint32_t first_line, const HeadMap* map, Framing* framing,
) noexcept nogil:
    """Copy a section of *length* octets and find its field lines; False when memory is refused.

    *lines* bounds the number of line ends in it; *first_line* is the offset behind the start line
    (0 for a trailer section). Folded lines are joined by then (``normalize_head``). *map* is that of the
    section, or NULL when nobody made one.
    """
    cdef uint32_t padded = (length + 7) & ~7
    cdef uint32_t size = padded + (lines + 1) * <uint32_t>sizeof(Field)
    cdef uint8_t* text = <uint8_t*>take(budget, size)
    cdef Field* fields
    cdef Field* field
    cdef uint32_t count = 0
    cdef uint32_t at = first_line
    cdef uint32_t end, name, value
    cdef uint32_t line = 1
    cdef const uint8_t* found
    if text == NULL:
        return False
    memcpy(text, data, length)
    fields = <Field*>(text + padded)
    if map != NULL:
        field = fields
        name = map.end[0] + 1
        while line < map.count:
            value = map.colon[line]
            end = map.end[line] - 1
            if value == NO_COLON:
                framing.anomalies |= ANOMALY_BAD_FIELD
            else:
                if data[name] > 32 and data[value - 1] > 32 and (
                    data[value + 1] == 32 and data[value + 2] > 32 and data[end - 1] > 32
                ):
                    # "Name: value", as nearly every line is written. An empty name has an LF before its colon, an
                    # empty value a CR where it would begin.
                    field.name.at = name
                    field.name.length = value - name
                    field.value.at = value + 2
                    field.value.length = end - value - 2
                else:
                    set_field(field, text, name, value, end, framing)
                note_field(data, field, framing)
                field += 1
            name = end + 2
            line += 1
        count = <uint32_t>(field - fields)
        at = length
    while at < length:
        found = <const uint8_t*>memchr(text + at, 10, length - at)
        end = length if found == NULL else <uint32_t>(found - text)
        name = at
        at = end + 1
        if end > name and text[end - 1] == 13:
            end -= 1
        else:
            framing.anomalies |= ANOMALY_BARE_LF
        if end == name:
            if at < length:
                continue
            break
        value = name
        while value < end and text[value] != 58:
            value += 1
        if value == end:
            framing.anomalies |= ANOMALY_BAD_FIELD
            continue
        if count > lines:
            break
        field = fields + count
        count += 1
        set_field(field, text, name, value, end, framing)
        note_field(text, field, framing)
    section.text = text
    section.fields = fields
    section.text_length = length
    section.field_count = count
    section.allocated = size
    return True


cdef inline void set_field(
    Field* field, const uint8_t* text, uint32_t name, uint32_t colon, uint32_t end, Framing* framing
) noexcept nogil:
    """The line from *name* to *end*, without its line end: name and value without the white space around them."""
    cdef uint32_t value = colon + 1
    field.name.at = name
    field.name.length = colon - name
    while field.name.length and text[name + field.name.length - 1] <= 32:
        field.name.length -= 1
        framing.anomalies |= ANOMALY_BAD_FIELD
    while field.name.length and text[field.name.at] <= 32:
        field.name.at += 1
        field.name.length -= 1
        framing.anomalies |= ANOMALY_BAD_FIELD
    while value < end and (text[value] == 32 or text[value] == 9):
        value += 1
    while end > value and (text[end - 1] == 32 or text[end - 1] == 9 or text[end - 1] == 13):
        end -= 1
    field.value.at = value
    field.value.length = end - value


cdef inline void note_field(const uint8_t* text, const Field* field, Framing* framing) noexcept nogil:
    cdef const uint8_t* name = text + field.name.at
    cdef const uint8_t* value = text + field.value.at
    cdef uint32_t size = field.value.length
    cdef uint32_t length = field.name.length
    # The first octet tells nearly all other names apart.
    if length == 6:
        if lower(name[0]) == c"e" and equals(name, b"expect", 6):
            framing.expects = size >= 12 and equals(value, b"100-continue", 12)
    elif length == 14:
        if lower(name[0]) == c"c" and equals(name, b"content-length", 14):
            note_length(value, size, framing)
    elif length == 17:
        if lower(name[0]) == c"t" and equals(name, b"transfer-encoding", 17):
            note_coding(value, size, framing)
    elif length == 10:
        if lower(name[0]) == c"c" and equals(name, b"connection", 10):
            note_connection(value, size, framing)


cdef void note_length(const uint8_t* value, uint32_t size, Framing* framing) noexcept nogil:
    # A list of equal values is one value (RFC 9112 section 6.3, 5).
    cdef uint32_t at = 0
    cdef int64_t number
    cdef bint digits
    while at < size:
        while at < size and (value[at] == 32 or value[at] == 9 or value[at] == 44):
            at += 1
        if at == size:
            break
        number = 0
        digits = False
        if value[at] == 43:
            at += 1
            framing.anomalies |= ANOMALY_BAD_LENGTH
        while at < size and 48 <= value[at] <= 57:
            digits = True
            if number > <int64_t>900000000000000000:
                framing.anomalies |= ANOMALY_BAD_LENGTH
            else:
                number = number * 10 + (value[at] - 48)
            at += 1
        if not digits:
            framing.anomalies |= ANOMALY_BAD_LENGTH
            return
        if at < size and value[at] != 44 and value[at] != 32 and value[at] != 9:
            framing.anomalies |= ANOMALY_BAD_LENGTH
            while at < size and value[at] != 44:
                at += 1
        if framing.content_length >= 0 and framing.content_length != number:
            framing.anomalies |= ANOMALY_LENGTHS_DIFFER
        else:
            framing.content_length = number


cdef void note_coding(const uint8_t* value, uint32_t size, Framing* framing) noexcept nogil:
    """Anything that names chunked is a claim; whether it holds shows in the first octets of the content.

    A list of known codings with chunked among them at most once is no anomaly. ``chunked`` is 2 where another coding
    was applied after it: such content goes on to the close (RFC 9112 section 6.3).
    """
    cdef uint32_t at = 0, start
    cdef bint good = True
    cdef uint32_t i
    framing.transfer_coding = 1
    if size == 7 and equals(value, b"chunked", 7) and not framing.chunked:
        framing.chunked = 1
        return
    while at < size and good:
        while at < size and (value[at] == 32 or value[at] == 9 or value[at] == 44):
            at += 1
        start = at
        while at < size and levo_token[value[at]]:
            at += 1
        if at - start == 7 and equals(value + start, b"chunked", 7):
            good = not framing.chunked
            framing.chunked = 1
        elif at > start:
            good = is_transfer_coding(value + start, at - start)
            if framing.chunked and good:
                framing.chunked = 2
        elif at < size:
            good = False
    if good:
        return
    framing.anomalies |= ANOMALY_BAD_TRANSFER_CODING
    for i in range(size):
        if size - i >= 7 and equals(value + i, b"chunked", 7):
            framing.chunked = 1
            return


cdef bint is_transfer_coding(const uint8_t* name, uint32_t length) noexcept nogil:
    """Whether *name* is a transfer coding other than chunked (RFC 9112 section 7, with its aliases)."""
    if length == 4:
        return equals(name, b"gzip", 4)
    if length == 6:
        return equals(name, b"x-gzip", 6)
    if length == 7:
        return equals(name, b"deflate", 7)
    if length == 8:
        return equals(name, b"compress", 8) or equals(name, b"identity", 8)
    return length == 10 and equals(name, b"x-compress", 10)


cdef void note_connection(const uint8_t* value, uint32_t size, Framing* framing) noexcept nogil:
    cdef uint32_t at = 0
    cdef uint32_t start
    while at < size:
        while at < size and (value[at] == 32 or value[at] == 9 or value[at] == 44):
            at += 1
        start = at
        while at < size and levo_token[value[at]]:
            at += 1
        if at - start == 5 and equals(value + start, b"close", 5):
            framing.close = 1
        elif at - start == 7 and equals(value + start, b"upgrade", 7):
            framing.upgrade = 1
        if at < size and at == start:
            at += 1
