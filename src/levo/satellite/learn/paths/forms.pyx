"""Tells the commonest values from literals by their form: what runs for each segment of each path.

What is answered here, the patterns of ``segments.py`` would answer in the same way; the rest is left to them.
"""

from libc.stdint cimport uint8_t

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

cdef enum:
    SHORT = 12  # words of fewer letters are literals
    LONGEST = 80  # longer segments are no literals, whatever their form

cdef enum:
    DIGIT = 1
    HEX_LETTER = 2
    LETTER = 4
    DASH = 8
    DOT = 16
    AT = 32
    PLAIN = 64  # other characters of an address
    OTHER = 128

cdef uint8_t[128] CLASSES


cdef void make_classes():
    cdef int c
    for c in range(128):
        if c"0" <= c <= c"9":
            CLASSES[c] = DIGIT
        elif c"a" <= (c | 0x20) <= c"f":
            CLASSES[c] = HEX_LETTER
        elif c"a" <= (c | 0x20) <= c"z":
            CLASSES[c] = LETTER
        else:
            CLASSES[c] = OTHER
    CLASSES[<int>c"-"] = DASH
    CLASSES[<int>c"."] = DOT
    CLASSES[<int>c"@"] = AT
    CLASSES[<int>c"_"] = CLASSES[<int>c"+"] = PLAIN


make_classes()


cdef bint is_uuid(const uint8_t* at) noexcept nogil:
    """36 digits, letters to F and dashes."""
    cdef int i
    for i in range(36):
        if (i == 8 or i == 13 or i == 18 or i == 23) != (at[i] == c"-"):
            return False
    return True


cdef bint is_email(const uint8_t* at, Py_ssize_t size) noexcept nogil:
    """One ``@``, and a dot inside of what follows it."""
    cdef Py_ssize_t i = 0, name
    while at[i] != c"@":
        i += 1
    name = i
    if not 1 <= name <= 64:
        return False
    for i in range(name + 1, size):
        if at[i] == c"@":
            return False
    for i in range(name + 2, size - 1):
        if at[i] == c".":
            return True
    return False


cdef str key_of(str segment, bint first):
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(segment), i
    cdef const uint8_t* at
    cdef int seen = 0
    if not 0 < size <= LONGEST or not PyUnicode_IS_ASCII(segment):
        return None
    at = <const uint8_t*>PyUnicode_DATA(segment)
    for i in range(size):
        seen |= CLASSES[at[i]]
    if seen == DIGIT:
        return None if first and size <= 2 else "{integer}"
    if seen & OTHER:
        return None
    if seen & AT:
        return "{email}" if is_email(at, size) else None
    if seen == (DIGIT | HEX_LETTER) and size >= 8:
        return "{uuid}" if size == 32 else "{hex}"
    if size == 36 and not seen & ~(DIGIT | HEX_LETTER | DASH) and is_uuid(at):
        return "{uuid}"
    return None


def value_key(str segment not None, bint first):
    """Return the key of a segment that is a value beyond doubt, such as ``{integer}``; None: ask the patterns.

    *first* as in ``segment_key``: a small number there may be a version.
    """
    return key_of(segment, first)


cdef bint is_word(str segment) noexcept:
    """Whether *segment* is a short word, which is its own key."""
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(segment), i
    cdef const uint8_t* at
    if not 0 < size < SHORT or not PyUnicode_IS_ASCII(segment):
        return False
    at = <const uint8_t*>PyUnicode_DATA(segment)
    for i in range(size):
        if not CLASSES[at[i]] & (LETTER | HEX_LETTER):
            return False
    return True


def keys_of(list segments not None, may_be_version, pattern_key):
    """Return the keys of the segments of a path; *may_be_version* and *pattern_key* are asked where need be."""
    cdef list keys = []
    cdef Py_ssize_t i
    cdef str segment, key
    cdef bint first
    for i in range(len(segments)):
        segment = segments[i]
        key = segment
        if not is_word(segment):
            first = may_be_version(segments, i)
            key = key_of(segment, first)
            if key is None:
                key = pattern_key(segment, first)
        keys.append(key)
    return keys
