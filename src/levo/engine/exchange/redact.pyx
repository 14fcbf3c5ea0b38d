"""Redaction of fields and patterns, in place and of the same length, before a batch leaves the sensor.

*Fields* are looked for by name, not by parsing: wherever ``"name"`` stands before a colon, or ``name=`` where
a parameter can begin, the value behind it is hidden, so a body that is cut, broken or labeled wrongly hides
as much as a whole one. Doubt hides more. *Patterns* (RE2 objects) are searched in bodies, field values and
the request target, and again with percent-encoding and JSON escapes undone.

A hidden octet is ``*``; in JSON, structure stays and numbers stay numbers (each digit becomes ``1``), so what
is left has the shape it had. Object members inside a hidden member are hidden with their names.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy, memset

from levo.engine.exchange.batch cimport Batch
from levo.engine.core.exchange cimport section_find, section_text
from levo.engine.core.output cimport Text, body_text_length, lower
from levo.engine.core.types cimport Exchange, Field, Message, Section, Span
from levo.engine.exchange.headers cimport (
    HEADER_OTHER,
    HEADER_URL,
    HeaderKind,
    HeaderName,
    HeaderNames,
    header_kind,
    header_may_be,
    header_names_add,
    mask_header,
    mask_target_users,
    mask_users,
)

cdef extern from "<string.h>" nogil:
    void* memchr(const void* data, int octet, size_t length)
    void* memrchr(const void* data, int octet, size_t length)
    void* memmem(const void* data, size_t length, const void* wanted, size_t size)

cdef enum:
    NOT_HEX = 255
    REACH = 6 * LONGEST_NAME + 8                  # octets of the longest name, all of them escaped
    MOST_LEVELS = 3                               # of percent-encoding inside of percent-encoding
    BESIDE = 512                                  # octets to either side in which a member tells what another one is


cdef const char* DIGITS = b"0123456789ABCDEF"


cdef enum Place:
    # Where parameters stand decides what else is a credential.
    IN_FIELD = 0
    IN_BODY = 1
    IN_TARGET = 2
    IN_URL = 3


cdef struct Hidden:
    uint64_t headers
    uint64_t fields


cdef inline uint8_t hex_value(uint8_t c) noexcept nogil:
    if c"0" <= c <= c"9":
        return c - c"0"
    c = lower(c)
    return c - c"a" + 10 if c"a" <= c <= c"f" else NOT_HEX


cdef inline bint is_space(uint8_t c) noexcept nogil:
    return c == c" " or c == c"\t" or c == c"\r" or c == c"\n"


cdef NameKind is_named(const FieldNames* names, const uint8_t* data, size_t length) noexcept nogil:
    cdef size_t i
    cdef uint32_t k
    if length == 0 or length > names.longest or not names.first[data[0]]:
        return NOT_NAMED
    if not names.ends[length] >> (data[length - 1] & 31) & 1:
        return NOT_NAMED
    for k in range(names.begin[length], names.begin[length + 1]):
        i = 0
        while i < length and lower(data[i]) == names.names[k].data[i]:
            i += 1
        if i == length:
            return names.names[k].kind
    return NOT_NAMED


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


cdef NameKind key_is_named(const FieldNames* names, const uint8_t* data, size_t length) noexcept nogil:
    cdef uint8_t plain[LONGEST_NAME + 8]
    if length == 0 or length > 6 * <size_t>LONGEST_NAME:
        return NOT_NAMED
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


cdef bint is_told_beside(
    const FieldNames* names, const uint8_t* data, size_t quote, size_t length, size_t depth
) noexcept nogil:
    """Whether the object around *quote* says in a member ``name`` or ``key`` what its ``value`` is: a named one."""
    cdef size_t start = quote - BESIDE if quote > BESIDE else 0
    cdef size_t end = quote + BESIDE if length - quote > BESIDE else length
    cdef const uint8_t* found = <const uint8_t*>memrchr(data + start, c"{", quote - start)
    if found != NULL:
        start = found - data
    found = <const uint8_t*>memchr(data + quote, c"}", end - quote)
    if found != NULL:
        end = found - data
    return says_name(names, data, start, end, b"name", 4, depth) or says_name(
        names, data, start, end, b"key", 3, depth)


cdef bint says_name(
    const FieldNames* names, const uint8_t* data, size_t at, size_t end, const char* key, size_t size, size_t depth
) noexcept nogil:
    """Whether a member *key* between *at* and *end* has one of the names as its value."""
    cdef const uint8_t* found
    cdef size_t start
    cdef NameKind kind
    cdef Section section
    cdef Field field
    while at + size + 2 < end:
        found = <const uint8_t*>memchr(data + at, c'"', end - at - size - 2)
        if found == NULL:
            return False
        at = found - data + 1
        start = 0
        while start < size and lower(data[at + start]) == <uint8_t>key[start]:
            start += 1
        if start < size:
            continue
        start = string_end(data, at, end, depth)
        if start - at - (depth if start < end else 0) != size or not is_member_name(data, start + 1, end):
            continue
        found = <const uint8_t*>memchr(data + start + 1, c'"', end - start - 1)
        if found == NULL:
            return False
        start = found - data + 1
        at = string_end(data, start, end, depth)
        if at >= end:
            return False
        kind = key_is_named(names, data + start, at - start - depth)
        if kind == NAMED_BY_USER or kind == NAMED_BY_DEFAULT:
            return True
        memset(&section, 0, sizeof(Section))
        section.text = <uint8_t*>data
        section.text_length = <uint32_t>end
        field.name.at = <uint32_t>start
        field.name.length = <uint32_t>(at - start - depth)
        if names.headers == NULL or not field.name.length:
            return False
        return header_kind(names.headers, &section, &field) not in (HEADER_OTHER, HEADER_URL)
    return False


cdef size_t mask_member(
    const FieldNames* names, uint8_t* data, size_t quote, size_t length, uint64_t* count
) noexcept nogil:
    """Hide the value of the member whose name begins at *quote*; the place behind it, 0 when it is not named."""
    cdef size_t at = quote + 1, depth, limit, end, run
    cdef NameKind kind
    if at >= length or not (names.first[data[at]] or data[at] == c"\\"):
        return 0
    depth = slashes_before(data, quote)
    if depth & (depth + 1):                       # 0, 1, 3, 7 ...: else an escaped backslash stands before it
        depth = 0
    limit = length if length - at <= REACH else at + REACH
    end = string_end(data, at, limit, depth)
    if end >= limit or end == at:
        return 0
    run = slashes_before(data + at, end - at)
    if run > depth:
        run = depth
    kind = key_is_named(names, data + at, end - at - run)
    if kind == NAMED_BESIDE and is_told_beside(names, data, quote, length, depth):
        kind = NAMED_BY_DEFAULT
    if kind != NAMED_BY_USER and kind != NAMED_BY_DEFAULT:
        return 0
    end += 1
    while end < length and is_space(data[end]):
        end += 1
    if end == length or data[end] != c":":
        return 0
    return hide_value(data, end + 1, length, depth, kind == NAMED_BY_DEFAULT, count)


cdef bint mask_json(const FieldNames* names, uint8_t* data, size_t length, uint64_t* count) noexcept nogil:
    """Hide the values of named members at any depth, in whatever JSON the octets hold; False if no ``=`` was met."""
    cdef size_t at = 0, start, end, after
    cdef int equals = False
    if names.unfiltered:
        mask_each_member(names, data, length, count)
        return True
    while True:
        end = next_member(names.endings, data, at, length, &equals)
        if end == length:
            return equals
        start = opening_quote(data, at, end)
        after = mask_member(names, data, start, length, count) if start < end else 0
        if after:
            equals = True                         # it was not looked for in the value
        at = after if after else end + 1


cdef size_t opening_quote(const uint8_t* data, size_t at, size_t colon) noexcept nogil:
    """Where the string before *colon* begins, if it has no quote in it; *colon* when not within reach."""
    cdef const uint8_t* found
    cdef size_t end = colon
    while data[end - 1] != c'"':
        end -= 1
    end -= 1
    if end > REACH and at < end - REACH:
        at = end - REACH
    if at >= end:
        return colon
    found = <const uint8_t*>memrchr(data + at, c'"', end - at)
    return colon if found == NULL else <size_t>(found - data)


cdef void mask_each_member(const FieldNames* names, uint8_t* data, size_t length, uint64_t* count) noexcept nogil:
    """Look at each quote: for names that the first look does not see."""
    cdef const uint8_t* found
    cdef size_t at = 0, after
    while at < length:
        found = <const uint8_t*>memchr(data + at, c'"', length - at)
        if found == NULL:
            return
        after = mask_member(names, data, found - data, length, count)
        at = after if after else <size_t>(found - data) + 1


# Parameters: name=value in queries, forms and links.

cdef NameKind parameter_is_named(const FieldNames* names, const uint8_t* data, size_t length) noexcept nogil:
    """A name as it stands, percent-decoded, or its last part: ``user[password]``, ``user.password``."""
    cdef uint8_t plain[LONGEST_NAME + 8]
    cdef size_t size = 0, i = 0, part
    cdef NameKind kind
    plain[0] = 0
    while i < length:
        if size >= LONGEST_NAME:
            return NOT_NAMED
        if data[i] == c"%" and i + 2 < length and hex_value(data[i + 1]) != NOT_HEX and hex_value(data[i + 2]) != NOT_HEX:  # no-cython-lint
            plain[size] = hex_value(data[i + 1]) << 4 | hex_value(data[i + 2])
            i += 3
        else:
            plain[size] = c" " if data[i] == c"+" else data[i]
            i += 1
        size += 1
    if size == 0:
        return NOT_NAMED
    kind = is_named(names, plain, size)
    if kind != NOT_NAMED:
        return kind
    while size and (plain[size - 1] == c"]" or plain[size - 1] == c"["):
        size -= 1                                 # ``name[]`` and ``name[0]``-like ends
    part = size
    while part and plain[part - 1] != c"[" and plain[part - 1] != c".":
        part -= 1
    kind = is_named(names, plain + part, size - part)
    if kind != NOT_NAMED:
        return kind
    part = 0
    while part < size and plain[part] != c"[":
        part += 1
    return is_named(names, plain, part) if part < size else NOT_NAMED


cdef bint is_redirect(const uint8_t* data, size_t length, Place place) noexcept nogil:
    """Whether it says that ``code`` is a credential: an authorization response (RFC 6749 section 4.1.2) with its
    ``state``, or a token request (section 4.1.3).
    """
    if place == IN_TARGET:
        return memmem(data, length, b"state=", 6) != NULL
    return place == IN_URL or (place == IN_BODY and memmem(data, length, b"grant_type=", 11) != NULL)


cdef uint64_t mask_pairs(
    const FieldNames* names, uint8_t* data, size_t length, Place place, bint form
) noexcept nogil:
    """Hide the values of named parameters; *form*: the octets are a form, only ``&`` ends a value."""
    cdef const uint8_t* found
    cdef size_t at = 0, start, stop, first
    cdef uint64_t count = 0
    cdef uint8_t mark, marks
    cdef NameKind kind
    cdef int redirect = -1                        # not looked for yet
    while at < length:
        found = <const uint8_t*>memchr(data + at, c"=", length - at)
        if found == NULL:
            break
        start = stop = found - data
        first = stop - 3 * LONGEST_NAME - 1 if stop > 3 * LONGEST_NAME else 0
        marks = 0
        while start > first:
            mark = in_pairs[data[start - 1]]
            if mark == ENDS_NAME:
                break
            marks |= mark
            start -= 1
        at = stop + 1
        kind = (parameter_is_named if marks else is_named)(names, data + start, stop - start)
        if kind == NOT_NAMED or kind == NAMED_BESIDE:
            continue
        if redirect < 0:                          # before the first value is hidden, what says so among them
            redirect = is_redirect(data, length, place)
        if kind > NAMED_BY_DEFAULT and not redirect and not (kind == NAMED_IN_URLS and place == IN_TARGET):
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
    cdef NameKind kind
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
        kind = parameter_is_named(names, data + start, stop - start)
        if kind != NAMED_BY_USER and kind != NAMED_BY_DEFAULT:
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


# GraphQL documents, and what parameters hold in percent-encoding.

cdef inline bint in_word(uint8_t c) noexcept nogil:
    return c"a" <= lower(c) <= c"z" or c"0" <= c <= c"9" or c == c"_"


cdef size_t hide_argument(uint8_t* data, size_t at, size_t length, uint64_t* count) noexcept nogil:
    """Hide the value of a GraphQL argument at *at*: a string, a number, a list or an object. Return where it ends.

    Names stay: an enumeration's value, the field that an alias stands for, variables (which are JSON elsewhere).
    """
    cdef const uint8_t* found
    cdef size_t depth, quote = at
    while quote < length and data[quote] == c"\\":
        quote += 1
    if quote == length:
        return length
    depth = quote - at
    if data[quote] == c'"':
        quote = at + 3 * (depth + 1)
        if quote > length or data[quote - 1] != c'"' or data[quote - depth - 2] != c'"':
            return hide_value(data, at, length, depth, False, count)
        # A block string, up to three more quotes.
        found = <const uint8_t*>memmem(data + quote, length - quote, data + at, quote - at)
        at = length if found == NULL else <size_t>(found - data)
        memset(data + quote, c"*", at - quote)
        count[0] += 1
        return length if found == NULL else at + 3 * (depth + 1)
    if data[at] == c"{" or data[at] == c"[":
        return hide_value(data, at, length, 0, False, count)
    if data[at] == c"-" or c"0" <= data[at] <= c"9":
        count[0] += 1
        while at < length and (c"0" <= data[at] <= c"9" or data[at] in b".-+eE"):
            if c"0" <= data[at] <= c"9":
                data[at] = c"1"
            at += 1
    return at


cdef void mask_arguments(const FieldNames* names, uint8_t* data, size_t length, uint64_t* count) noexcept nogil:
    """Hide the values of named arguments, ``name: value``, of a GraphQL document (October 2021, section 2.6).

    The document may be a JSON string, whose quotes have backslashes before them.
    """
    cdef const uint8_t* found
    cdef size_t at = 0, start, end
    cdef NameKind kind
    while at < length:
        found = <const uint8_t*>memchr(data + at, c":", length - at)
        if found == NULL:
            return
        start = end = found - data
        at = end + 1
        while end and is_space(data[end - 1]):
            end -= 1
        start = end
        while start and end - start < LONGEST_NAME and in_word(data[start - 1]):
            start -= 1
        if start == end or start and (data[start - 1] == c"$" or data[start - 1] == c'"'):
            continue                              # a variable's type, or a member of JSON
        kind = is_named(names, data + start, end - start)
        if kind != NAMED_BY_USER and kind != NAMED_BY_DEFAULT:
            continue
        while at < length and is_space(data[at]):
            at += 1
        at = hide_argument(data, at, length, count)


cdef inline bint begins(const uint8_t* data, size_t length, const char* text, size_t size) noexcept nogil:
    return length >= size and memcmp(data, text, size) == 0


cdef bint is_graphql(const Exchange* exchange) noexcept nogil:
    """Whether the request's content holds a GraphQL document: by its first member, the target or the type."""
    cdef const uint8_t* data = exchange.request.body.data
    cdef size_t length = exchange.request.body.length, at = 0
    cdef const uint8_t* found
    cdef Text target
    while at < length and (is_space(data[at]) or data[at] == c"[" or data[at] == c"{"):
        at += 1
    data += at
    length -= at
    if length == 0 or data[0] != c'"':
        return length and has_type(&exchange.request, b"graphql", 7)
    if length > 6 and data[1] in b"qove" and (
        begins(data, length, b'"query"', 7) or begins(data, length, b'"operationName"', 15)
        or begins(data, length, b'"variables"', 11) or begins(data, length, b'"extensions"', 12)
    ):
        return True
    target = section_text(&exchange.request.head, exchange.request.target)
    found = <const uint8_t*>memchr(target.data, c"q", target.length) if target.length else NULL
    return found != NULL and memmem(target.data, target.length, b"graphql", 7) != NULL


