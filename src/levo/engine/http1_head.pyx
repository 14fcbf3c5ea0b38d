"""Reading HTTP/1 heads: start lines and field lines (RFC 9112 sections 2 to 5). Pure functions on octets."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memchr, memcmp, memcpy

from levo.engine.memory cimport take
from levo.engine.types cimport (
    FINDING_BAD_FIELD,
    FINDING_BAD_LENGTH,
    FINDING_BAD_TRANSFER_CODING,
    FINDING_BARE_LF,
    FINDING_FOLDED,
    FINDING_LENGTHS_DIFFER,
    Budget,
    Field,
    Message,
    Section,
)


cdef extern from *:
    """
    static const unsigned char levo_token[256] = {
        ['!']=1,['#']=1,['$']=1,['%']=1,['&']=1,['\\'']=1,['*']=1,['+']=1,['-']=1,['.']=1,['^']=1,['_']=1,
        ['`']=1,['|']=1,['~']=1,
        ['0']=1,['1']=1,['2']=1,['3']=1,['4']=1,['5']=1,['6']=1,['7']=1,['8']=1,['9']=1,
        ['A']=1,['B']=1,['C']=1,['D']=1,['E']=1,['F']=1,['G']=1,['H']=1,['I']=1,['J']=1,['K']=1,['L']=1,['M']=1,
        ['N']=1,['O']=1,['P']=1,['Q']=1,['R']=1,['S']=1,['T']=1,['U']=1,['V']=1,['W']=1,['X']=1,['Y']=1,['Z']=1,
        ['a']=1,['b']=1,['c']=1,['d']=1,['e']=1,['f']=1,['g']=1,['h']=1,['i']=1,['j']=1,['k']=1,['l']=1,['m']=1,
        ['n']=1,['o']=1,['p']=1,['q']=1,['r']=1,['s']=1,['t']=1,['u']=1,['v']=1,['w']=1,['x']=1,['y']=1,['z']=1,
    };
    static const char *const levo_methods[] = {
        "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE",
        "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "SEARCH", "REPORT",
        "MERGE", "CHECKOUT", "CHECKIN", "MKACTIVITY", "MKCALENDAR", "NOTIFY", "SUBSCRIBE",
        "UNSUBSCRIBE", "PURGE", "LINK", "UNLINK", "BIND", "UNBIND", "REBIND", "ACL",
        "VERSION-CONTROL", "UNCHECKOUT", "UPDATE", "LABEL", "BASELINE-CONTROL", "ORDERPATCH",
        "QUERY", "M-SEARCH", "SOURCE", 0 };
    static const unsigned char levo_method_length[] = {
        3, 4, 3, 6, 4, 7, 5, 7, 5, 8, 9, 5, 4, 4, 4, 6, 6, 6, 5, 8, 7, 10, 10, 6, 9, 11, 5, 4, 6, 4, 6, 6,
        3, 15, 10, 6, 5, 16, 10, 5, 8, 6 };
    """
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


cdef inline uint8_t lower(uint8_t octet) noexcept nogil:
    return octet | 0x20 if 65 <= octet <= 90 else octet


cdef bint equals(const uint8_t* data, const char* name, uint32_t length) noexcept nogil:
    # *name* is lower case
    cdef uint32_t i
    for i in range(length):
        if lower(data[i]) != <uint8_t>name[i]:
            return False
    return True


cdef uint32_t find_head_end(
    const uint8_t* data, uint32_t length, uint32_t start, uint32_t* lines
) noexcept nogil:
    """The length of the head that begins at *data*, its empty line included; 0 when it is not whole.

    The search begins at *start*; *lines* receives how many line ends were passed (from *start* on).
    A line may end with LF alone (RFC 9112 section 2.2).
    """
    cdef const uint8_t* at = data + start
    cdef const uint8_t* end = data + length
    cdef uint32_t count = 0
    while at < end:
        at = <const uint8_t*>memchr(at, 10, end - at)
        if at == NULL:
            break
        count += 1
        at += 1
        if at < end and at[0] == 10:
            lines[0] = count
            return <uint32_t>(at + 1 - data)
        if at + 1 < end and at[0] == 13 and at[1] == 10:
            lines[0] = count
            return <uint32_t>(at + 2 - data)
    lines[0] = count
    return 0


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
    if end >= method + 10 and equals(data + end - 8, b"http/", 5) and data[end - 2] == 46 and (
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
    if end == at:
        return 0
    message.method.at = 0
    message.method.length = method
    message.target.at = at
    message.target.length = end - at
    return kind


cdef bint read_status_line(const uint8_t* data, uint32_t length, Message* message) noexcept nogil:
    """Version, status and reason of a status line (RFC 9112 section 4); False when it is none.

    The reason phrase, and the space before it, may be missing.
    """
    cdef uint32_t at
    if length < 12 or not equals(data, b"http/", 5):
        return False
    if not (48 <= data[5] <= 57) or data[6] != 46 or not (48 <= data[7] <= 57):
        return False
    message.version_major = data[5] - 48
    message.version_minor = data[7] - 48
    at = 8
    if data[at] != 32 and data[at] != 9:
        return False
    while at < length and (data[at] == 32 or data[at] == 9):
        at += 1
    if at + 3 > length:
        return False
    if not (48 <= data[at] <= 57 and 48 <= data[at + 1] <= 57 and 48 <= data[at + 2] <= 57):
        return False
    if at + 3 < length and data[at + 3] != 32 and data[at + 3] != 9:
        return False
    message.status = (data[at] - 48) * 100 + (data[at + 1] - 48) * 10 + (data[at + 2] - 48)
    at += 3
    while at < length and (data[at] == 32 or data[at] == 9):
        at += 1
    while length > at and (data[length - 1] == 32 or data[length - 1] == 9):
        length -= 1
    message.reason.at = at
    message.reason.length = length - at
    return True


cdef bint read_section(
    Budget* budget, Section* section, const uint8_t* data, uint32_t length, uint32_t lines,
    uint32_t first_line, Framing* framing,
) noexcept nogil:
    """Copy a section of *length* octets and find its field lines; False when memory is refused.

    *lines* bounds the number of line ends in it; *first_line* is the offset behind the start line
    (0 for a trailer section). Folded lines (RFC 9112 section 5.2) are joined with spaces.
    """
    cdef uint32_t padded = (length + 7) & ~7
    cdef uint32_t size = padded + (lines + 1) * <uint32_t>sizeof(Field)
    cdef uint8_t* text = <uint8_t*>take(budget, size)
    cdef Field* fields
    cdef Field* field
    cdef uint32_t count = 0
    cdef uint32_t at = first_line
    cdef uint32_t end, name, value
    cdef const uint8_t* found
    if text == NULL:
        return False
    memcpy(text, data, length)
    fields = <Field*>(text + padded)
    while at < length:
        found = <const uint8_t*>memchr(text + at, 10, length - at)
        end = length if found == NULL else <uint32_t>(found - text)
        name = at
        at = end + 1
        if end > name and text[end - 1] == 13:
            end -= 1
        else:
            framing.findings |= FINDING_BARE_LF
        if end == name:
            if at < length:
                continue
            break
        if (text[name] == 32 or text[name] == 9) and count > 0:
            field = fields + count - 1
            fold(text, field, name, end)
            framing.findings |= FINDING_FOLDED
            note_field(text, field, framing)
            continue
        value = name
        while value < end and text[value] != 58:
            value += 1
        if value == end:
            framing.findings |= FINDING_BAD_FIELD
            continue
        if count > lines:
            break
        field = fields + count
        count += 1
        field.name.at = name
        field.name.length = value - name
        while field.name.length and (
            text[name + field.name.length - 1] == 32 or text[name + field.name.length - 1] == 9
        ):
            field.name.length -= 1
            framing.findings |= FINDING_BAD_FIELD
        value += 1
        while value < end and (text[value] == 32 or text[value] == 9):
            value += 1
        while end > value and (text[end - 1] == 32 or text[end - 1] == 9 or text[end - 1] == 13):
            end -= 1
        field.value.at = value
        field.value.length = end - value
        note_field(text, field, framing)
    section.text = text
    section.fields = fields
    section.text_length = length
    section.field_count = count
    section.allocated = size
    return True


cdef void fold(uint8_t* text, Field* field, uint32_t start, uint32_t end) noexcept nogil:
    # obs-fold: the line ends between become spaces, the value grows over the continuation
    cdef uint32_t i
    for i in range(field.value.at + field.value.length, end):
        if text[i] == 13 or text[i] == 10 or text[i] == 9:
            text[i] = 32
    while end > field.value.at and text[end - 1] == 32:
        end -= 1
    field.value.length = end - field.value.at if end > field.value.at else 0


cdef void note_field(const uint8_t* text, const Field* field, Framing* framing) noexcept nogil:
    cdef const uint8_t* name = text + field.name.at
    cdef const uint8_t* value = text + field.value.at
    cdef uint32_t size = field.value.length
    if field.name.length == 14:
        if equals(name, b"content-length", 14):
            note_length(value, size, framing)
    elif field.name.length == 17:
        if equals(name, b"transfer-encoding", 17):
            note_coding(value, size, framing)
    elif field.name.length == 10:
        if equals(name, b"connection", 10):
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
            framing.findings |= FINDING_BAD_LENGTH
        while at < size and 48 <= value[at] <= 57:
            digits = True
            if number > <int64_t>900000000000000000:
                framing.findings |= FINDING_BAD_LENGTH
            else:
                number = number * 10 + (value[at] - 48)
            at += 1
        if not digits:
            framing.findings |= FINDING_BAD_LENGTH
            return
        if at < size and value[at] != 44 and value[at] != 32 and value[at] != 9:
            framing.findings |= FINDING_BAD_LENGTH
            while at < size and value[at] != 44:
                at += 1
        if framing.content_length >= 0 and framing.content_length != number:
            framing.findings |= FINDING_LENGTHS_DIFFER
        else:
            framing.content_length = number


cdef void note_coding(const uint8_t* value, uint32_t size, Framing* framing) noexcept nogil:
    cdef uint32_t start = size
    framing.transfer_coding = 1
    while start > 0 and value[start - 1] != 44:
        start -= 1
    while start < size and (value[start] == 32 or value[start] == 9):
        start += 1
    if size - start == 7 and equals(value + start, b"chunked", 7):
        if framing.chunked:
            framing.findings |= FINDING_BAD_TRANSFER_CODING
        framing.chunked = 1
    else:
        framing.chunked = 0
        framing.findings |= FINDING_BAD_TRANSFER_CODING


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
