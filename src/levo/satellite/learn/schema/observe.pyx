"""Adds values to nodes, and tells the format of a string: what runs for every scalar of every body.

The nodes themselves, their meaning and how they merge are in ``node.pyx``.

Objects are told apart (``hyperloglog.py``) by what identifies them, the first that there is:

1. their own ``id`` (``uuid`` ...) and the path that was asked for, whatever else of them changes;
2. what they say, and what identifies the object with an ``id`` that they are part of;
3. in a list: what they say, and the path;
4. what they say, and the request: the same answer to another question is news.

*What they say* leaves out fractions and times, which a server makes anew for each answer.
"""

cimport cython
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_GET_LENGTH
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, strchr

from levo.satellite.learn.schema.merging cimport crowd_node, hide_labels
from levo.satellite.learn.schema.names cimport Message, Names, Sightings
from levo.satellite.learn.schema.node cimport HIGHEST, PLACES, Node, Variant, new_node

from levo.satellite.learn.schema.labels import is_label, may_have_labels
from levo.satellite.learn.schema.node import (
    DISCRIMINATORS,
    MAX_CHILDREN,
    MAX_DEPTH,
    MAX_LABELS,
    MAX_NODES,
    MAX_UNPROVEN,
    MAX_VARIANTS,
    SCANNED_ITEMS,
)
from levo.satellite.learn.schema.text import MIXED, Binary, Text, is_name, rare_format

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    void* PyUnicode_DATA(object text)

cdef extern from "levo/satellite/learn/schema/fold.h":
    int __builtin_clzll(unsigned long long number) noexcept nogil
    uint64_t levo_fold(uint64_t a, uint64_t b) noexcept nogil

cdef enum:
    LONGEST = 2048
    MOST_LABELS = 24
    SCANNED = 3
    DEEPEST = 20

cdef const char* ATOM_SIGNS = b"!#$%&'*+/=?^_`{|}~-"
cdef const char* URI_SIGNS = b"-._~:/?#[]@!$&'()*+,;=%"
cdef object _Text = Text, _Binary = Binary
cdef str _MIXED = MIXED
cdef tuple _DISCRIMINATORS = DISCRIMINATORS
cdef tuple _IDENTITIES = ("id", "_id", "uuid", "guid", "uid")
assert (MOST_LABELS, SCANNED, DEEPEST) == (MAX_LABELS, SCANNED_ITEMS, MAX_DEPTH)
cdef Py_ssize_t _MOST_CHILDREN = MAX_CHILDREN, _MOST_VARIANTS = MAX_VARIANTS
cdef Py_ssize_t _LOOKED_AT = MAX_UNPROVEN + MAX_UNPROVEN // 2  # children from which unproven ones may be too many


cdef inline bint is_digit(char c) noexcept nogil:
    return c"0" <= c <= c"9"


cdef inline bint is_letter(char c) noexcept nogil:
    return c"a" <= (c | 0x20) <= c"z"


cdef inline int pair(const char* at) noexcept nogil:
    """The number that two digits make, -1 if they are none."""
    if not is_digit(at[0]) or not is_digit(at[1]):
        return -1
    return (at[0] - c"0") * 10 + at[1] - c"0"


cdef bint is_date(const char* at) noexcept nogil:
    """Ten characters: ``full-date`` (RFC 3339) of the years 1600 to 2199."""
    cdef int century = pair(at), month, day
    if not 16 <= century <= 21 or pair(at + 2) < 0 or at[4] != c"-" or at[7] != c"-":
        return False
    month, day = pair(at + 5), pair(at + 8)
    return 1 <= month <= 12 and 1 <= day <= 31


cdef bint is_time(const char* at, Py_ssize_t size) noexcept nogil:
    """``full-time`` (RFC 3339), without leap seconds."""
    cdef Py_ssize_t i = 8
    if size < 9 or at[2] != c":" or at[5] != c":":
        return False
    if not (0 <= pair(at) <= 23 and 0 <= pair(at + 3) <= 59 and 0 <= pair(at + 6) <= 59):
        return False
    if at[i] == c".":
        i += 1
        while i < size and is_digit(at[i]):
            i += 1
        if not 1 <= i - 9 <= 9:
            return False
    if i == size:
        return False
    if at[i] == c"Z" or at[i] == c"z":
        return i + 1 == size
    if (at[i] != c"+" and at[i] != c"-") or size - i != 6 or at[i + 3] != c":":
        return False
    return 0 <= pair(at + i + 1) <= 23 and 0 <= pair(at + i + 4) <= 59