cdef inline bint may_nest(const uint8_t* data, size_t length) noexcept nogil:
    """Whether values of parameters may hold JSON, a URL or a document: nearly none has such an octet."""
    return (memchr(data, c"%", length) != NULL or memchr(data, c"{", length) != NULL
            or memchr(data, c"@", length) != NULL)


cdef size_t undo_once(uint8_t* data, uint32_t* places, size_t length) noexcept nogil:
    """Undo one level of percent-encoding in place; *places*: where each octet came from. The octets left."""
    cdef size_t i = 0, size = 0
    while i < length:
        places[size] = places[i]
        if data[i] == c"%" and i + 2 < length and hex_value(data[i + 1]) != NOT_HEX and hex_value(data[i + 2]) != NOT_HEX:  # no-cython-lint
            data[size] = hex_value(data[i + 1]) << 4 | hex_value(data[i + 2])
            i += 3
        else:
            data[size] = data[i]
            i += 1
        size += 1
    places[size] = places[length]
    return size


cdef void put_back(uint8_t* data, uint32_t start, uint32_t stop, uint8_t octet) noexcept nogil:
    """Write *octet* for the encoded one between *start* and *stop*, encoded as that was."""
    cdef uint32_t i
    if stop - start == 1:
        data[start] = octet
        return
    for i in range(start, stop):                  # %2A; %252A where it was encoded twice
        data[i] = c"%" if i == start else c"2" if (i - start) & 1 else c"5"
    data[stop - 2] = DIGITS[octet >> 4]
    data[stop - 1] = DIGITS[octet & 15]


