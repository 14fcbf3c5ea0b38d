"""Looks through the properties of bodies: what runs for each property of each body that says something of paths."""

from binascii import crc32

from libc.stdint cimport uint64_t

from levo.satellite.learn.paths.forms import value_key
from levo.satellite.learn.paths.segments import segment_key

cdef enum:
    MOST_VALUES = 1_000
    MOST_CHARACTERS = 80
    MOST_NAMES = 24
    MOST_KNOWN = 4_096

cdef class Identifying:
    """Finds the texts that identify something.

    It remembers for 4,096 names of properties whether they identify, then begins anew: senders choose the names.
    """

    cdef object _is_identifying
    cdef dict _known

    def __init__(self, is_identifying):
        self._is_identifying = is_identifying
        self._known = {}

    cdef bint _identifies(self, str name) except -1:
        found = self._known.get(name)
        if found is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            found = self._known[name] = self._is_identifying(name)
        return found

    def texts(self, document):
        """Return the texts and integers at properties whose name identifies; *document* is an object or array."""
        cdef set found = set()
        cdef list stack = [document], items
        cdef Py_ssize_t left = MOST_VALUES
        cdef str name
        while stack and left > 0:
            value = stack.pop()
            left -= len(value)
            if type(value) is list:
                items = value
                for kid in items[:MOST_VALUES] if len(items) > MOST_VALUES else items:
                    if (type(kid) is dict or type(kid) is list) and kid:
                        stack.append(kid)
                continue
            for name, kid in (<dict>value).items():
                if type(kid) is str or type(kid) is int:
                    if self._identifies(name):
                        add_text(found, kid)
                elif type(kid) is dict:
                    if kid:
                        stack.append(kid)
                elif type(kid) is list and kid:
                    stack.append(kid)
                    if type(kid[0]) is str or type(kid[0]) is int:
                        if self._identifies(name):
                            for one in kid[:MOST_VALUES]:
                                if type(one) is str or type(one) is int:
                                    add_text(found, one)
        return found


cdef inline int add_text(set found, object value) except -1:
    cdef str text = value if type(value) is str else str(value)
    if 0 < len(text) <= MOST_CHARACTERS:
        found.add(text)
    return 0


def literals(set texts not None, list but not None):
    """Return the keys of the *texts*, but for those in *but*, that are of no recognized type."""
    cdef set found = set()
    cdef str key
    for text in texts:
        if value_key(text, False) is None and text not in but:
            key = segment_key(text, False)
            if "{" not in key:
                found.add(key)
    return frozenset(found)


cdef class Sketcher:
    """Sketches the names of the top-level properties of bodies of one *side*, in 64 bits.

    It remembers the bits of 4,096 names, then begins anew: senders choose the names.
    """

    cdef str _side
    cdef dict _single, _listed

    def __init__(self, str side not None):
        self._side = side
        self._single = {}
        self._listed = {}

    cdef uint64_t _bit(self, dict bits, str prefix, str name) except 0:
        found = bits.get(name)
        if found is None:
            if len(bits) >= MOST_KNOWN:
                bits.clear()
            path = prefix if name is None else f"{prefix}.{name}"
            found = bits[name] = 1 << (crc32(path.encode(errors="replace")) & 63)
        return found

    def sketch(self, document):
        """Return the sketch of *document*, or of the first item if it is an array; 0: there is none."""
        cdef uint64_t sketch
        cdef dict bits = self._single
        cdef str prefix = self._side
        if type(document) is list:
            prefix = prefix + "[]"
            bits = self._listed
            document = document[0] if document else None
        if document is None:
            return 0
        sketch = self._bit(bits, prefix, None)
        if type(document) is dict:
            for name in sorted(document)[:MOST_NAMES] if len(<dict>document) > MOST_NAMES else document:
                sketch |= self._bit(bits, prefix, name)
        return sketch
