"""Reads TLS handshake messages: ClientHello, ServerHello, EncryptedExtensions, Certificate.

Each function takes the body of one message (RFC 8446 section 4, RFC 5246 section 7.4), which may be cut,
notes what it can read of it, and never reads behind its end. Certificates are walked just far enough to
find the names of the first one (RFC 5280 sections 4.1 and 4.2.1.6).
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy

cdef enum:
    EXTENSION_SERVER_NAME = 0
    EXTENSION_ALPN = 16
    EXTENSION_VERSIONS = 43

cdef enum:
    DER_BOOLEAN = 0x01
    DER_OCTETS = 0x04
    DER_OID = 0x06
    DER_SEQUENCE = 0x30
    DER_SET = 0x31
    DER_EXPLICIT_0 = 0xA0
    DER_EXPLICIT_3 = 0xA3
    NAME_DNS = 0x82
    MOST_ITEMS = 256            # items looked at on one level

cdef const uint8_t* RETRY_RANDOM = (
    b"\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91"
    b"\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c")


ctypedef struct Reader:
    # A bounded reading position; ``bad`` once something did not fit, then every read gives 0.
    const uint8_t* at
    const uint8_t* end
    bint bad


cdef inline Reader reader_of(const uint8_t* data, uint32_t length) noexcept nogil:
    cdef Reader reader
    reader.at = data
    reader.end = data + length
    reader.bad = False
    return reader


cdef inline uint32_t left_of(const Reader* reader) noexcept nogil:
    return <uint32_t>(reader.end - reader.at)


cdef inline uint32_t number(Reader* reader, uint32_t size) noexcept nogil:
    cdef uint32_t value = 0
    if reader.bad or left_of(reader) < size:
        reader.bad = True
        return 0
    while size:
        value = value << 8 | reader.at[0]
        reader.at += 1
        size -= 1
    return value


cdef inline const uint8_t* octets(Reader* reader, uint32_t size) noexcept nogil:
    cdef const uint8_t* found = reader.at
    if reader.bad or left_of(reader) < size:
        reader.bad = True
        return NULL
    reader.at += size
    return found


cdef inline Reader part(Reader* reader, uint32_t size) noexcept nogil:
    # The next *size* octets, or as many as there are.
    cdef Reader inner
    if size > left_of(reader):
        size = left_of(reader)
    inner.at = reader.at
    inner.end = reader.at + size
    inner.bad = reader.bad
    reader.at += size
    return inner


cdef uint32_t put_text(
    uint8_t* into, uint32_t used, uint32_t most, const uint8_t* text, uint32_t length, bint join
) noexcept nogil:
    """Append *text* in lower case; whole or, where it would not fit behind others, not at all."""
    cdef uint32_t i
    cdef uint8_t octet
    if length == 0:
        return used
    if join and used:
        if used + 1 + length > most:
            return used
        into[used] = 44
        used += 1
    if used + length > most:
        length = most - used
    for i in range(length):
        octet = text[i]
        if 65 <= octet <= 90:
            octet += 32
        elif octet < 33 or octet > 126 or octet == 34 or octet == 44 or octet == 92:
            octet = 63
        into[used + i] = octet
    return used + length


cdef bint is_grease(uint32_t value) noexcept nogil:
    # Reserved values that clients send so that servers learn to ignore unknown ones (RFC 8701).
    return (value & 0x0F0F) == 0x0A0A and value >> 8 == (value & 0xFF)


cdef void read_alpn(TlsFacts* facts, Reader inner, bint chosen) noexcept nogil:
    # ProtocolNameList (RFC 7301 section 3.1).
    cdef Reader names = part(&inner, number(&inner, 2))
    cdef const uint8_t* text
    cdef uint32_t size
    cdef int items = 0
    if inner.bad:
        return
    facts.alpn_length = 0
    while left_of(&names) and not names.bad and items < MOST_ITEMS:
        items += 1
        size = number(&names, 1)
        text = octets(&names, size)
        if text == NULL:
            return
        if size == 2 and is_grease(<uint32_t>text[0] << 8 | text[1]):
            continue
        facts.alpn_length = <uint8_t>put_text(facts.alpn, facts.alpn_length, MOST_ALPN, text, size, True)
        if chosen:
            facts.seen |= SEEN_ALPN
            return


cdef void read_server_name(TlsFacts* facts, Reader inner) noexcept nogil:
    # ServerNameList (RFC 6066 section 3).
    cdef Reader names = part(&inner, number(&inner, 2))
    cdef const uint8_t* text
    cdef uint32_t kind, size
    cdef int items = 0
    while left_of(&names) and not names.bad and items < MOST_ITEMS:
        items += 1
        kind = number(&names, 1)
        size = number(&names, 2)
        text = octets(&names, size)
        if text == NULL:
            return
        if kind == 0:
            facts.name_length = <uint8_t>put_text(facts.name, 0, MOST_NAME, text, size, False)
            return


cdef void read_offered_versions(TlsFacts* facts, Reader inner) noexcept nogil:
    cdef Reader versions = part(&inner, number(&inner, 1))
    cdef uint32_t version, highest = 0
    while left_of(&versions) >= 2 and not versions.bad:
        version = number(&versions, 2)
        if version >> 8 == 3 and version > highest:
            highest = version
    if highest and not facts.seen & SEEN_VERSION:
        facts.version = <uint16_t>highest


cdef bint read_client_hello(TlsFacts* facts, const uint8_t* body, uint32_t length) noexcept nogil:
    """Note random, versions offered, server name and ALPN offers. False when it is none (RFC 8446 section 4.1.2)."""
    cdef Reader reader
    cdef Reader extensions, one
    cdef uint32_t version, kind
    cdef const uint8_t* random
    cdef int items = 0
    reader = reader_of(body, length)
    version = number(&reader, 2)
    random = octets(&reader, 32)
    if reader.bad or version >> 8 != 3:
        return False
    if not facts.seen & SEEN_SERVER_HELLO:
        memcpy(facts.client_random, random, 32)
        facts.version = <uint16_t>version
    facts.seen |= SEEN_CLIENT_HELLO
    octets(&reader, number(&reader, 1))
    octets(&reader, number(&reader, 2))
    octets(&reader, number(&reader, 1))
    extensions = part(&reader, number(&reader, 2))
    while left_of(&extensions) >= 4 and not extensions.bad and items < MOST_ITEMS:
        items += 1
        kind = number(&extensions, 2)
        one = part(&extensions, number(&extensions, 2))
        if kind == EXTENSION_SERVER_NAME:
            read_server_name(facts, one)
        elif kind == EXTENSION_ALPN and not facts.seen & SEEN_ALPN:
            read_alpn(facts, one, False)
        elif kind == EXTENSION_VERSIONS:
            read_offered_versions(facts, one)
    return True


cdef bint read_server_hello(TlsFacts* facts, const uint8_t* body, uint32_t length) noexcept nogil:
    """Note random, version, cipher suite and ALPN choice. False when it is none, or asks for another ClientHello."""
    cdef Reader reader
    cdef Reader extensions, one
    cdef uint32_t version, kind, suite
    cdef const uint8_t* random
    cdef int items = 0
    reader = reader_of(body, length)
    version = number(&reader, 2)
    random = octets(&reader, 32)
    octets(&reader, number(&reader, 1))
    suite = number(&reader, 2)
    number(&reader, 1)
    if reader.bad or version >> 8 != 3 or memcmp(random, RETRY_RANDOM, 32) == 0:
        return False
    memcpy(facts.server_random, random, 32)
    facts.suite = <uint16_t>suite
    facts.version = <uint16_t>version
    facts.seen |= SEEN_SERVER_HELLO | SEEN_VERSION
    extensions = part(&reader, number(&reader, 2))
    while left_of(&extensions) >= 4 and not extensions.bad and items < MOST_ITEMS:
        items += 1
        kind = number(&extensions, 2)
        one = part(&extensions, number(&extensions, 2))
        if kind == EXTENSION_VERSIONS and left_of(&one) == 2:
            facts.version = <uint16_t>number(&one, 2)
        elif kind == EXTENSION_ALPN:
            read_alpn(facts, one, True)
    if facts.version < TLS_1_3 and not facts.seen & SEEN_ALPN:
        facts.alpn_length = 0                     # offered, and not taken up
    return True


cdef bint read_encrypted_extensions(TlsFacts* facts, const uint8_t* body, uint32_t length) noexcept nogil:
    """Note the ALPN choice of TLS 1.3 (RFC 8446 section 4.3.1)."""
    cdef Reader reader
    cdef Reader extensions, one
    cdef uint32_t kind
    cdef int items = 0
    reader = reader_of(body, length)
    extensions = part(&reader, number(&reader, 2))
    while left_of(&extensions) >= 4 and not extensions.bad and items < MOST_ITEMS:
        items += 1
        kind = number(&extensions, 2)
        one = part(&extensions, number(&extensions, 2))
        if kind == EXTENSION_ALPN:
            read_alpn(facts, one, True)
    if not facts.seen & SEEN_ALPN:
        facts.alpn_length = 0
    return not reader.bad


# Certificates.

cdef uint32_t der(Reader* reader, Reader* content) noexcept nogil:
    """The next DER element: its tag (0: none), its content in *content*, cut at the end of what is there."""
    cdef uint32_t tag = number(reader, 1)
    cdef uint32_t size = number(reader, 1)
    if size & 0x80:
        size &= 0x7F
        if size == 0 or size > 3:
            reader.bad = True
            return 0
        size = number(reader, size)
    if reader.bad:
        return 0
    content[0] = part(reader, size)
    return tag


cdef bint enter(Reader* reader, uint32_t tag, Reader* content) noexcept nogil:
    return der(reader, content) == tag


cdef bint is_oid(const Reader* content, uint8_t second_last, uint8_t last) noexcept nogil:
    # An attribute or extension of X.500: 2.5.*second_last*.*last*.
    return left_of(content) == 3 and content.at[0] == 0x55 and content.at[1] == second_last and content.at[2] == last


cdef void read_common_name(TlsFacts* facts, Reader subject) noexcept nogil:
    cdef Reader group, pair, key, value
    cdef int items = 0
    while left_of(&subject) and items < MOST_ITEMS:
        items += 1
        if not enter(&subject, DER_SET, &group) or not enter(&group, DER_SEQUENCE, &pair):
            return
        if not enter(&pair, DER_OID, &key):
            return
        if is_oid(&key, 4, 3) and der(&pair, &value):
            facts.names_length = <uint16_t>put_text(facts.names, 0, MOST_NAMES, value.at, left_of(&value), False)
            return


cdef void read_alternative_names(TlsFacts* facts, Reader extensions) noexcept nogil:
    cdef Reader list_of, one, key, value, names, name
    cdef uint32_t tag
    cdef int items = 0
    if not enter(&extensions, DER_SEQUENCE, &list_of):
        return
    while left_of(&list_of) and items < MOST_ITEMS:
        items += 1
        if not enter(&list_of, DER_SEQUENCE, &one) or not enter(&one, DER_OID, &key):
            return
        if not is_oid(&key, 0x1D, 0x11):
            continue
        tag = der(&one, &value)
        if tag == DER_BOOLEAN:
            tag = der(&one, &value)
        if tag != DER_OCTETS or not enter(&value, DER_SEQUENCE, &names):
            return
        items = 0
        while left_of(&names) and items < MOST_ITEMS:
            items += 1
            tag = der(&names, &name)
            if tag == 0:
                return
            if tag == NAME_DNS:
                if facts.seen & SEEN_CERTIFICATE == 0:
                    facts.names_length = 0        # replaces the common name
                    facts.seen |= SEEN_CERTIFICATE
                facts.names_length = <uint16_t>put_text(
                    facts.names, facts.names_length, MOST_NAMES, name.at, left_of(&name), True)
        return


cdef bint read_certificate(TlsFacts* facts, const uint8_t* body, uint32_t length) noexcept nogil:
    """Note the names of the first certificate: its DNS alternative names, else its common name.

    The body is that of TLS 1.3 or of earlier versions, as *facts* say (RFC 8446 section 4.4.2, RFC 5246 section 7.4.2).
    """
    cdef Reader reader, chain, leaf, outer, inner, element
    cdef uint32_t tag
    cdef int place = 0
    if facts.seen & SEEN_CERTIFICATE:
        return True
    reader = reader_of(body, length)
    if facts.version >= TLS_1_3:
        octets(&reader, number(&reader, 1))
    chain = part(&reader, number(&reader, 3))
    leaf = part(&chain, number(&chain, 3))
    if leaf.bad or not enter(&leaf, DER_SEQUENCE, &outer) or not enter(&outer, DER_SEQUENCE, &inner):
        return False
    # Behind the optional version: serial, algorithm, issuer, validity, subject, key, then extensions as [3].
    while left_of(&inner) and place < 16:
        tag = der(&inner, &element)
        if tag == 0:
            break
        if tag == DER_EXPLICIT_0 and place == 0:
            continue
        place += 1
        if place == 5 and tag == DER_SEQUENCE:
            read_common_name(facts, element)
        elif tag == DER_EXPLICIT_3:
            read_alternative_names(facts, element)
    facts.seen |= SEEN_CERTIFICATE
    return place >= 5