cdef uint64_t mask_nested(const FieldNames* names, uint8_t* data, size_t length, Place place) noexcept nogil:
    """Hide what is named in values that hold JSON, a URL or a GraphQL document, encoded MOST_LEVELS times at most.

    All values are looked at together: an encoded ``&`` ends one, too. Doubt hides more.
    """
    cdef uint8_t* plain
    cdef uint8_t* seen
    cdef uint32_t* places
    cdef size_t size = length, i, before
    cdef uint64_t count = 0
    cdef int level
    if length > 0x7FFFFFF:
        return 0
    places = <uint32_t*>malloc((length + 1) * (sizeof(uint32_t) + 2))
    if places == NULL:
        memset(data, c"*", length)                # what cannot be looked at must not leave
        return 1
    plain = <uint8_t*>(places + length + 1)
    seen = plain + length + 1
    for i in range(length):
        plain[i] = c" " if data[i] == c"+" else data[i]
        places[i] = <uint32_t>i
    places[length] = <uint32_t>length
    for level in range(MOST_LEVELS + 1):
        if level:
            before = size
            size = undo_once(plain, places, before)
            if size == before:
                break
            for i in range(size):                 # those of the pairs around it do not belong to a value
                if (plain[i] == c"=" or plain[i] == c"&") and places[i + 1] - places[i] == 1:
                    plain[i] = c"\n"
        memcpy(seen, plain, size)
        mask_json(names, plain, size, &count)
        if level:
            count += mask_pairs(names, plain, size, place, False)
        mask_url_users(plain, size, &count)
        if memchr(plain, c"{", size) != NULL:
            mask_arguments(names, plain, size, &count)
        for i in range(size):
            if plain[i] != seen[i]:
                put_back(data, places[i], places[i + 1], plain[i])
    free(places)
    return count


