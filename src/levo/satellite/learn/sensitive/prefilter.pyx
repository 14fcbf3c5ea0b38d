"""Says in one pass over a scalar which checks can find something in it: what runs for each scalar that is scanned.

A check of ``detectors.py`` costs a microsecond or more, and nearly no scalar of nearly any body is sensitive. What
is looked at here is necessary for a check and cheap: how many characters there are of which class, and where.
"""

from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcmp

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)

cdef enum:
    LONGEST = 20_000  # longer texts than these are not searched by any check
    EMAIL = 1
    DIGITS = 2
    IBAN = 4
    IDENTIFIERS = 8
    SECRETS = 16
    NETWORK = 32
    COINS = 64
    CHECKS = 7

# Classes of octets.
cdef enum:
    DIGIT = 1
    UPPER = 2
    LOWER = 4
    SEPARATOR = 8  # of groups of digits: space ( ) . - /
    MARK = 16  # begins a secret
    BEYOND_HEX = 32  # letters after F
    COLON = 64
    OTHER = 128
    ALNUM = DIGIT | UPPER | LOWER

cdef uint8_t[256] CLASSES


cdef void make_classes():
    cdef int c
    for c in range(256):
        if c"0" <= c <= c"9":
            CLASSES[c] = DIGIT
        elif c"A" <= c <= c"Z":
            CLASSES[c] = UPPER | (BEYOND_HEX if c > c"F" else 0)
        elif c"a" <= c <= c"z":
            CLASSES[c] = LOWER | (BEYOND_HEX if c > c"f" else 0)
        elif c == c" " or c == c"(" or c == c")" or c == c"." or c == c"-" or c == c"/":
            CLASSES[c] = SEPARATOR
        elif c == c":":
            CLASSES[c] = COLON
        else:
            CLASSES[c] = OTHER
    for c in b"ePAgxrsSnp0":
        CLASSES[c] |= MARK


make_classes()
cdef tuple _EMAIL = ("email",)
cdef tuple _NOTHING = ()


cdef inline bint starts(const uint8_t* at, const uint8_t* end, const char* text, Py_ssize_t size) noexcept nogil:
    return end - at >= size and memcmp(at, text, size) == 0


