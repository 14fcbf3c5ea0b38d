# Growable output of the encoders, and the rules by which octets become text. Inline, no GIL, no Python.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc

from levo.model.utf8 cimport utf8_run

cdef extern from "levo/engine/core/output.h":
    # Eight octets, the first one lowest; octets are looked at together by arithmetic on such words.
    uint64_t load64 "levo_load64"(const uint8_t* data) nogil
    void store64 "levo_store64"(uint8_t* data, uint64_t word) nogil
    void forget_wide_registers "levo_forget_wide_registers" () nogil
    void copy "levo_copy"(uint8_t* to, const uint8_t* source, size_t size) nogil
    size_t ascii_blocks "levo_ascii_blocks"(const uint8_t* data, size_t length) nogil
    size_t plain_blocks "levo_plain_blocks"(const uint8_t* data, size_t length) nogil
    # Position of the first octet whose highest bit is set in *mask*, which is not zero.
    uint32_t first_octet "levo_first_octet"(uint64_t mask) nogil


ctypedef struct Text:
    # A borrowed run of octets.
    const uint8_t* data
    uint32_t length


ctypedef struct Output:
    # What an encoder writes to. After ``failed`` is set, nothing more is written.
    uint8_t* data
    size_t length
    size_t capacity
    uint32_t* scratch         # work space of the encoder, reused from one exchange to the next
    size_t scratch_capacity   # in elements
    bint failed               # memory was refused


cdef enum TextKind:
    TEXT_ASCII = 0
    TEXT_UTF8 = 1
    TEXT_LATIN1 = 2           # not valid UTF-8: each octet stands for the character of its number


cdef inline bint output_need(Output* output, size_t more) noexcept nogil:
    """Make room for *more* octets behind the end. False, and ``failed``, when memory is refused."""
    cdef size_t wanted
    cdef uint8_t* block
    if output.capacity - output.length >= more:
        return not output.failed
    if output.failed:
        return False
    wanted = output.capacity + (output.capacity >> 1) + 4096
    if wanted < output.length + more:
        wanted = output.length + more
    block = <uint8_t*>realloc(output.data, wanted)
    if block == NULL:
        output.failed = True
        return False
    output.data = block
    output.capacity = wanted
    return True


cdef inline bint output_scratch(Output* output, size_t elements) noexcept nogil:
    """Make the work space hold *elements* numbers; their values are undefined."""
    cdef uint32_t* block
    if output.scratch_capacity >= elements:
        return True
    block = <uint32_t*>realloc(output.scratch, elements * sizeof(uint32_t))
    if block == NULL:
        output.failed = True
        return False
    output.scratch = block
    output.scratch_capacity = elements
    return True


cdef inline void output_free(Output* output) noexcept nogil:
    free(output.data)
    free(output.scratch)
    output.data = NULL
    output.scratch = NULL
    output.length = output.capacity = output.scratch_capacity = 0


cdef inline void put(Output* output, const void* data, size_t size) noexcept nogil:
    """Append without a check: the caller has called ``output_need``."""
    copy(output.data + output.length, <const uint8_t*>data, size)
    output.length += size


cdef inline uint8_t lower(uint8_t octet) noexcept nogil:
    return octet | 0x20 if 0x41 <= octet <= 0x5A else octet


cdef inline uint64_t lower_word(uint64_t word) noexcept nogil:
    """Eight octets, ASCII letters lowered."""
    cdef uint64_t ones = <uint64_t>0x0101010101010101
    cdef uint64_t low = word & (ones * 0x7F)
    cdef uint64_t upper = ((low + ones * (0x80 - 0x41)) ^ (low + ones * (0x7F - 0x5A))) & ~word & (ones * 0x80)
    return word | (upper >> 2)