cdef inline void mask_field(
    const Selection* chosen, Section* section, const Field* field, Hidden* hidden
) noexcept nogil:
    """Hide what is secret in the value of one header field."""
    cdef Text value = section_text(section, field.value)
    cdef uint8_t* data = <uint8_t*>value.data
    cdef HeaderKind kind
    if not value.length:
        return
    kind = header_kind(&chosen.headers, section, field)
    if kind == HEADER_URL:
        hidden.fields += mask_users(data, value.length)
        if memchr(data, c"=", value.length) != NULL:
            hidden.fields += mask_pairs(&chosen.names, data, value.length, IN_URL, False)
        if may_nest(data, value.length):
            hidden.fields += mask_nested(&chosen.names, data, value.length, IN_URL)
    elif mask_header(kind, value):
        hidden.headers += 1
    if not chosen.everywhere:
        return
    if memchr(data, c"=", value.length) != NULL:
        hidden.fields += mask_pairs(&chosen.names, data, value.length, IN_FIELD, False)
    if memchr(data, c'"', value.length) != NULL:
        mask_json(&chosen.names, data, value.length, &hidden.fields)


cdef inline void mask_section(const Selection* chosen, Section* section, Hidden* hidden) noexcept nogil:
    """Look at each header field once: its name's length and three of its octets tell most from those that matter."""
    cdef const Field* field = section.fields
    cdef const Field* end = field + section.field_count
    cdef Span name
    while field != end:
        name = field.name
        if name.length and <uint64_t>name.at + name.length <= section.text_length:
            if header_may_be(&chosen.headers, section.text + name.at, name.length):
                mask_field(chosen, section, field, hidden)
        field += 1


