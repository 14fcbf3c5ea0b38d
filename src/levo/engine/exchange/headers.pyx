"""Masking of header fields and of the users in URLs: secret octets become ``*`` in place, lengths stay.

Of the values that are hidden, the form stays: the scheme of ``authorization`` and ``proxy-authorization``, names and
attributes of cookies, the subprotocols of a WebSocket. Doing it twice changes nothing.
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from levo.engine.core.exchange cimport authority_length, cut, scheme_length, section_text, without_user
from levo.engine.core.output cimport Text, equals_lower, load64, lower
from levo.engine.core.types cimport Exchange, Field, Section, Span

cdef extern from "<string.h>" nogil:
    void* memchr(const void* data, int octet, size_t length)
    void* memrchr(const void* data, int octet, size_t length)
    void* memmem(const void* data, size_t length, const void* wanted, size_t size)


cdef inline bint is_blank(uint8_t octet) noexcept nogil:
    return octet == c" " or octet == c"\t" or octet == c"\r" or octet == c"\n"


cdef inline void hide(uint8_t* data, uint32_t start, uint32_t stop) noexcept nogil:
    if stop > start:
        memset(data + start, c"*", stop - start)


cdef void mask_scheme_value(uint8_t* data, uint32_t length) noexcept nogil:
    """Keep the auth scheme (RFC 9110 section 11.1), hide what follows; without a scheme hide all."""
    cdef uint32_t start = 0, at
    while start < length and is_blank(data[start]):
        start += 1
    at = start
    while at < length and at - start <= 32 and (
        c"a" <= lower(data[at]) <= c"z" or c"0" <= data[at] <= c"9" or data[at] == c"-" or data[at] == c"_"
    ):
        at += 1
    if at == start or at == length or at - start > 32 or not is_blank(data[at]):
        hide(data, start, length)
        return
    while at < length and is_blank(data[at]):
        at += 1
    hide(data, start if at == length else at, length)


cdef inline uint32_t next_pair(
    const uint8_t* data, uint32_t length, uint32_t start, uint32_t* stop, uint32_t* equals
) noexcept nogil:
    """Where the pair begins that comes next from *start* on, where it stops, and its ``=``, or *length* without one."""
    while start < length and is_blank(data[start]):
        start += 1
    stop[0] = start
    equals[0] = length
    while stop[0] < length and data[stop[0]] != c";":
        if data[stop[0]] == c"=" and equals[0] == length:
            equals[0] = stop[0]
        stop[0] += 1
    return start


cdef void mask_cookie(uint8_t* data, uint32_t length) noexcept nogil:
    """Keep cookie names and separators of a Cookie field (RFC 6265 section 4.2.1), hide the values."""
    cdef uint32_t start = 0, stop, equals
    while start < length:
        start = next_pair(data, length, start, &stop, &equals)
        hide(data, start if equals == length else equals + 1, stop)
        start = stop + 1


cdef bint public_attribute(const uint8_t* data, uint32_t length) noexcept nogil:
    """True for cookie attributes whose values are not secret, ``expires`` aside."""
    if length == 4:
        return equals_lower(data, <const uint8_t*>b"path", 4)
    if length == 6:
        return equals_lower(data, <const uint8_t*>b"domain", 6) or equals_lower(data, <const uint8_t*>b"secure", 6)
    if length == 7:
        return equals_lower(data, <const uint8_t*>b"max-age", 7) or equals_lower(data, <const uint8_t*>b"version", 7)
    if length == 8:
        return (equals_lower(data, <const uint8_t*>b"samesite", 8) or equals_lower(data, <const uint8_t*>b"httponly", 8)
                or equals_lower(data, <const uint8_t*>b"priority", 8))
    return length == 11 and equals_lower(data, <const uint8_t*>b"partitioned", 11)


cdef void mask_attribute(uint8_t* data, uint32_t length) noexcept nogil:
    """One cookie attribute: known ones stay; after a comma another cookie may follow, wrongly joined."""
    cdef uint32_t equals = 0, i, commas = 0
    cdef bint is_date
    while equals < length and data[equals] != c"=":
        equals += 1
    is_date = equals == 7 and equals_lower(data, <const uint8_t*>b"expires", 7)
    if not is_date and not public_attribute(data, equals):
        hide(data, 0 if equals == length else equals + 1, length)
        return
    for i in range(equals + 1, length):
        if data[i] == c"," or data[i] == c"=":
            commas += 1
            if data[i] == c"=" or not is_date or commas > 1:
                hide(data, i, length)
                return


cdef void mask_set_cookie(uint8_t* data, uint32_t length) noexcept nogil:
    """Keep name and attributes of a Set-Cookie field (RFC 6265 section 4.1.1), hide the value."""
    cdef uint32_t start = 0, stop, equals
    cdef bint first = True
    while start < length:
        start = next_pair(data, length, start, &stop, &equals)
        if first:
            hide(data, start if equals == length else equals + 1, stop)
        else:
            mask_attribute(data + start, stop - start)
        first = False
        start = stop + 1


cdef void mask_subprotocols(uint8_t* data, uint32_t length) noexcept nogil:
    """Keep the subprotocols of a WebSocket (RFC 6455 section 11.3.4), hide what is none: a token among them.

    A name is short, or a word that is not the one after ``bearer``, ``token`` or the like.
    """
    cdef uint32_t start = 0, stop, end
    cdef bint after_scheme = False
    while start < length:
        while start < length and (is_blank(data[start]) or data[start] == c","):
            start += 1
        stop = start
        while stop < length and data[stop] != c",":
            stop += 1
        end = stop
        while end > start and is_blank(data[end - 1]):
            end -= 1
        if after_scheme or end - start > 32:
            hide(data, start, end)
        after_scheme = announces_token(data + start, end - start)
        start = stop


cdef bint announces_token(const uint8_t* data, uint32_t length) noexcept nogil:
    if length < 3:
        return False
    return (
        (length == 6 and equals_lower(data, <const uint8_t*>b"bearer", 6))
        or (length >= 4 and equals_lower(data + length - 4, <const uint8_t*>b"auth", 4))
        or (length >= 5 and equals_lower(data + length - 5, <const uint8_t*>b"token", 5))
        or equals_lower(data + length - 3, <const uint8_t*>b"jwt", 3)
        or (length >= 12 and equals_lower(data + length - 12, <const uint8_t*>b"access_token", 12))
        or (length >= 13 and equals_lower(data + length - 13, <const uint8_t*>b"authorization", 13))
    )


cdef inline bint named(const uint8_t* name, uint32_t size, const char* lower_name, uint32_t length) noexcept nogil:
    return size == length and equals_lower(name, <const uint8_t*>lower_name, length)


cdef HeaderKind kind_of(const uint8_t* data, uint32_t length) noexcept nogil:
    """What stays of a credential in the header field of that name (lower-case)."""
    if named(data, length, b"authorization", 13) or named(data, length, b"proxy-authorization", 19):
        return HEADER_SCHEME
    if named(data, length, b"cookie", 6):
        return HEADER_COOKIE
    if named(data, length, b"set-cookie", 10):
        return HEADER_SET_COOKIE
    return HEADER_SUBPROTOCOLS if named(data, length, b"sec-websocket-protocol", 22) else HEADER_WHOLE


cdef void header_names_add(
    HeaderNames* names, const uint8_t* data, uint32_t length, bint holds_urls
) noexcept nogil:
    """Add a name (lower-case, not empty); there must be room."""
    cdef HeaderName* name = &names.names[names.count]
    cdef unsigned int key = header_key(data, length)
    cdef uint32_t* row = &names.rows[key & (HEADER_ROWS - 1)]
    name.data = data
    name.length = length
    name.key = key
    name.kind = HEADER_URL if holds_urls else kind_of(data, length)
    names.keys[key >> 6] |= <uint64_t>1 << (key & 63)
    names.count += 1
    name.next = row[0]
    row[0] = <uint32_t>names.count


cdef inline bint is_folded(const uint8_t* data, const uint8_t* lower_name, uint32_t length) noexcept nogil:
    """Whether *data* is *lower_name*, bit 32 of each octet left out: letters in any case, a control for a sign."""
    cdef uint32_t at = 0
    if length < 8:
        return equals_lower(data, lower_name, length)
    while at + 8 <= length:
        if (load64(data + at) ^ load64(lower_name + at)) & <uint64_t>0xDFDFDFDFDFDFDFDF:
            return False
        at += 8
    return not (load64(data + length - 8) ^ load64(lower_name + length - 8)) & <uint64_t>0xDFDFDFDFDFDFDFDF


cdef HeaderKind header_kind(const HeaderNames* names, const Section* section, const Field* field) noexcept nogil:
    """What the one of *names* that *field* has says; HEADER_OTHER for none of them."""
    cdef Text name = section_text(section, field.name)
    cdef const HeaderName* known
    cdef unsigned int key
    cdef uint32_t place
    while name.length and is_blank(name.data[name.length - 1]):
        name.length -= 1                          # a blank before the colon
    if not name.length:
        return HEADER_OTHER
    key = header_key(name.data, name.length)
    place = names.rows[key & (HEADER_ROWS - 1)]
    while place:
        known = &names.names[place - 1]
        if known.key == key and known.length == name.length and is_folded(name.data, known.data, name.length):
            return known.kind
        place = known.next
    return HEADER_OTHER


cdef bint mask_header(HeaderKind kind, Text value) noexcept nogil:
    """Hide a header field's *value*; whether there was one to hide."""
    cdef uint8_t* data = <uint8_t*>value.data
    if kind == HEADER_OTHER or kind == HEADER_URL or not value.length:
        return False
    if kind == HEADER_SCHEME:
        mask_scheme_value(data, value.length)
    elif kind == HEADER_COOKIE:
        mask_cookie(data, value.length)
    elif kind == HEADER_SET_COOKIE:
        mask_set_cookie(data, value.length)
    elif kind == HEADER_SUBPROTOCOLS:
        mask_subprotocols(data, value.length)
    else:
        hide(data, 0, value.length)
    return True