cdef inline bint equals_lower(const uint8_t* data, const uint8_t* lower_name, size_t length) noexcept nogil:
    """True when *data*, ASCII letters lowered, equals *lower_name*; both have *length* octets."""
    cdef size_t i = 0
    if length >= 8:
        # By the word, the last one over the end of the one before; what differs mostly does so in the first.
        if (load64(data) ^ load64(lower_name)) & <uint64_t>0xDFDFDFDFDFDFDFDF:
            return False
        while i + 8 < length:
            if lower_word(load64(data + i)) != load64(lower_name + i):
                return False
            i += 8
        return lower_word(load64(data + length - 8)) == load64(lower_name + length - 8)
    for i in range(length):
        if lower(data[i]) != lower_name[i]:
            return False
    return True


cdef inline TextKind text_kind(const uint8_t* data, size_t length) noexcept nogil:
    cdef size_t i = ascii_blocks(data, length)
    while length - i >= 8 and load64(data + i) & <uint64_t>0x8080808080808080 == 0:
        i += 8
    while i < length and data[i] < 0x80:
        i += 1
    if i == length:
        return TEXT_ASCII
    return TEXT_UTF8 if utf8_run(data + i, length - i) == length - i else TEXT_LATIN1


cdef inline size_t utf8_length(const uint8_t* data, size_t length, TextKind kind) noexcept nogil:
    """Octets that ``put_text`` writes for *data*."""
    cdef size_t i, total = length
    if kind == TEXT_LATIN1:
        for i in range(length):
            total += data[i] >> 7
    return total


cdef inline uint8_t* write_text(uint8_t* at, const uint8_t* data, size_t length, TextKind kind) noexcept nogil:
    """Write *data* as valid UTF-8, ``utf8_length`` octets; the place behind it."""
    cdef size_t i
    if kind != TEXT_LATIN1:
        copy(at, data, length)
        return at + length
    for i in range(length):
        if data[i] < 0x80:
            at[0] = data[i]
            at += 1
        else:
            at[0] = 0xC0 | (data[i] >> 6)
            at[1] = 0x80 | (data[i] & 0x3F)
            at += 2
    return at


cdef inline bint incomplete_character(const uint8_t* data, size_t length) noexcept nogil:
    """True when *data* (1 to 3 octets) could be the start of one valid character that goes on."""
    cdef uint8_t c = data[0]
    cdef size_t i
    if c < 0xC2 or c > 0xF4 or length > 3:
        return False
    if length >= (2 if c < 0xE0 else 3 if c < 0xF0 else 4):
        return False
    for i in range(1, length):
        if data[i] & 0xC0 != 0x80:
            return False
    if length > 1:
        if (c == 0xE0 and data[1] < 0xA0) or (c == 0xED and data[1] > 0x9F):
            return False
        if (c == 0xF0 and data[1] < 0x90) or (c == 0xF4 and data[1] > 0x8F):
            return False
    return True


cdef inline bint is_control(uint8_t octet) noexcept nogil:
    """A control octet that text does not hold: any but TAB, LF, VT, FF, CR and ESC."""
    return octet < 0x20 and not (9 <= octet <= 13 or octet == 0x1B)


cdef inline size_t plain_run(const uint8_t* data, size_t length) noexcept nogil:
    """Octets at the start that are ASCII and text."""
    cdef size_t i = plain_blocks(data, length)
    cdef uint64_t word, odd
    while length - i >= 8:
        word = load64(data + i)
        odd = (((word - <uint64_t>0x2020202020202020) & ~word) | word) & <uint64_t>0x8080808080808080
        if odd == 0:
            i += 8
            continue
        i += first_octet(odd)
        if data[i] >= 0x80 or is_control(data[i]):
            return i
        i += 1
    while i < length and data[i] < 0x80 and not is_control(data[i]):
        i += 1
    return i


cdef inline long long body_text_length(const uint8_t* data, size_t length, bint cut) noexcept nogil:
    """Octets of a body that are its text, or -1 when it is binary (the rule of ``levo.model.exchange``)."""
    cdef size_t run = plain_run(data, length), i
    if run == length:
        return <long long>run
    for i in range(run, length):
        if is_control(data[i]):
            return -1
    run += utf8_run(data + run, length - run)
    if run == length or (cut and incomplete_character(data + run, length - run)):
        return <long long>run
    return -1