cdef inline bint ends_authority(uint8_t octet) noexcept nogil:
    return (octet <= 32 or octet == c"/" or octet == c'"' or octet == c"'" or octet == c"<" or octet == c">"
            or octet == c"?" or octet == c"#" or octet == c"," or octet == c"\\")


cdef void mask_url_users(uint8_t* data, size_t length, uint64_t* count) noexcept nogil:
    """Hide the user information of URLs in a text: what stands between ``//`` and ``@``."""
    cdef const uint8_t* found
    cdef size_t at = 0, start, before
    while at < length:
        found = <const uint8_t*>memchr(data + at, c"@", length - at)
        if found == NULL:
            return
        start = at = found - data
        while start and at - start < LONGEST_NAME and not ends_authority(data[start - 1]):
            start -= 1
        before = start
        if start < at and before and data[before - 1] == c"/":
            before -= 1
            if before and data[before - 1] == c"\\":
                before -= 1                       # JSON may escape it
            if before and data[before - 1] == c"/":
                memset(data + start, c"*", at - start)
                count[0] += 1
        at += 1


cdef bint holds_heads(const Message* message) noexcept nogil:
    """Whether the content may hold messages: ``message/http``, ``application/http``, parts of a batch; or no type."""
    cdef Field* field = section_find(&message.head, b"content-type", 12)
    return (
        field == NULL
        or field.value.length == 0
        or has_type(message, b"message/", 8)
        or has_type(message, b"application/http", 16)
        or has_type(message, b"multipart/", 10)
    )


