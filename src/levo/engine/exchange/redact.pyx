"""Redaction of fields and patterns, in place and of the same length, before a batch leaves the sensor.

*Fields* are looked for by name, not by parsing: wherever ``"name"`` stands before a colon, or ``name=`` where
a parameter can begin, the value behind it is hidden, so a body that is cut, broken or labelled wrongly hides
as much as a whole one. Doubt hides more. *Patterns* (RE2 objects) are searched in bodies, field values and
the request target, and again with percent-encoding and JSON escapes undone.

A hidden octet is ``*``; in JSON, structure stays and numbers stay numbers (each digit becomes ``1``), so what
is left has the shape it had. Object members inside a hidden member are hidden with their names.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from levo.engine.exchange.batch cimport Batch
from levo.engine.core.exchange cimport (
    header_is_named,
    header_may_be,
    header_names_add,
    mask_users,
    section_find,
    section_text,
)
from levo.engine.core.output cimport Text, body_text_length, lower
from levo.engine.core.types cimport Exchange, Field, Message, Section, Span

cdef extern from "<string.h>" nogil:
    void* memchr(const void* data, int octet, size_t length)
    void* memmem(const void* data, size_t length, const void* wanted, size_t size)

cdef enum:
    LONGEST_NAME = 256
    NOT_HEX = 255


cdef inline uint8_t hex_value(uint8_t c) noexcept nogil:
    if c"0" <= c <= c"9":
        return c - c"0"
    c = lower(c)
    return c - c"a" + 10 if c"a" <= c <= c"f" else NOT_HEX


cdef inline bint is_space(uint8_t c) noexcept nogil:
    return c == c" " or c == c"\t" or c == c"\r" or c == c"\n"


cdef inline bint may_end(const FieldNames* names, const uint8_t* end) noexcept nogil:
    """Whether some name ends with the three octets before *end*; spares most names a comparison."""
    return names.ends[((end - 1)[0] & 31) << 5 | (end - 2)[0] & 31] >> ((end - 3)[0] & 31) & 1


cdef size_t is_named(const FieldNames* names, const uint8_t* data, size_t length) noexcept nogil:
    """0, or the place of the name among *names*, from 1."""
    cdef size_t i, k
    if length == 0 or length > names.longest or not names.first[data[0]]:
        return 0
    for k in range(names.count):
        if names.names[k].length != length:
            continue
        i = 0
        while i < length and lower(data[i]) == names.names[k].data[i]:
            i += 1
        if i == length:
            return k + 1
    return 0


# JSON. A quote inside a JSON text that is itself a string has backslashes before it: 1, 3, 7 ... by depth.

cdef inline size_t slashes_before(const uint8_t* data, size_t at) noexcept nogil:
    cdef size_t count = 0
    while count < at and data[at - 1 - count] == c"\\":
        count += 1
    return count


cdef size_t string_end(const uint8_t* data, size_t at, size_t length, size_t depth) noexcept nogil:
    """Where a string that began before *at* ends: its closing quote, or *length*. *depth*: slashes of its quotes."""
    cdef const uint8_t* found
    cdef size_t place, run
    while at < length:
        found = <const uint8_t*>memchr(data + at, c'"', length - at)
        if found == NULL:
            return length
        place = found - data
        run = slashes_before(data + at, place - at)
        if (run // (depth + 1)) % 2 == 0:
            return place
        at = place + 1
    return length


cdef size_t unescape_name(const uint8_t* data, size_t length, uint8_t* out) noexcept nogil:
    """Undo the escapes of a JSON string (RFC 8259 section 7) into *out*; 0 when it is longer than any name."""
    cdef size_t i = 0, size = 0
    cdef uint32_t code
    cdef int k
    cdef uint8_t digit
    while i < length:
        if size + 3 > LONGEST_NAME:
            return 0
        if data[i] != c"\\" or i + 1 >= length:
            out[size] = data[i]
            size += 1
            i += 1
            continue
        if data[i + 1] != c"u" or i + 6 > length:
            out[size] = data[i + 1]
            size += 1
            i += 2
            continue
        code = 0
        for k in range(4):
            digit = hex_value(data[i + 2 + k])
            if digit == NOT_HEX:
                return 0
            code = code << 4 | digit
        if code < 0x80:
            out[size] = <uint8_t>code
            size += 1
        elif code < 0x800:
            out[size] = <uint8_t>(0xC0 | code >> 6)
            out[size + 1] = <uint8_t>(0x80 | code & 0x3F)
            size += 2
        else:
            out[size] = <uint8_t>(0xE0 | code >> 12)
            out[size + 1] = <uint8_t>(0x80 | code >> 6 & 0x3F)
            out[size + 2] = <uint8_t>(0x80 | code & 0x3F)
            size += 3
        i += 6
    return size


cdef size_t key_is_named(const FieldNames* names, const uint8_t* data, size_t length) noexcept nogil:
    cdef uint8_t plain[LONGEST_NAME + 8]
    if length == 0 or length > 6 * <size_t>LONGEST_NAME:
        return 0
    if memchr(data, c"\\", length) == NULL:
        return is_named(names, data, length)
    length = unescape_name(data, length, plain)
    return is_named(names, plain, length)


cdef inline bint in_literal(uint8_t c) noexcept nogil:
    return not (is_space(c) or c == c"," or c == c"}" or c == c"]" or c == c"{" or c == c"["
                or c == c'"' or c == c":" or c == c"\\")


cdef void hide_literal(uint8_t* data, size_t length) noexcept nogil:
    """A number keeps its shape, ``true`` and ``false`` become ``null``, anything else is hidden."""
    cdef size_t i
    cdef bint number = c"0" <= data[length - 1] <= c"9"
    if length == 4 and (data[0] == c"t" or data[0] == c"n") and data[3] in b"el":
        memcpy(data, b"null", 4)
        return
    if length == 5 and data[0] == c"f" and data[1] == c"a" and data[4] == c"e":
        memcpy(data, b"null ", 5)
        return
    for i in range(length):
        if not (c"0" <= data[i] <= c"9" or data[i] == c"." or data[i] == c"-" or data[i] == c"+"
                or ((data[i] == c"e" or data[i] == c"E") and i)):
            number = False
            break
    for i in range(length):
        if not number or c"0" <= data[i] <= c"9":
            data[i] = c"1" if number else c"*"


cdef inline bint is_member_name(const uint8_t* data, size_t at, size_t length) noexcept nogil:
    """Whether a colon follows the string that ended before *at*."""
    while at < length and is_space(data[at]):
        at += 1
    return at < length and data[at] == c":"


cdef inline bint is_word(const uint8_t* data, size_t length) noexcept nogil:
    """``true``, ``false`` or ``null``."""
    return (length == 4 and (memcmp(data, b"true", 4) == 0 or memcmp(data, b"null", 4) == 0)) or (
        length == 5 and memcmp(data, b"false", 5) == 0
    )


cdef size_t hide_value(
    uint8_t* data, size_t at, size_t length, size_t depth, bint shape, uint64_t* count
) noexcept nogil:
    """Hide the JSON value at *at*, with all that is inside of it; return the place behind it.

    *shape*: names of members inside, ``true``, ``false`` and ``null`` stay: a schema needs them.
    """
    cdef size_t nesting = 0, end, run
    while at < length:
        if data[at] == c'"':
            run = slashes_before(data, at)
            if run < depth:
                return at                         # the string around this text ends here
            end = string_end(data, at + 1, length, depth)
            if shape and nesting and is_member_name(data, end + 1, length):
                at = end + 1
                continue
            if end < length:
                run = slashes_before(data + at + 1, end - at - 1)
                if run > depth:
                    run = depth
                memset(data + at + 1, c"*", end - at - 1 - run)
            else:
                memset(data + at + 1, c"*", end - at - 1)
            count[0] += 1
            at = end + 1
        elif data[at] == c"{" or data[at] == c"[":
            nesting += 1
            at += 1
            continue
        elif data[at] == c"}" or data[at] == c"]":
            if nesting == 0:
                return at
            nesting -= 1
            at += 1
        elif in_literal(data[at]):
            end = at
            while end < length and in_literal(data[end]):
                end += 1
            if not shape or not is_word(data + at, end - at):
                hide_literal(data + at, end - at)
                count[0] += 1
            at = end
        else:
            if nesting == 0 and (data[at] == c"," or data[at] == c":"):
                return at                         # no value at all
            at += 1
            continue
        if nesting == 0:
            return at if at < length else length
    return length


cdef bint may_have_member(const FieldNames* names, const uint8_t* data, size_t length) noexcept nogil:
    """Whether some named member may be there: a look at what stands before each colon."""
    cdef const uint8_t* found
    cdef size_t at = 0, end, start
    if memchr(data, c"\\", length) != NULL:
        return True                               # names may have escapes, and JSON may stand in strings
    while at < length:
        found = <const uint8_t*>memchr(data + at, c":", length - at)
        if found == NULL:
            return False
        end = found - data
        at = end + 1
        while end and is_space(data[end - 1]):
            end -= 1
        if not end or data[end - 1] != c'"':
            continue
        end -= 1
        if end < 3:
            return True
        if not may_end(names, data + end):
            continue
        start = end
        while start and data[start - 1] != c'"' and end - start <= names.longest:
            start -= 1
        if is_named(names, data + start, end - start):
            return True
    return False


cdef uint64_t mask_json(const FieldNames* names, uint8_t* data, size_t length) noexcept nogil:
    """Hide the values of named members at any depth, in whatever JSON the octets hold; count them."""
    cdef const uint8_t* found
    cdef size_t at = 0, end, depth, place, run, limit, which
    cdef uint64_t count = 0
    if not may_have_member(names, data, length):
        return 0
    while at < length:
        found = <const uint8_t*>memchr(data + at, c'"', length - at)
        if found == NULL:
            break
        place = found - data
        at = place + 1
        if at >= length or not (names.first[data[at]] or data[at] == c"\\"):
            continue
        depth = slashes_before(data, place)
        if depth & (depth + 1):                   # 0, 1, 3, 7 ...: else an escaped backslash stands before it
            depth = 0
        limit = length if length - at <= 6 * LONGEST_NAME + 8 else at + 6 * LONGEST_NAME + 8
        end = string_end(data, at, limit, depth)
        if end >= limit or end == at:
            continue
        run = slashes_before(data + at, end - at)
        if run > depth:
            run = depth
        which = key_is_named(names, data + at, end - at - run)
        if not which:
            continue
        place = end + 1
        while place < length and is_space(data[place]):
            place += 1
        if place < length and data[place] == c":":
            at = hide_value(data, place + 1, length, depth, which > names.own, &count)
    return count


# Parameters: name=value in queries, forms and links.

cdef inline bint ends_name(uint8_t c) noexcept nogil:
    return (c == c"&" or c == c"?" or c == c";" or c == c"=" or c == c"#" or is_space(c) or c == c'"' or c == c"'"
            or c == c"<" or c == c">" or c == c"," or c == c"{" or c == c"\\")


cdef bint parameter_is_named(const FieldNames* names, const uint8_t* data, size_t length) noexcept nogil:
    """A name as it stands, percent-decoded, or its last part: ``user[password]``, ``user.password``."""
    cdef uint8_t plain[LONGEST_NAME + 8]
    cdef size_t size = 0, i = 0, part
    plain[0] = 0
    while i < length:
        if size >= LONGEST_NAME:
            return False
        if data[i] == c"%" and i + 2 < length and hex_value(data[i + 1]) != NOT_HEX and hex_value(data[i + 2]) != NOT_HEX:  # no-cython-lint
            plain[size] = hex_value(data[i + 1]) << 4 | hex_value(data[i + 2])
            i += 3
        else:
            plain[size] = c" " if data[i] == c"+" else data[i]
            i += 1
        size += 1
    if size == 0:
        return False
    if is_named(names, plain, size):
        return True
    while size and (plain[size - 1] == c"]" or plain[size - 1] == c"["):
        size -= 1                                 # ``name[]`` and ``name[0]``-like ends
    part = size
    while part and plain[part - 1] != c"[" and plain[part - 1] != c".":
        part -= 1
    if is_named(names, plain + part, size - part):
        return True
    part = 0
    while part < size and plain[part] != c"[":
        part += 1
    return part < size and is_named(names, plain, part)


cdef uint64_t mask_pairs(const FieldNames* names, uint8_t* data, size_t length, bint form) noexcept nogil:
    """Hide the values of named parameters; *form*: the octets are a form, only ``&`` ends a value."""
    cdef const uint8_t* found
    cdef size_t at = 0, start, stop
    cdef uint64_t count = 0
    cdef bint coded = False
    while at < length:
        found = <const uint8_t*>memchr(data + at, c"=", length - at)
        if found == NULL:
            break
        stop = found - data
        if at == 0:
            coded = memchr(data, c"%", length) != NULL or memchr(data, c"+", length) != NULL
        if not coded and stop >= 3 and data[stop - 1] != c"]" and not may_end(names, data + stop):
            at = stop + 1
            continue
        start = stop
        while start and stop - start <= 3 * <size_t>LONGEST_NAME and not ends_name(data[start - 1]):
            start -= 1
        at = stop + 1
        if start == stop or not parameter_is_named(names, data + start, stop - start):
            continue
        start = at
        while at < length and data[at] != c"&" and (form or not (
            is_space(data[at]) or data[at] == c'"' or data[at] == c"'" or data[at] == c"<" or data[at] == c">"
            or data[at] == c"#" or data[at] == c"\\"
        )):
            at += 1
        if at > start:
            memset(data + start, c"*", at - start)
            count += 1
    return count


cdef uint64_t mask_parts(const FieldNames* names, uint8_t* data, size_t length) noexcept nogil:
    """Hide the content of named parts of a multipart/form-data body (RFC 7578)."""
    cdef const uint8_t* found
    cdef const uint8_t* line_end = <const uint8_t*>memchr(data, c"\n", length)
    cdef size_t delimiter, at = 0, start, stop, end
    cdef uint64_t count = 0
    cdef uint8_t quote
    if line_end == NULL:
        return 0
    delimiter = line_end - data
    while delimiter and is_space(data[delimiter - 1]):
        delimiter -= 1
    if delimiter < 2 or data[0] != c"-" or data[1] != c"-":
        delimiter = 2                             # the start was not seen: any line of ``--`` ends a part
    while at < length:
        found = <const uint8_t*>memmem(data + at, length - at, b"name=", 5)
        if found == NULL:
            break
        start = found - data + 5
        at = start
        if start > 5 and data[start - 6] == c"e" or start >= length:
            continue                              # ``filename=``
        quote = data[start] if data[start] == c'"' or data[start] == c"'" else c";"
        start += quote != c";"
        stop = start
        while stop < length and stop - start < 3 * <size_t>LONGEST_NAME and data[stop] != quote and data[stop] != c"\r" and data[stop] != c"\n":  # no-cython-lint
            stop += 1
        if not parameter_is_named(names, data + start, stop - start):
            continue
        found = <const uint8_t*>memmem(data + stop, length - stop, b"\r\n\r\n", 4)
        start = length if found == NULL else <size_t>(found - data) + 4
        end = start
        while end < length:
            found = <const uint8_t*>memchr(data + end, c"-", length - end)
            if found == NULL:
                end = length
                break
            end = found - data
            if length - end >= delimiter and end and data[end - 1] == c"\n" and (
                data[end + 1] == c"-" if delimiter == 2 else memmem(data + end, delimiter, data, delimiter) != NULL
            ):
                break
            end += 1
        stop = end
        if stop < length and stop >= start + 2:
            stop -= 2
        if stop > start:
            memset(data + start, c"*", stop - start)
            count += 1
        at = end
    return count


cdef bint has_type(const Message* message, const char* part, size_t size) noexcept nogil:
    """Whether the Content-Type holds *part* (lower case)."""
    cdef Field* field = section_find(&message.head, b"content-type", 12)
    cdef Text value
    cdef size_t i, k
    if field == NULL:
        return False
    value = section_text(&message.head, field.value)
    for i in range(value.length):
        if value.length - i < size:
            return False
        k = 0
        while k < size and lower(value.data[i + k]) == <uint8_t>part[k]:
            k += 1
        if k == size:
            return True
    return False


cdef uint64_t mask_section_fields(const Selection* chosen, Section* section) noexcept nogil:
    cdef const FieldNames* names = &chosen.names
    cdef uint32_t i
    cdef Text value
    cdef uint64_t count = 0
    if section.fields == NULL:
        return 0
    for i in range(section.field_count):
        if header_may_be(&chosen.urls, section, &section.fields[i]) and header_is_named(
            &chosen.urls, section_text(section, section.fields[i].name)
        ):
            value = section_text(section, section.fields[i].value)
            if value.length:
                count += mask_users(<uint8_t*>value.data, value.length)
                count += mask_pairs(&chosen.in_urls, <uint8_t*>value.data, value.length, False)
        if not chosen.everywhere:
            continue
        value = section_text(section, section.fields[i].value)
        if value.length and memchr(value.data, c"=", value.length) != NULL:
            count += mask_pairs(names, <uint8_t*>value.data, value.length, False)
        if value.length and memchr(value.data, c'"', value.length) != NULL:
            count += mask_json(names, <uint8_t*>value.data, value.length)
    return count


cdef uint64_t mask_message(const Selection* chosen, Message* message) noexcept nogil:
    cdef const FieldNames* names = &chosen.names
    cdef uint8_t* data = message.body.data
    cdef size_t length = message.body.length
    cdef uint64_t count = mask_section_fields(chosen, &message.head)
    count += mask_section_fields(chosen, &message.trailers)
    if length == 0 or names.count == 0:
        return count
    if length > 3 and (data[0] == 0 or data[1] == 0) and (
        has_type(message, b"json", 4) or has_type(message, b"form", 4)
    ):
        memset(data, c"*", length)                # UTF-16 or UTF-32: names cannot be found in it
        return count + 1
    count += mask_json(names, data, length)
    if memchr(data, c"=", length) == NULL:
        return count                              # neither a pair nor a part's ``name=``
    if has_type(message, b"multipart/", 10) or (length > 2 and data[0] == c"-" and data[1] == c"-"):
        count += mask_parts(names, data, length)
    if memmem(data, length, b"grant_type=", 11) != NULL:
        names = &chosen.in_urls                   # a token request (RFC 6749 section 4.1.3): its code
    return count + mask_pairs(names, data, length, has_type(message, b"urlencoded", 10))


cdef uint64_t mask_fields(const Selection* chosen, Exchange* exchange) noexcept nogil:
    """Hide every named field of *exchange*; return how many values that were."""
    cdef uint64_t count
    cdef Text target = section_text(&exchange.request.head, exchange.request.target)
    # ``code`` beside ``state`` is that of an authorization response (RFC 6749 section 4.1.2), else any code.
    cdef bint pairs = target.length and memchr(target.data, c"=", target.length) != NULL
    count = 0 if not pairs else mask_pairs(
        &chosen.in_urls if memmem(target.data, target.length, b"state=", 6) != NULL
        else &chosen.in_targets, <uint8_t*>target.data, target.length, False
    )
    return count + mask_message(chosen, &exchange.request) + mask_message(chosen, &exchange.response)


cdef bint is_closed_book(const Message* message) noexcept nogil:
    """Whether a content coding that could not be undone hides what the body holds."""
    cdef const uint8_t* data = message.body.data
    cdef size_t length = message.body.length
    cdef Field* field
    cdef Text value
    if length == 0 or message.head.fields == NULL:
        return False
    field = section_find(&message.head, b"content-encoding", 16)
    if field == NULL:
        return False
    value = section_text(&message.head, field.value)
    if value.length == 0 or (value.length == 8 and lower(value.data[0]) == c"i"):
        return False
    if length > 3 and ((data[0] == 0x1F and data[1] == 0x8B) or (data[0] == 0x28 and data[1] == 0xB5 and data[2] == 0x2F)):  # no-cython-lint
        return True
    return not message.content_decoded and body_text_length(data, length, True) < 0


cdef bint withhold(Message* message) noexcept nogil:
    if not is_closed_book(message):
        return False
    message.body.length = 0
    message.truncated = 1
    return True


# Patterns. Searched by RE2 under the GIL, only where the batch has text for them.

cdef list text_spans(Section* section, const Span* more, int count):
    cdef list found = []
    cdef uint32_t i
    cdef Text text
    cdef int k
    for k in range(count):
        text = section_text(section, more[k])
        if text.length:
            found.append((<size_t>text.data, text.length))
    if section.fields != NULL:
        for i in range(section.field_count):
            text = section_text(section, section.fields[i].value)
            if text.length:
                found.append((<size_t>text.data, text.length))
    return found


cdef tuple undo_percent(const uint8_t* data, size_t length):
    """(octets with percent-encoding undone and ``+`` as a blank, where each came from and the end)."""
    cdef bytearray out = bytearray()
    cdef list places = []
    cdef size_t i = 0
    while i < length:
        places.append(i)
        if data[i] == c"%" and i + 2 < length and hex_value(data[i + 1]) != NOT_HEX and hex_value(data[i + 2]) != NOT_HEX:  # no-cython-lint
            out.append(hex_value(data[i + 1]) << 4 | hex_value(data[i + 2]))
            i += 3
        else:
            out.append(c" " if data[i] == c"+" else data[i])
            i += 1
    places.append(length)
    return bytes(out), places


cdef tuple undo_escapes(const uint8_t* data, size_t length):
    """(octets with JSON escapes undone, where each came from and the end)."""
    cdef bytearray out = bytearray()
    cdef list places = []
    cdef uint8_t plain[LONGEST_NAME + 8]
    cdef size_t i = 0, step, size, k
    while i < length:
        step = 1
        if data[i] == c"\\" and i + 1 < length:
            step = 6 if data[i + 1] == c"u" and i + 6 <= length else 2
        if step == 1:
            places.append(i)
            out.append(data[i])
        else:
            size = unescape_name(data + i, step, plain)
            for k in range(size):
                places.append(i)
                out.append(plain[k])
        i += step
    places.append(length)
    return bytes(out), places


cdef void hide_match(uint8_t* data, size_t length, size_t start, size_t stop) noexcept nogil:
    """Overwrite a match; inside of a JSON number by digits, so that it stays a number."""
    cdef size_t first = start, last = stop, i
    cdef bint number = True
    for i in range(start, stop):
        if not (c"0" <= data[i] <= c"9" or data[i] == c"." or data[i] == c"-"):
            number = False
            break
    if number:
        while first and (c"0" <= data[first - 1] <= c"9" or data[first - 1] == c"." or data[first - 1] == c"-"):
            first -= 1
        while last < length and (c"0" <= data[last] <= c"9" or data[last] == c"."):
            last += 1
        while first and is_space(data[first - 1]):
            first -= 1
        while last < length and is_space(data[last]):
            last += 1
        number = (first and (data[first - 1] == c":" or data[first - 1] == c"[" or data[first - 1] == c",")
                  and last < length and (data[last] == c"," or data[last] == c"}" or data[last] == c"]"))
    for i in range(start, stop):
        if not number or c"0" <= data[i] <= c"9":
            data[i] = c"1" if number else c"*"


cdef tuple _lowered(names):
    found = {(each.encode("utf-8") if isinstance(each, str) else bytes(each)).lower() for each in names}
    if any(not 0 < len(each) <= LONGEST_NAME for each in found):
        raise ValueError(f"a field name has 1 to {LONGEST_NAME} octets")
    return tuple(sorted(found))


cdef int compile_names(FieldNames* into, tuple own, tuple others) except -1:
    """Fill *into* with names that somebody else keeps alive."""
    cdef size_t i
    cdef bytes name
    cdef const uint8_t* data
    cdef uint32_t length, third
    cdef tuple names = own + others
    into.count = len(names)
    into.own = len(own)
    into.names = <Text*>calloc(into.count + 1, sizeof(Text))
    if into.names == NULL:
        raise MemoryError
    for i in range(into.count):
        name = names[i]
        data = <const uint8_t*>PyBytes_AS_STRING(name)
        length = <uint32_t>len(name)
        into.names[i].data = data
        into.names[i].length = length
        if length > into.longest:
            into.longest = length
        into.first[data[0]] = 1
        if c"a" <= data[0] <= c"z":
            into.first[data[0] - 32] = 1
        if length >= 3:
            into.ends[(data[length - 1] & 31) << 5 | data[length - 2] & 31] |= <uint32_t>1 << (data[length - 3] & 31)
        elif length == 2:                         # whatever stands before it
            into.ends[(data[1] & 31) << 5 | data[0] & 31] = 0xFFFFFFFF
        else:
            for third in range(32):
                into.ends[(data[0] & 31) << 5 | third] = 0xFFFFFFFF
    return 0


cdef class Redactor:
    """What *fields* (names, any case) and *patterns* (compiled RE2 expressions over octets) select is masked.

    *first_look*, when given, is an expression that matches a newline-joined list of values whenever one of
    *patterns* matches one of the values; it spares most values a search of their own.

    *defaults* are more names of fields, whose members keep names, truth values and null inside, and which are not
    looked for in header fields, but those of *urls* (names): there user information is masked, too.
    *url_fields* count in URLs only; of them *redirect_fields* only in *urls*, beside ``state`` or ``grant_type``.
    """

    cdef Selection chosen
    cdef tuple kept
    cdef tuple patterns
    cdef object first_look

    def __cinit__(
        self, fields=(), patterns=(), first_look=None, defaults=(), urls=(), url_fields=(), redirect_fields=()
    ):
        cdef size_t i
        cdef bytes name
        cdef tuple own = _lowered(fields)
        cdef tuple others = tuple(each for each in _lowered(defaults) if each not in own)
        cdef tuple anywhere = _lowered(url_fields)
        cdef tuple redirects = _lowered(redirect_fields)
        cdef tuple headers = _lowered(urls)
        self.kept = (own, others, anywhere, redirects, headers)
        self.patterns = tuple(patterns)
        self.first_look = first_look
        compile_names(&self.chosen.names, own, others)
        compile_names(&self.chosen.in_targets, own, others + anywhere)
        compile_names(&self.chosen.in_urls, own, others + anywhere + redirects)
        self.chosen.everywhere = len(own) > 0
        self.chosen.urls.names = <Text*>calloc(len(headers) + 1, sizeof(Text))
        if self.chosen.urls.names == NULL:
            raise MemoryError
        self.chosen.urls.count = len(headers)
        for i in range(self.chosen.urls.count):
            name = headers[i]
            header_names_add(
                &self.chosen.urls, i, <const uint8_t*>PyBytes_AS_STRING(name), <uint32_t>len(name)
            )

    def __dealloc__(self):
        free(self.chosen.names.names)
        free(self.chosen.in_targets.names)
        free(self.chosen.in_urls.names)
        free(self.chosen.urls.names)

    def redact(self, Batch batch not None, size_t start=0, stop=None) -> tuple:
        """Mask in place, from position *start* to *stop*: (values hidden by name, matches hidden, bodies withheld).

        A body whose content coding could not be undone is withheld: emptied and marked truncated.
        Decode the batch first.
        """
        cdef Exchange* first = <Exchange*>batch._from(start)
        cdef Exchange* exchange = first
        cdef size_t end = batch.count if stop is None or stop > batch.count else stop
        cdef size_t count = end - start if end > start else 0, left = count
        cdef uint64_t fields = 0, matches = 0, withheld = 0
        cdef bint strict = self.chosen.names.own or self.patterns
        if not self.chosen.in_urls.count and not self.chosen.urls.count and not self.patterns:
            return 0, 0, 0
        with nogil:
            while exchange != NULL and left:
                left -= 1
                if strict:
                    withheld += withhold(&exchange.request)
                    withheld += withhold(&exchange.response)
                fields += mask_fields(&self.chosen, exchange)
                exchange = exchange.next
        if self.patterns:
            exchange = first
            left = count
            while exchange != NULL and left:
                left -= 1
                matches += self.search_exchange(exchange)
                exchange = exchange.next
        return fields, matches, withheld

    cdef uint64_t search_exchange(self, Exchange* exchange) except? 0xFFFFFFFFFFFF:
        cdef Span spans[3]
        cdef uint64_t count = 0
        cdef list texts
        spans[0] = exchange.request.target
        spans[1] = exchange.request.authority
        spans[2] = exchange.response.reason
        texts = text_spans(&exchange.request.head, spans, 2)
        texts += text_spans(&exchange.request.trailers, NULL, 0)
        texts += text_spans(&exchange.response.head, &spans[2], 1)
        texts += text_spans(&exchange.response.trailers, NULL, 0)
        if self.first_look is None or self.first_look.search(
            b"\n".join([(<const uint8_t*><size_t>at)[:length] for at, length in texts])
        ) is not None:
            for at, length in texts:
                count += self.search(<uint8_t*><size_t>at, length)
        for at, length in texts:
            count += self.search_coded(<uint8_t*><size_t>at, length, True, False)
        count += self.search_body(&exchange.request)
        count += self.search_body(&exchange.response)
        return count

    cdef uint64_t search_body(self, Message* message) except? 0xFFFFFFFFFFFF:
        cdef uint64_t count
        if message.body.length == 0:
            return 0
        count = self.search(message.body.data, message.body.length)
        return count + self.search_coded(
            message.body.data, message.body.length,
            has_type(message, b"urlencoded", 10), has_type(message, b"json", 4),
        )

    cdef uint64_t search(self, uint8_t* data, size_t length) except? 0xFFFFFFFFFFFF:
        cdef bytes octets = PyBytes_FromStringAndSize(<const char*>data, <Py_ssize_t>length)
        cdef uint64_t count = 0
        cdef size_t start, stop
        for pattern in self.patterns:
            if pattern.search(octets) is None:
                continue
            for match in pattern.finditer(octets):
                start, stop = match.span()
                if stop > start:
                    hide_match(data, length, start, stop)
                    count += 1
        return count

    cdef uint64_t search_coded(self, uint8_t* data, size_t length, bint percent, bint escapes) except? 0xFFFFFFFFFFFF:
        """The same in what the octets stand for, where they are encoded."""
        cdef uint64_t count = 0
        cdef size_t start, stop
        cdef tuple undone
        if percent and memchr(data, c"%", length) == NULL and memchr(data, c"+", length) == NULL:
            percent = False
        if escapes and memchr(data, c"\\", length) == NULL:
            escapes = False
        if not percent and not escapes:
            return 0
        undone = undo_percent(data, length) if percent else undo_escapes(data, length)
        for pattern in self.patterns:
            if pattern.search(undone[0]) is None:
                continue
            for match in pattern.finditer(undone[0]):
                start, stop = match.span()
                if stop > start:
                    start, stop = undone[1][start], undone[1][stop]
                    memset(data + start, c"*", stop - start)
                    count += 1
        return count