cdef bint mask_user(const Section* head, Span span, bint is_target) noexcept nogil:
    """Hide user and password of an authority (``user:password@``, RFC 3986 section 3.2.1)."""
    cdef Text text = section_text(head, span)
    cdef uint32_t length
    if is_target:
        length = scheme_length(text)
        if length:
            text = cut(text, length + 3)
            text.length = authority_length(text)
        elif text.length and (text.data[0] == c"/" or text.data[0] == c"*"):
            return False
    length = text.length - without_user(text).length
    if length:
        hide(<uint8_t*>text.data, 0, length - 1)
    return length != 0


cdef uint64_t mask_target_users(Exchange* exchange) noexcept nogil:
    """Hide user information in the request target and in HTTP/2's authority."""
    cdef Section* head = &exchange.request.head
    return <uint64_t>mask_user(head, exchange.request.target, True) + mask_user(head, exchange.request.authority, False)


cdef uint64_t mask_users(uint8_t* data, size_t length) noexcept nogil:
    """Hide the user information of URLs (RFC 3986 section 3.2.1) and of a bare authority."""
    cdef const uint8_t* found
    cdef size_t at = 0, end
    cdef uint64_t count = 0
    if length == 0 or memchr(data, c"@", length) == NULL:
        return 0
    found = <const uint8_t*>memmem(data, length, b"//", 2)
    if found != NULL:
        at = found - data + 2
    while True:
        end = at
        while end < length and not (
            data[end] == c"/" or data[end] == c"?" or data[end] == c"#" or data[end] == c">" or is_blank(data[end])
        ):
            end += 1
        found = <const uint8_t*>memrchr(data + at, c"@", end - at)
        if found != NULL and found > data + at:
            memset(data + at, c"*", found - data - at)
            count += 1
        found = <const uint8_t*>memmem(data + end, length - end, b"//", 2)
        if found == NULL:
            return count
        at = found - data + 2