cdef void mask_heads(const Selection* chosen, uint8_t* data, size_t length, Hidden* hidden) noexcept nogil:
    """Hide what is secret in lines like those of a head, wherever they stand in a body; their folds, too."""
    cdef Section section
    cdef Field field
    cdef const uint8_t* found
    cdef size_t at = 0, end, colon
    cdef bint secret = False
    memset(&section, 0, sizeof(Section))
    section.text = data
    section.text_length = <uint32_t>length
    while at < length:
        found = <const uint8_t*>memchr(data + at, c"\n", length - at)
        end = length if found == NULL else <size_t>(found - data)
        if secret and end > at and (data[at] == c" " or data[at] == c"\t"):
            memset(data + at + 1, c"*", end - at - 1 - (data[end - 1] == c"\r"))
            at = end + 1
            continue
        secret = False
        found = <const uint8_t*>memchr(data + at, c":", end - at)
        colon = at if found == NULL else <size_t>(found - data)
        if 0 < colon - at < LONGEST_NAME and header_may_be(&chosen.headers, data + at, <uint32_t>(colon - at)):
            field.name.at = <uint32_t>at
            field.name.length = <uint32_t>(colon - at)
            colon += 1
            while colon < end and is_space(data[colon]):
                colon += 1
            field.value.at = <uint32_t>colon
            field.value.length = <uint32_t>(end - colon)
            while field.value.length and is_space(data[colon + field.value.length - 1]):
                field.value.length -= 1
            secret = header_kind(&chosen.headers, &section, &field) not in (HEADER_OTHER, HEADER_URL)
            mask_field(chosen, &section, &field, hidden)
        at = end + 1


cdef size_t element_name(const uint8_t* data, size_t at, size_t length, size_t* start) noexcept nogil:
    """Where the name of an element or attribute that begins at *at* ends; *start*: of it without a prefix."""
    start[0] = at
    while at < length and not (
        is_space(data[at]) or data[at] == c">" or data[at] == c"/" or data[at] == c"=" or data[at] == c"<"
    ):
        at += 1
        if data[at - 1] == c":":
            start[0] = at
    return at


cdef void mask_elements(const FieldNames* names, uint8_t* data, size_t length, uint64_t* count) noexcept nogil:
    """Hide the text of named elements and the values of named attributes (XML, HTML)."""
    cdef const uint8_t* found
    cdef size_t at = 0, start = 0, end
    cdef NameKind kind
    cdef bint inside
    while at < length:
        found = <const uint8_t*>memchr(data + at, c"<", length - at)
        if found == NULL:
            return
        at = found - data + 1
        end = element_name(data, at, length, &start)
        kind = is_named(names, data + start, end - start)
        inside = kind == NAMED_BY_USER or kind == NAMED_BY_DEFAULT
        at = mask_attributes(names, data, end, length, count)
        while inside and at < length and data[at - 1] == c">" and (at < 2 or data[at - 2] != c"/"):
            # Text up to the next tag; of a CDATA section all of it.
            end = at
            if length - at > 9 and memcmp(data + at, b"<![CDATA[", 9) == 0:
                at += 9
                found = <const uint8_t*>memmem(data + at, length - at, b"]]>", 3)
            else:
                found = <const uint8_t*>memchr(data + at, c"<", length - at)
            end = length if found == NULL else <size_t>(found - data)
            if end > at:
                memset(data + at, c"*", end - at)
                count[0] += 1
            at = end
            break


cdef size_t mask_attributes(
    const FieldNames* names, uint8_t* data, size_t at, size_t length, uint64_t* count
) noexcept nogil:
    """Hide the values of named attributes from *at* on to the end of the tag; the place after that."""
    cdef size_t start = 0, end, value
    cdef uint8_t quote
    cdef NameKind kind
    while at < length and data[at] != c">" and data[at] != c"<":
        end = element_name(data, at, length, &start)
        if end == at:
            at += 1
            continue
        at = end
        while at < length and is_space(data[at]):
            at += 1
        if at + 1 >= length or data[at] != c"=":
            continue
        at += 1
        while at < length and is_space(data[at]):
            at += 1
        if at == length or (data[at] != c'"' and data[at] != c"'"):
            continue
        quote = data[at]
        value = at + 1
        at = value
        while at < length and data[at] != quote:
            at += 1
        kind = is_named(names, data + start, end - start)
        if at > value and (kind == NAMED_BY_USER or kind == NAMED_BY_DEFAULT):
            memset(data + value, c"*", at - value)
            count[0] += 1
        if at < length:
            at += 1
    return at + 1 if at < length and data[at] == c">" else at