cdef bint is_ipv4(const char* at, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t i = 0, start
    cdef int parts = 0, number
    if size > 15:
        return False
    while True:
        start, number = i, 0
        while i < size and is_digit(at[i]) and i - start < 3:
            number = number * 10 + at[i] - c"0"
            i += 1
        if i == start or number > 255 or (i - start == 3 and number < 100):
            return False
        parts += 1
        if i == size:
            return parts == 4
        if at[i] != c"." or parts == 4:
            return False
        i += 1


cdef bint is_uuid(const char* at) noexcept nogil:
    """36 characters (RFC 9562), of any version."""
    cdef int i
    for i in range(36):
        if i == 8 or i == 13 or i == 18 or i == 23:
            if at[i] != c"-":
                return False
        elif not is_digit(at[i]) and not c"a" <= (at[i] | 0x20) <= c"f":
            return False
    return True


cdef str numeric_format(const char* at, Py_ssize_t size):
    """The format of what starts with a digit, None if it has none of this kind."""
    cdef Py_ssize_t i = 0
    while i < size and is_digit(at[i]):
        i += 1
    if i == size:
        return "digits" if size <= 40 else None
    if size == 10 and is_date(at):
        return "date"
    if size > 11 and (at[10] == c"T" or at[10] == c"t") and is_date(at) and is_time(at + 11, size - 11):
        return "date-time"
    if at[i] == c".":
        if is_ipv4(at, size):
            return "ipv4"
        if i <= 20 and 1 <= size - i - 1 <= 20:
            i += 1
            while i < size and is_digit(at[i]):
                i += 1
            if i == size:
                return "decimal"
    return None


cdef inline bint is_alphanumeric(char c) noexcept nogil:
    return is_digit(c) or is_letter(c)


cdef bint is_email(const char* at, Py_ssize_t size) noexcept nogil:
    """``dot-atom`` (RFC 5322 section 3.2.3) at a host of at least two labels, the last of 2 to 24 letters."""
    cdef Py_ssize_t i = 0, start = 0
    cdef bint letters
    while i < size and at[i] != c"@":
        if at[i] == c".":
            if i == start:
                return False
            start = i + 1
        elif not is_alphanumeric(at[i]) and (at[i] == 0 or strchr(ATOM_SIGNS, at[i]) == NULL):
            return False
        i += 1
    if i == start or i == size:
        return False
    i += 1
    while True:
        start, letters = i, True
        while i < size and at[i] != c".":
            if not is_letter(at[i]):
                letters = False
                if not is_digit(at[i]) and at[i] != c"-":
                    return False
            i += 1
        if i == size:  # of one label, this is the first: no dot is before it
            return letters and 2 <= i - start <= 24 and at[start - 1] == c"."
        if not 1 <= i - start <= 63 or at[start] == c"-" or at[i - 1] == c"-":
            return False
        i += 1


cdef bint is_uri(const char* at, Py_ssize_t size) noexcept nogil:
    """A scheme of 2 to 16 characters, ``://``, and at least one more of those of RFC 3986."""
    cdef Py_ssize_t i = 1
    if not is_letter(at[0]):
        return False
    while i < size and (is_alphanumeric(at[i]) or at[i] == c"+" or at[i] == c"." or at[i] == c"-"):
        i += 1
    if not 2 <= i <= 16 or size - i < 4 or at[i] != c":" or at[i + 1] != c"/" or at[i + 2] != c"/":
        return False
    for i in range(i + 3, size):
        if not is_alphanumeric(at[i]) and (at[i] == 0 or strchr(URI_SIGNS, at[i]) == NULL):
            return False
    return True


cdef bint has_colons_only(const char* at, Py_ssize_t size) noexcept nogil:
    """Whether nothing but letters and digits is beside the colons."""
    cdef Py_ssize_t i
    for i in range(size):
        if at[i] != c":" and not is_alphanumeric(at[i]):
            return False
    return True


cdef str signed_format(str value, const char* at, Py_ssize_t size):
    """The format of what has an ``@``, a ``:`` or a ``.``."""
    if memchr(at, c"@", size) != NULL:
        return "email" if is_email(at, size) else "uri" if is_uri(at, size) else _MIXED
    if memchr(at, c":", size) == NULL:
        return rare_format(value) if at[0] == c"e" else _MIXED
    if has_colons_only(at, size):
        return rare_format(value)
    return "uri" if is_uri(at, size) else _MIXED


cpdef scalar(object text):  # a Text, most often, which is no exact str
    """Return what *text* stands for: a boolean, a number, or itself. Leading zeros make it a text."""
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(text), i = 0, start
    cdef const char* at
    cdef int64_t number = 0
    if 0 < size <= 40 and PyUnicode_IS_ASCII(text):
        at = <const char*>PyUnicode_DATA(text)
        if size == 4 and memcmp(at, b"true", 4) == 0:
            return True
        if size == 5 and memcmp(at, b"false", 5) == 0:
            return False
        if at[0] == c"-":
            i = 1
        start = i
        while i < size and is_digit(at[i]):
            if i - start < 18:
                number = 10 * number + at[i] - c"0"
            i += 1
        if 1 <= i - start <= 18 and (at[start] != c"0" or i - start == 1):
            if i == size:
                return -number if start else number
            if is_fraction(at + i, size - i):
                return float(text)
    return str(text)


cdef bint is_fraction(const char* at, Py_ssize_t size) noexcept nogil:
    """What may follow the digits of a number: up to 18 more, an exponent of up to three."""
    cdef Py_ssize_t i = 0, start
    if at[0] == c".":
        i = 1
        while i < size and is_digit(at[i]):
            i += 1
        if not 2 <= i <= 19:
            return False
    if i < size:
        if at[i] != c"e" and at[i] != c"E":
            return False
        i += 1
        if i < size and (at[i] == c"+" or at[i] == c"-"):
            i += 1
        start = i
        while i < size and is_digit(at[i]):
            i += 1
        if not 1 <= i - start <= 3:
            return False
    return i == size


cdef bint is_moment(str value, Py_ssize_t size) noexcept:
    """Whether *value* is a date and time."""
    cdef const char* at
    if size <= 11 or size > 40 or not PyUnicode_IS_ASCII(value):
        return False
    at = <const char*>PyUnicode_DATA(value)
    return is_digit(at[0]) and (at[10] == c"T" or at[10] == c" ") and is_date(at)


cpdef str text_format(str value):
    """Return the name of the format that all of *value* has, or ``MIXED``.

    ``date``, ``date-time``, ``uuid``, ``email``, ``uri``, ``ipv4`` and ``ipv6`` are those of OpenAPI;
    ``digits``, ``decimal``, ``hex`` and ``jwt`` are ours.
    """
    cdef Py_ssize_t size = 0, i
    cdef const char* at
    cdef str found
    cdef bint rare = False, hexadecimal = True, digit = False, lower = False, upper = False, letters = True
    cdef char c
    if not PyUnicode_IS_ASCII(value):
        return _MIXED
    at = PyUnicode_AsUTF8AndSize(value, &size)
    if not 0 < size <= LONGEST:
        return _MIXED
    if size == 36 and at[8] == c"-" and is_uuid(at):
        return "uuid"
    if is_digit(at[0]):
        found = numeric_format(at, size)
        if found is not None:
            return found
    for i in range(size):
        c = at[i]
        if is_digit(c):
            digit = True
            letters = False
        elif is_letter(c):
            if (c | 0x20) > c"f":
                hexadecimal = False
            elif c >= c"a":
                lower = True
            else:
                upper = True
        else:
            hexadecimal = letters = False
            if c == c"@" or c == c":" or c == c".":
                rare = True
    if letters:
        return _MIXED
    if rare:
        return signed_format(value, at, size)
    if size >= 16 and hexadecimal and digit and not (lower and upper):
        return "hex"
    return _MIXED


@cython.final
@cython.no_gc  # lives for one message and is part of no cycle
@cython.freelist(8)
cdef class Observer:
    """Adds values to nodes. One per body or parameter set: it knows which checks can matter there."""

    cdef tuple _checks
    cdef bint _scan
    cdef bint _hashed
    cdef int _budget
    cdef uint64_t _seed
    cdef uint64_t _factor
    cdef uint64_t _path
    cdef uint64_t _within
    """Hash of what the object at hand is told apart by besides what it says."""
    cdef bint _named
    """This is the ``id`` of an object that it is part of."""
    cdef Message _message
    cdef Names _names
    cdef list _late
    """Sightings of names without a child, of the objects at hand; None before the first."""

    def __init__(
        self, checks=(), budget=MAX_NODES, bytes key=b"", str path="", str request="", Message message=None
    ):
        """*checks* are applied to every scalar; *budget* bounds the new nodes.

        With *key* (``evidence.hash_key``), different objects are counted. *path* is what was asked for,
        *request* what else the request said. Names are sighted in *message*; without it they need no proof.
        """
        cdef char* at = key
        self._message = message
        if message is not None:
            self._names = message.names
        self._checks = tuple(checks)
        self._scan = True
        self._budget = budget
        self._hashed = len(key) == 16
        if self._hashed:
            memcpy(&self._seed, at, 8)
            memcpy(&self._factor, at + 8, 8)
            self._factor |= 1
            self._path = self._text_hash(path)
            self._within = levo_fold(self._path ^ self._text_hash(request), self._factor)

    def observe(self, Node node not None, value):
        """Add *value*, as ``orjson`` returns it (or :class:`Text`, :class:`Binary`), to *node*."""
        self._observe(node, value, 0)

    cdef uint64_t _mixed(self, uint64_t value) noexcept nogil:
        return levo_fold(value ^ self._seed, self._factor)

    cdef uint64_t _text_hash(self, str value) except? 0:
        """The keyed hash of *value*, the same in every process."""
        cdef Py_ssize_t size = 0
        cdef const char* at
        cdef uint64_t found, word = 0
        try:
            at = PyUnicode_AsUTF8AndSize(value, &size)
        except UnicodeEncodeError:  # a lone surrogate
            return self._mixed(1)
        found = self._mixed(<uint64_t>size + 2)
        while size >= 8:
            memcpy(&word, at, 8)
            found = levo_fold(found ^ word, self._factor)
            at += 8
            size -= 8
        if size:
            word = 0
            memcpy(&word, at, size)
            found = levo_fold(found ^ word, self._factor)
        return self._mixed(found) | 1

    cdef uint64_t _observe(self, Node node, object value, int depth) except? 0:
        """Add *value* and return the hash of what it says; 0 where nothing is hashed."""
        cdef object kind = type(value)
        if kind is str:
            return self._string(node, <str>value)
        elif kind is int:
            return self._integer(node, value)
        elif kind is dict:
            node.objects += 1
            if depth < DEEPEST:
                return self._object(node, <dict>value, depth)
        elif kind is list:
            node.arrays += 1
            return self._array(node, <list>value, depth)
        elif value is None:
            node.nulls += 1
            return 4
        elif kind is bool:
            node.booleans += 1
            return 5 if value else 6
        elif kind is float:
            node.numbers += 1
            if value < 0:
                node.negative = True
            if self._scan:
                node.scanned += 1
        elif kind is _Text:
            return self._text(node, value)
        elif kind is _Binary:
            node.strings += 1
            node.open = True
            node._format = "binary" if node._format in ("", "binary") else _MIXED
        return 7

    cdef uint64_t _integer(self, Node node, object value) except? 0:
        cdef int overflow = 0
        cdef int64_t number = PyLong_AsLongLongAndOverflow(value, &overflow)
        cdef uint64_t said = <uint64_t>number, magnitude = <uint64_t>(-said if number < 0 else said)
        cdef int bits = 0
        if overflow:
            bits = value.bit_length()
            said = value & <uint64_t>0xFFFFFFFFFFFFFFFF
        elif magnitude:
            bits = 64 - __builtin_clzll(magnitude)
        node.integers += 1
        if bits > node.bits:
            node.bits = bits
        if overflow < 0 or (number < 0 and not overflow):
            node.negative = True
        if self._scan:
            node.scanned += 1
            if bits > 19 and self._checks:
                self._check(node, str(value))
        return self._mixed(self._mixed(3) ^ said) if self._hashed else 7

    cdef uint64_t _array(self, Node node, list value, int depth) except? 0:
        cdef Py_ssize_t count = len(value), index
        cdef uint64_t said = 8, within = self._within
        cdef Node items = node.items
        cdef bint scan
        if node.fewest < 0 or count < node.fewest:
            node.fewest = count
        if count > node.most:
            node.most = count
        if not count or depth >= DEEPEST:
            return said
        if items is None:
            items = node.items = new_node(node.private)
            items.private = node.private
            self._budget -= 1
        scan = self._scan
        if not self._named:
            self._within = self._path
        for index in range(count):
            if index == SCANNED:
                self._scan = False
            said = self._mixed(said ^ self._observe(items, value[index], depth + 1))
        self._scan = scan
        self._within = within
        return said

    cdef uint64_t _object(self, Node node, dict value, int depth) except? 0:
        cdef dict children = node.children
        cdef bint folded = node.folded, keyed = False, known = False, named = self._named
        cdef Node child
        cdef str name
        cdef bint pending = False
        cdef Py_ssize_t late = 0 if self._late is None else len(self._late)
        cdef uint64_t said = 9, within = self._within, whole = 0
        depth += 1
        if self._hashed:
            for name in _IDENTITIES:
                identity = value.get(name)
                if identity is not None and (type(identity) is int or type(identity) is str) and identity != "":
                    self._within = self._mixed(self._text_hash(str(identity)) ^ self._path)
                    self._named = known = True
                    break
        for key, item in value.items():
            found = children.get(key)
            if found is not None:
                child = <Node?>found
                pending |= child.sightings is not None
                said += self._member(child, key, item, depth)
                continue
            child = None if folded else self._new_child(node, key)
            if child is None:
                keyed = True
                said += self._member(self._other(node, key), key, item, depth)
                continue
            pending |= child.sightings is not None
            said += self._member(child, key, item, depth)
            if len(children) > (_MOST_CHILDREN if child.sightings is None else _LOOKED_AT):
                keyed |= self._crowd(node, key, child)
                children, folded = node.children, node.folded
        if keyed and not folded:
            node.keyed += 1
        if not node.many_variants:
            for name in _DISCRIMINATORS:
                if name in value:
                    self._variant(node, name, value)
                    break
        if self._hashed:
            whole = self._within if known else self._mixed(said) ^ within
        if self._names is not None and (pending or self._late is not None):
            self._sight(value, children, late, whole)
        if self._hashed:
            self._count(node, whole)
            self._within = within
            self._named = named
        return said

    cdef Node _new_child(self, Node node, str key):
        """Return a child for the property *key*; None if its value goes to those of a map."""
        cdef Sightings sightings = None
        cdef Node child
        if self._budget <= 0 or not is_name(key):
            return None
        if self._names is not None:
            sightings = self._names.find(key)
            if sightings is not None and node.crowded:
                self._come_late(sightings)
                return None
        child = node.children[key] = new_node(not may_have_labels(key))
        child.private = child.open
        child.sightings = sightings
        self._budget -= 1
        return child

    cdef Node _other(self, Node node, str key):
        """Return where the values of properties go that have no child, such as *key*."""
        cdef Node other = node.other
        if other is None:
            other = node.other = new_node(True)
        if not other.private and not may_have_labels(key):
            hide_labels(other)
        return other

    cdef bint _crowd(self, Node node, str key, Node child) except -1:
        """Make room in *node*, which has too many children; return whether *child*, the latest, had to go."""
        crowd_node(node)
        if key in node.children:
            return False
        if child.sightings is not None:
            self._come_late(child.sightings)
        return True

    cdef int _come_late(self, Sightings sightings) except -1:
        """Note that a property of the object at hand, whose name is not proven, has no child."""
        if self._late is None:
            self._late = []
        self._late.append(sightings)
        return 0

    cdef int _sight(self, dict value, dict children, Py_ssize_t late, uint64_t whole) except -1:
        """Note that an object has the names in *value* that are not proven, also where they came *late*."""
        cdef Message message = self._message
        cdef Sightings sightings
        cdef Node child
        cdef uint64_t identity = (
            message.identity_of(whole) if self._hashed and not message.is_one else message.own_identity()
        )
        for key in value:
            found = children.get(key)
            if found is None or (<Node?>found).sightings is None:
                continue
            child = <Node>found
            sightings = child.sightings
            if not sightings.proven:
                sightings.sight(message, identity)
            if sightings.proven:
                child.sightings = None
        if self._late is not None:
            for found in self._late[late:]:
                (<Sightings?>found).sight(message, identity)
            del self._late[late:]
        message.unsettled = True
        return 0

    cdef inline uint64_t _member(self, Node node, str name, object value, int depth) except? 0:
        """Add the property *name*; the hashes of an object's properties are added up, in whatever order."""
        cdef uint64_t said = self._observe(node, value, depth)
        return levo_fold(self._text_hash(name) ^ said, self._factor) if self._hashed else said

    cdef int _count(self, Node node, uint64_t identity) except -1:
        """Note in the sketch of *node* that an object of this *identity* was seen."""
        cdef uint64_t spread = self._mixed(identity)
        cdef int place = spread & (PLACES - 1), rank = 0
        spread >>= 6
        while rank < HIGHEST - 1 and not spread & 1:
            spread >>= 1
            rank += 1
        node.count_in()
        node.sketch[place] |= <uint8_t>(1 << rank)
        return 0

    cdef int _variant(self, Node node, str name, dict value) except -1:
        cdef dict children = node.children, present, variants
        cdef Variant variant
        label = value[name]
        if type(label) is not str or not is_label(label) or node.folded:
            node.many_variants = True
            node._variants = None
            return 0
        key = f"{name}={label}"
        variants = node.variants
        found = variants.get(key)
        if found is None:
            variant = variants[key] = Variant.__new__(Variant)
        else:
            variant = <Variant?>found
        variant.objects += 1
        present = variant.present
        for each in value:
            if each in children:
                present[each] = present.get(each, 0) + 1
        if len(variants) > _MOST_VARIANTS:
            node.many_variants = True
            node._variants = None
        return 0

    cdef uint64_t _string(self, Node node, str value) except? 0:
        cdef Py_ssize_t size = PyUnicode_GET_LENGTH(value)
        cdef str known = node._format, name
        cdef dict labels
        node.strings += 1
        if size > node.longest:
            node.longest = size
        if size < node.shortest or node.shortest < 0:
            node.shortest = size
        if known is not _MIXED and known != _MIXED:
            name = text_format(value)
            if name is not known and name != known:
                node._format = _MIXED if known else name
        if not node.open:
            if is_label(value):
                labels = node.labels
                labels[value] = labels.get(value, 0) + 1
                if len(labels) > MOST_LABELS:
                    node.open = True
                    node._labels = None
            else:
                node.open = True
                node._labels = None
        if self._scan:
            node.scanned += 1
            if self._checks and size > 6:
                self._check(node, value)
        if not self._hashed or is_moment(value, size):
            return 10
        return self._text_hash(value)

    cdef uint64_t _text(self, Node node, object value) except? 0:
        plain = scalar(value)
        if type(plain) is str:
            return self._string(node, <str>plain)
        return self._observe(node, plain, 0)

    cdef int _check(self, Node node, str value) except -1:
        cdef object found, more
        cdef dict finds
        found = ()
        for check in self._checks:
            more = check(value)
            if more:
                found = {*found, *more} if found else more  # two checks may agree: the value counts once
        if found:
            finds = node.finds
            for kind in found:
                finds[kind] = finds.get(kind, 0) + 1
        return 0