cdef bint begins_secret(const uint8_t* text, const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Whether at the octet *at*, a ``MARK``, some key or token may begin."""
    cdef uint8_t c = at[0]
    if c == c"e":
        return starts(at, end, b"eyJ", 3)
    if c == c"0":
        return starts(at, end, b"0x", 2) and end - at >= 42
    if c == c"r" or c == c"s":
        if not (starts(at + 1, end, b"k_", 2) or (c == c"s" and starts(at + 1, end, b"k-", 2))):
            return False
        return at == text or not CLASSES[(at - 1)[0]] & ALNUM
    if c == c"A":
        return (
            starts(at, end, b"AKIA", 4)
            or starts(at, end, b"ASIA", 4)
            or starts(at, end, b"AIza", 4)
            or starts(at, end, b"AccountKey=", 11)
        )
    if c == c"g":
        return (
            (end - at > 4 and at[1] == c"h" and at[3] == c"_")
            or starts(at, end, b"github_pat_", 11)
            or starts(at, end, b"glpat-", 6)
        )
    if c == c"x":
        return starts(at, end, b"xox", 3)
    if c == c"S":
        return starts(at, end, b"SG.", 3)
    if c == c"n":
        return starts(at, end, b"npm_", 4)
    if c == c"p":
        return starts(at, end, b"pypi-", 5)
    return starts(at, end, b"PRIVATE KEY-----", 16)


cdef bint is_plain_domain(const uint8_t* at, Py_ssize_t size) noexcept nogil:
    """Whether this is a top-level domain, and surely no extension of a file and no name of a network at home."""
    if size == 2:
        return CLASSES[at[0]] & CLASSES[at[1]] & LOWER and memcmp(at, b"js", 2) != 0
    return size == 3 and (
        memcmp(at, b"com", 3) == 0
        or memcmp(at, b"org", 3) == 0
        or memcmp(at, b"net", 3) == 0
        or memcmp(at, b"edu", 3) == 0
        or memcmp(at, b"gov", 3) == 0
    )


cdef bint is_plain_email(const uint8_t* at, Py_ssize_t size) noexcept nogil:
    """Whether all of the text is an address that ``check_email`` takes; False says only that it is not obvious."""
    cdef Py_ssize_t i = 0, label, last
    cdef uint8_t c = 0, before = 0
    if not CLASSES[at[0]] & ALNUM:
        return False
    while i < size and at[i] != c"@":
        c = at[i]
        if not CLASSES[c] & ALNUM and c != c"_" and c != c"%" and c != c"+" and c != c"'" and c != c"-":
            if c != c"." or before == c".":
                return False
        before = c
        i += 1
    if i > 64 or i == size or before == c".":
        return False
    i += 1
    label = i
    last = 0
    while i < size:
        c = at[i]
        if c == c".":
            if i == label or i - label > 63 or at[i - 1] == c"-":
                return False
            label = i + 1
            last = label
        elif not CLASSES[c] & ALNUM and (c != c"-" or i == label):
            return False
        i += 1
    return last and is_plain_domain(at + last, size - last)


cdef bint is_date(const uint8_t* at, Py_ssize_t size) noexcept nogil:
    """Whether it is a day as ``2026-05-17``, which ``check_digits`` takes for no number."""
    return (
        size == 10
        and at[4] == c"-"
        and at[7] == c"-"
        and ((at[0] == c"2" and at[1] == c"0") or (at[0] == c"1" and at[1] == c"9"))
        and CLASSES[at[5]] & CLASSES[at[6]] & CLASSES[at[8]] & CLASSES[at[9]] & CLASSES[at[2]] & CLASSES[at[3]] & DIGIT
    )


cdef bint may_identify(
    const uint8_t* at, Py_ssize_t size, Py_ssize_t digits, Py_ssize_t upper, Py_ssize_t lower
) noexcept nogil:
    """Whether ``check_identifiers`` may know a text of 8 to 20 ASCII characters."""
    cdef Py_ssize_t others = size - digits - upper - lower
    if upper and lower:
        return False  # one "k" is the only lower-case letter beside which there may be others, and only digits
    if lower:
        # One check letter at the end, another in front, or the letters of a name before everything else.
        if digits < 7 or not CLASSES[at[size - 1]] & LOWER:
            return False
        return lower == 1 or CLASSES[at[0]] & LOWER and (lower == 2 or (lower == 9 and size == 16))
    if not upper:
        # Digits alone: the dash of a check digit, groups of a document, or numbers of these lengths.
        if not others:
            return digits == 12 or digits == 15
        return (
            at[size - 2] == c"-"
            or at[6] == c"-"
            or at[6] == c"+"
            or at[6] == c"/"
            or memchr(at, c" ", size) != NULL
        )
    if digits >= 6:
        return True
    if others:
        return False
    return (digits == 4 and size == 10) or (size == 17 and digits) or ((size == 8 or size == 11) and upper >= 6)


cdef struct Census:
    int found  # the checks that may find something inside the text
    int classes  # of all its octets
    Py_ssize_t digits
    Py_ssize_t upper
    Py_ssize_t lower
    Py_ssize_t colons
    Py_ssize_t dots


cdef inline bint begins_iban(const uint8_t* at) noexcept nogil:
    return CLASSES[at[0]] & CLASSES[at[1]] & UPPER and CLASSES[at[2]] & CLASSES[at[3]] & DIGIT


cdef Census count(const uint8_t* at, Py_ssize_t size) noexcept nogil:
    cdef Census all
    cdef Py_ssize_t i, run = 0, authority = size, last_at = 0
    cdef const uint8_t* end = at + size
    cdef uint8_t c, kind
    all.found = all.classes = 0
    all.digits = all.upper = all.lower = all.colons = all.dots = 0
    for i in range(size):
        c = at[i]
        kind = CLASSES[c]
        all.classes |= kind
        if kind & LOWER:
            all.lower += 1
            run = 0
        elif kind & DIGIT:
            all.digits += 1
            run += 1
            if run == 15:
                all.found |= DIGITS
        elif kind & UPPER:
            all.upper += 1
            run = 0
            if i + 12 < size and begins_iban(at + i):
                all.found |= IBAN
        elif c != c" " and c != c"-":
            run = 0
            all.dots += c == c"."
            if c == c"@":
                last_at = i
                all.found |= EMAIL
            elif c == c":":
                all.colons += 1
                if authority == size and starts(at + i, end, b"://", 3):
                    authority = i
        if kind & MARK and size >= 16 and not all.found & SECRETS and begins_secret(at, at + i, end):
            all.found |= SECRETS
    if last_at > authority:
        all.found |= SECRETS
    return all


cdef inline bint may_be_number(const uint8_t* at, Py_ssize_t size, const Census* all) noexcept nogil:
    """Digits and separators, but for a sign in front and a check character at the end."""
    cdef uint8_t last = at[size - 1]
    cdef Py_ssize_t letters = all.upper + all.lower
    if all.digits < 7 or letters > 1 or (letters and last != c"X" and last != c"x"):
        return False
    return (not all.classes & OTHER or at[0] == c"+") and not is_date(at, size)


cdef int possible(const uint8_t* at, Py_ssize_t size, bint ascii) noexcept nogil:
    """The checks that may find something in the UTF-8 text, as bits."""
    cdef Census all
    cdef int found
    if size > 4 * LONGEST:
        return 0
    all = count(at, size)
    found = all.found
    if not ascii:
        return found
    if not all.classes & COLON:
        if 8 <= size <= 40 and may_be_number(at, size, &all):
            found |= DIGITS
        if 8 <= size <= 20 and may_identify(at, size, all.digits, all.upper, all.lower):
            found |= IDENTIFIERS
    if 7 <= size <= 45 and not all.classes & (BEYOND_HEX | OTHER):
        if (all.dots == 3 and all.digits + 3 == size) or all.colons >= 2 or (size == 17 and at[2] == c"-"):
            found |= NETWORK
    if 26 <= size <= 74 and all.digits + all.upper + all.lower == size:
        if size <= 35 and (at[0] == c"1" or at[0] == c"3") and memchr(at, c"0", size) == NULL:
            found |= COINS
        if starts(at, at + size, b"bc1", 3):
            found |= COINS
    return found


cdef class Prefilter:
    """The built-in checks as one: those that can find something are asked."""

    cdef tuple _checks

    def __init__(self, email, digits, iban, identifiers, secrets, network, coins):
        self._checks = (email, digits, iban, identifiers, secrets, network, coins)

    def check(self, str value not None):
        """Return what all the checks together find in *value*, each kind once."""
        cdef Py_ssize_t size = 0
        cdef const uint8_t* at
        cdef bint ascii = PyUnicode_IS_ASCII(value)
        cdef int bits, bit
        cdef object found = _NOTHING, more
        try:
            at = <const uint8_t*>PyUnicode_AsUTF8AndSize(value, &size)
            bits = possible(at, size, ascii)
        except UnicodeEncodeError:  # a lone surrogate
            bits, ascii = (1 << CHECKS) - 1, False
        if not bits:
            return _NOTHING
        if bits == EMAIL and ascii and is_plain_email(at, size):
            return _EMAIL
        for bit in range(CHECKS):
            if bits & (1 << bit):
                more = self._checks[bit](value)
                if more:
                    found = {*found, *more} if found else more
        return found