cdef void mask_body(const Selection* chosen, Message* message, Hidden* hidden) noexcept nogil:
    cdef const FieldNames* names = &chosen.names
    cdef uint64_t* count = &hidden.fields
    cdef uint8_t* data = message.body.data
    cdef size_t length = message.body.length
    cdef bint form
    if length > 3 and (data[0] == 0 or data[1] == 0 or data[0] >= 0xFE) and (
        has_type(message, b"json", 4) or has_type(message, b"form", 4) or has_type(message, b"xml", 3)
    ):
        memset(data, c"*", length)                # UTF-16 or UTF-32 that was not decoded: no name can be found in it
        count[0] += 1
        return
    if length > 3 and data[0] == 0xEF and data[1] == 0xBB and data[2] == 0xBF:
        data += 3                                 # a byte order mark is not part of a name
        length -= 3
    if data[0] != c"{" and data[0] != c"[":
        if data[0] == c"<":
            mask_elements(&chosen.names, data, length, count)
        if holds_heads(message):
            mask_heads(chosen, data, length, hidden)
    if memchr(data, c"@", length) != NULL:
        mask_url_users(data, length, count)
    if not mask_json(names, data, length, count) or memchr(data, c"=", length) == NULL:
        return                                    # neither a pair nor a part's ``name=``
    if has_type(message, b"multipart/", 10) or (length > 2 and data[0] == c"-" and data[1] == c"-"):
        count[0] += mask_parts(names, data, length)
    form = has_type(message, b"urlencoded", 10)
    count[0] += mask_pairs(names, data, length, IN_BODY, form)
    if form and may_nest(data, length):
        count[0] += mask_nested(names, data, length, IN_BODY)


cdef void mask_message(const Selection* chosen, Message* message, Hidden* hidden) noexcept nogil:
    mask_section(chosen, &message.head, hidden)
    if message.trailers.field_count:
        mask_section(chosen, &message.trailers, hidden)
    if message.body.length and (chosen.names.members or chosen.headers.count):
        mask_body(chosen, message, hidden)


cdef void mask_exchange(const Selection* chosen, Exchange* exchange, Hidden* hidden) noexcept nogil:
    """Hide all that has a chosen name, and the user information of URLs."""
    cdef Text target = section_text(&exchange.request.head, exchange.request.target)
    if target.length and target.data[0] != c"/" or exchange.request.authority.length:
        hidden.headers += mask_target_users(exchange)
    if target.length and memchr(target.data, c"=", target.length) != NULL:
        hidden.fields += mask_pairs(&chosen.names, <uint8_t*>target.data, target.length, IN_TARGET, False)
        if may_nest(target.data, target.length):
            hidden.fields += mask_nested(&chosen.names, <uint8_t*>target.data, target.length, IN_TARGET)
    if exchange.request.body.length and chosen.names.members and is_graphql(exchange):
        mask_arguments(&chosen.names, exchange.request.body.data, exchange.request.body.length, &hidden.fields)
    mask_message(chosen, &exchange.request, hidden)
    mask_message(chosen, &exchange.response, hidden)


cdef bint is_closed_book(const Message* message) noexcept nogil:
    """Whether a content or transfer coding that could not be undone hides what the body holds."""
    cdef const uint8_t* data = message.body.data
    cdef size_t length = message.body.length
    cdef Field* field
    cdef Text value
    if length == 0 or message.head.fields == NULL:
        return False
    field = section_find(&message.head, b"content-encoding", 16)
    if field == NULL:
        field = section_find(&message.head, b"transfer-encoding", 17)
        if field == NULL or field.value.length == 7:
            return False                          # chunked alone: undone
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


cdef dict _headers(secret, holding_urls):
    """Names of both, lower-case, sorted by length: whether they hold URLs and are not secret as a whole."""
    cdef dict found = {}
    for names, holds_urls in ((secret, False), (holding_urls, True)):
        for each in names:
            name = (each.encode("utf-8") if isinstance(each, str) else bytes(each)).lower()
            if name:
                found.setdefault(name, holds_urls)
    return dict(sorted(found.items(), key=lambda item: len(item[0])))


