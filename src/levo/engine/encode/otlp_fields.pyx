"""Field lines as attributes of a span: one per name, a string array with the values of all its lines in wire order."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from levo.engine.core.exchange cimport section_text
from levo.engine.core.output cimport (
    Output,
    Text,
    TextKind,
    copy,
    load64,
    lower,
    lower_word,
    output_scratch,
    store64,
    text_kind,
    utf8_length,
    write_text,
)
from levo.engine.encode.span_identity cimport mix
from levo.engine.core.types cimport Section
from levo.wire.protobuf cimport varint_length, write_tag
from levo.wire.schema cimport (
    ANY_VALUE_ARRAY_VALUE,
    ANY_VALUE_STRING_VALUE,
    ARRAY_VALUE_VALUES,
    KEY_VALUE_KEY,
    KEY_VALUE_VALUE,
    SPAN_ATTRIBUTES,
)

cdef extern from "levo/engine/encode/otlp_fields.h":
    const uint32_t REPEAT "LEVO_REPEAT"
    const uint64_t INNER_TAGS "LEVO_INNER_TAGS"

cdef enum:
    FEW_FIELDS = 32           # so many are compared without a table


cdef inline uint32_t name_hash(Text name) noexcept nogil:
    """Equal for names that differ in the case of ASCII letters only."""
    cdef uint64_t hash = name.length, tail = 0
    cdef uint32_t i = 0
    while name.length - i >= 8:
        hash = mix(hash, load64(name.data + i) | <uint64_t>0x2020202020202020)
        i += 8
    while i < name.length:
        tail = tail << 8 | name.data[i] | 0x20
        i += 1
    hash = mix(hash, tail)
    return <uint32_t>(hash ^ hash >> 32)


cdef inline bint same_name(Text a, Text b) noexcept nogil:
    cdef uint32_t i = 0
    if a.length != b.length:
        return False
    while a.length - i >= 8:
        if lower_word(load64(a.data + i)) != lower_word(load64(b.data + i)):
            return False
        i += 8
    while i < a.length:
        if lower(a.data[i]) != lower(b.data[i]):
            return False
        i += 1
    return True


cdef bint chain_repeats(const Section* section, Output* out) noexcept nogil:
    """Fill the scratch space: ``[i]`` is 0, or the number (from 1) of the next field of the same name, and
    ``[count + i]`` is the number of the last one; ``REPEAT`` there marks a field that an earlier one leads to.

    An open-addressed table, so thousands of fields cost no more than their number.
    """
    cdef uint32_t count = section.field_count, i, first, slots = 16, slot, probes
    cdef uint32_t* following
    cdef uint32_t* last
    cdef uint32_t* table
    cdef Text name
    if count > 0x1000000:
        return False
    while slots < 2 * count:
        slots *= 2
    if not output_scratch(out, <size_t>2 * count + slots):
        return False
    following = out.scratch
    last = following + count
    table = last + count
    memset(following, 0, <size_t>count * 2 * sizeof(uint32_t))
    memset(table, 0, <size_t>slots * sizeof(uint32_t))
    for i in range(count):
        name = section_text(section, section.fields[i].name)
        slot = name_hash(name) & (slots - 1)
        probes = 0
        while table[slot] and probes < 64:
            first = table[slot] - 1
            if same_name(name, section_text(section, section.fields[first].name)):
                break
            slot = (slot + 1) & (slots - 1)
            probes += 1
        if probes == 64:
            continue                      # crowded on purpose: an attribute of its own
        if table[slot]:
            first = table[slot] - 1
            following[last[first] if last[first] else first] = i + 1
            last[first] = i
            last[i] = REPEAT
        else:
            table[slot] = i + 1
    return True


cdef bint may_repeat(const Section* section) noexcept nogil:
    """False when no two of few fields have the same name: their lengths or some of their letters differ."""
    cdef uint32_t keys[FEW_FIELDS]
    cdef uint32_t count = section.field_count, i, k, key
    cdef uint64_t seen = 0, bit
    cdef Text name
    if count > FEW_FIELDS:
        return True
    for i in range(count):
        name = section_text(section, section.fields[i].name)
        if name.length == 0:
            return True
        key = (name.length << 24 | <uint32_t>name.data[0] << 16 | <uint32_t>name.data[name.length - 1] << 8
               | name.data[name.length >> 1]) | 0x202020
        keys[i] = key
        bit = <uint64_t>1 << (key * <uint32_t>0x9E3779B1 >> 26)
        if seen & bit:
            for k in range(i):
                if keys[k] == key:
                    return True
        seen |= bit
    return False


cdef inline uint8_t* write_lower(uint8_t* at, const uint8_t* data, size_t length) noexcept nogil:
    """Write ASCII text, letters lowered."""
    cdef size_t i = 0
    cdef uint32_t first, last
    cdef uint64_t word
    if length < 4:
        while i < length:
            at[i] = lower(data[i])
            i += 1
        return at + length
    if length < 8:
        memcpy(&first, data, 4)
        memcpy(&last, data + length - 4, 4)
        word = lower_word(<uint64_t>last << 32 | first)
        first = <uint32_t>word
        last = <uint32_t>(word >> 32)
        memcpy(at, &first, 4)
        memcpy(at + length - 4, &last, 4)
        return at + length
    while length - i > 8:
        store64(at + i, lower_word(load64(data + i)))
        i += 8
    store64(at + length - 8, lower_word(load64(data + length - 8)))
    return at + length


cdef inline uint8_t* write_short(
    uint8_t* at, const char* prefix, size_t prefix_length, Text name, Text text
) noexcept nogil:
    """A field whose lengths, that of the whole included, all take one octet."""
    cdef uint64_t length = text.length
    at[0] = SPAN_ATTRIBUTES
    at[1] = <uint8_t>(10 + prefix_length + name.length + length)
    at[2] = KEY_VALUE_KEY
    at[3] = <uint8_t>(prefix_length + name.length)
    memcpy(at + 4, prefix, PREFIX_ROOM)
    at = write_lower(at + 4 + prefix_length, name.data, name.length)
    store64(at, INNER_TAGS | (6 + length) << 8 | (4 + length) << 24 | (2 + length) << 40 | length << 56)
    copy(at + 8, text.data, text.length)
    return at + 8 + text.length


cdef uint8_t* write_few(
    uint8_t* at, const char* prefix, size_t prefix_length, const Section* section
) noexcept nogil:
    """Fields of ASCII text, each name once."""
    cdef uint32_t i
    cdef uint64_t key_length, value, array, any_length
    cdef Text name, text
    for i in range(section.field_count):
        name = section_text(section, section.fields[i].name)
        text = section_text(section, section.fields[i].value)
        key_length = prefix_length + name.length
        if key_length + text.length < 118:
            at = write_short(at, prefix, prefix_length, name, text)
            continue
        value = 1 + varint_length(text.length) + text.length
        array = 1 + varint_length(value) + value
        any_length = 1 + varint_length(array) + array
        at = write_tag(at, SPAN_ATTRIBUTES, 2 + varint_length(key_length) + key_length + varint_length(any_length) + any_length)  # no-cython-lint
        at = write_tag(at, KEY_VALUE_KEY, key_length)
        memcpy(at, prefix, PREFIX_ROOM)
        at = write_lower(at + prefix_length, name.data, name.length)
        at = write_tag(write_tag(at, KEY_VALUE_VALUE, any_length), ANY_VALUE_ARRAY_VALUE, array)
        at = write_tag(write_tag(at, ARRAY_VALUE_VALUES, value), ANY_VALUE_STRING_VALUE, text.length)
        copy(at, text.data, text.length)
        at += text.length
    return at


cdef uint64_t value_length(Text text) noexcept nogil:
    """Octets of one string in an ArrayValue, its tag included."""
    cdef uint64_t length = utf8_length(text.data, text.length, text_kind(text.data, text.length))
    cdef uint64_t value = 1 + varint_length(length) + length
    return 1 + varint_length(value) + value


cdef uint8_t* write_value(uint8_t* at, Text text) noexcept nogil:
    """One string in an ArrayValue."""
    cdef TextKind kind = text_kind(text.data, text.length)
    cdef uint64_t length = utf8_length(text.data, text.length, kind)
    at = write_tag(at, ARRAY_VALUE_VALUES, 1 + varint_length(length) + length)
    at = write_tag(at, ANY_VALUE_STRING_VALUE, length)
    return write_text(at, text.data, text.length, kind)


cdef uint8_t* write_fields(
    Output* out, uint8_t* at, const char* prefix, size_t prefix_length, const Section* section, bint ascii
) noexcept nogil:
    """``<prefix><name>``: string array. Names lower-cased, values as they are.

    *ascii*: all of the section's text is. The caller has made room: for twice the text, and FIELD_ROOM a field.
    """
    cdef uint32_t count = section.field_count, i, k
    cdef uint32_t* following
    cdef uint32_t* last
    cdef uint64_t key_length, array, any_length
    cdef uint8_t* name_at
    cdef Text name
    cdef TextKind kind
    if count == 0 or section.fields == NULL:
        return at
    if ascii and not may_repeat(section):
        return write_few(at, prefix, prefix_length, section)
    if not chain_repeats(section, out):
        return at
    following = out.scratch
    last = following + count
    for i in range(count):
        if last[i] == REPEAT:
            continue
        name = section_text(section, section.fields[i].name)
        kind = text_kind(name.data, name.length)
        key_length = prefix_length + utf8_length(name.data, name.length, kind)
        array = 0
        k = i + 1
        while k:
            array += value_length(section_text(section, section.fields[k - 1].value))
            k = following[k - 1]
        any_length = 1 + varint_length(array) + array
        at = write_tag(at, SPAN_ATTRIBUTES, 2 + varint_length(key_length) + key_length + varint_length(any_length) + any_length)  # no-cython-lint
        at = write_tag(at, KEY_VALUE_KEY, key_length)
        memcpy(at, prefix, prefix_length)
        name_at = at + prefix_length
        at = write_text(name_at, name.data, name.length, kind)
        while name_at < at:
            name_at[0] = lower(name_at[0])
            name_at += 1
        at = write_tag(write_tag(at, KEY_VALUE_VALUE, any_length), ANY_VALUE_ARRAY_VALUE, array)
        k = i + 1
        while k:
            at = write_value(at, section_text(section, section.fields[k - 1].value))
            k = following[k - 1]
    return at