cdef int compile_names(FieldNames* into, list found) except -1:
    """Fill *into* with (name, kind), which are sorted by length and which somebody else keeps alive."""
    cdef uint8_t end[LONGEST_NAME + 16]
    cdef size_t i, length = 0
    cdef bytes name
    cdef const uint8_t* data
    cdef unsigned int place
    into.count = len(found)
    into.names = <FieldName*>calloc(into.count + 1, sizeof(FieldName))
    if into.names == NULL:
        raise MemoryError
    for i in range(into.count):
        name, kind = found[i]
        data = <const uint8_t*>PyBytes_AS_STRING(name)
        while length < <size_t>len(name):
            length += 1
            into.begin[length] = <uint32_t>i
        into.names[i].data = data
        into.names[i].kind = kind
        into.first[data[0]] = 1
        into.ends[length] |= <uint32_t>1 << (data[length - 1] & 31)
        if c"a" <= data[0] <= c"z":
            into.first[data[0] - 32] = 1
        if kind != NAMED_BY_USER and kind != NAMED_BY_DEFAULT and kind != NAMED_BESIDE:
            continue
        into.members += 1
        into.unfiltered |= length < 3 or b'"' in name or b"\\" in name
        memset(end, 0, 8)
        end[7] = c'"'                             # stands before the name
        memcpy(end + 8, data, length)
        place = ending(word_at(end + length))
        into.endings[place >> 6] |= <uint64_t>1 << (place & 63)
    into.longest = <uint32_t>length
    while length <= LONGEST_NAME:
        length += 1
        into.begin[length] = <uint32_t>into.count
    return 0


cdef int compile_headers(HeaderNames* into, dict names) except -1:
    """Fill *into* with names that somebody else keeps alive: whether they hold URLs."""
    cdef bytes name
    into.names = <HeaderName*>calloc(len(names) + 1, sizeof(HeaderName))
    if into.names == NULL:
        raise MemoryError
    for name, holds_urls in names.items():
        header_names_add(into, <const uint8_t*>PyBytes_AS_STRING(name), <uint32_t>len(name), holds_urls)
    return 0


cdef class Redactor:
    """What *fields* (names, any case) and *patterns* (compiled RE2 expressions over octets) select is masked.

    *first_look*, when given, is an expression that matches a newline-joined list of values whenever one of
    *patterns* matches one of the values; it spares most values a search of their own.

    *headers* are names of header fields that hold credentials (see ``mask_header``). *defaults* are more names of
    fields, whose members keep names, truth values and null inside, and which are not looked for in header fields,
    but those of *urls* (names): there user information is masked, too.
    *url_fields* count in URLs only; of them *redirect_fields* only in *urls*, beside ``state`` or ``grant_type``.
    """

    cdef Selection chosen
    cdef tuple kept
    cdef tuple patterns
    cdef object first_look

    def __cinit__(
        self, fields=(), patterns=(), first_look=None, defaults=(), urls=(), url_fields=(), redirect_fields=(),
        headers=(),
    ):
        cdef dict kinds = {b"value": NAMED_BESIDE} if defaults else {}
        for names, kind in (
            (redirect_fields, NAMED_IN_REDIRECTS), (url_fields, NAMED_IN_URLS), (defaults, NAMED_BY_DEFAULT),
            (fields, NAMED_BY_USER),
        ):
            kinds.update(dict.fromkeys(_lowered(names), kind))
        cdef list found = sorted(kinds.items(), key=lambda item: len(item[0]))
        cdef dict secret = _headers(headers, urls)
        self.kept = (found, secret)
        self.patterns = tuple(patterns)
        self.first_look = first_look
        self.chosen.everywhere = bool(fields)
        self.chosen.names.headers = &self.chosen.headers
        compile_names(&self.chosen.names, found)
        compile_headers(&self.chosen.headers, secret)
        if self.chosen.everywhere:
            memset(self.chosen.headers.keys, 0xFF, sizeof(self.chosen.headers.keys))

    def __dealloc__(self):
        free(self.chosen.names.names)
        free(self.chosen.headers.names)

    def redact(self, Batch batch not None, size_t start=0, stop=None) -> tuple:
        """Mask in place, from position *start* to *stop*.

        A body whose content coding could not be undone is withheld (emptied and marked truncated) when there are
        fields or patterns. Decode the batch first.

        Returns values hidden in header fields and targets, values hidden by name, matches hidden, bodies withheld.
        """
        cdef Exchange* first = <Exchange*>batch._from(start)
        cdef Exchange* exchange = first
        cdef size_t end = batch.count if stop is None or stop > batch.count else stop
        cdef size_t count = end - start if end > start else 0, left = count
        cdef Hidden hidden
        cdef uint64_t matches = 0, withheld = 0
        cdef bint strict = self.chosen.everywhere or self.patterns
        memset(&hidden, 0, sizeof(Hidden))
        with nogil:
            while exchange != NULL and left:
                left -= 1
                if strict:
                    withheld += withhold(&exchange.request)
                    withheld += withhold(&exchange.response)
                mask_exchange(&self.chosen, exchange, &hidden)
                exchange = exchange.next
        if self.patterns:
            exchange = first
            left = count
            while exchange != NULL and left:
                left -= 1
                matches += self.search_exchange(exchange)
                exchange = exchange.next
        return hidden.headers, hidden.fields, matches, withheld

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
