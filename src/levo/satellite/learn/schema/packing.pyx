"""The stored form of what is known of messages: MessagePack, read and written straight from and to the fields.

Each thing is an array of its fields, in an order to which fields may only be added at the end. Where a row is of
an earlier version and has fewer, the rest is as it is made; what a later version has added is left out. Names are
written in the order of their octets, so that equal knowledge has equal octets.

What is read is checked to its last octet: any octets give knowledge or :class:`DamagedKnowledge`.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next, PyDict_SetItem
from cpython.ref cimport PyObject
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_DecodeUTF8
from libc.stdint cimport INT64_MAX, int8_t, int16_t, int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc, qsort, realloc
from libc.string cimport memcmp, memcpy

from levo.satellite.learn.network_order cimport big_endian
from levo.satellite.learn.schema.messages cimport Body, Knowledge, Response
from levo.satellite.learn.schema.node cimport PLACES, Node, Variant

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object text)
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

cdef enum:
    DEEPEST = 64  # levels of nodes: more than are ever made (MAX_DEPTH), fewer than the stack has room for
    NAMES = 2048
    LONGEST_NAME = 40
    FEW = 48  # names of a dict that are sorted without asking for memory

# Names that were read lately: most rows have the same ones. Those that are here are not made again.
cdef list _names = [None] * NAMES


class DamagedKnowledge(ValueError):
    """Stored octets are no knowledge."""


# Reading


cdef struct Reader:
    const uint8_t* start
    const uint8_t* at
    const uint8_t* end
    int levels
    bint marks  # a name is not proven


cdef int refuse(Reader* reader, str what) except -1:
    raise DamagedKnowledge(f"what is stored of the messages is damaged at octet {reader.at - reader.start}: {what}")


cdef inline int need(Reader* reader, Py_ssize_t size) except -1:
    if reader.end - reader.at < size:
        refuse(reader, "it ends too early")
    return 0


cdef int read_int(Reader* reader, int64_t* value) except -1:
    cdef uint8_t kind
    cdef uint64_t number
    cdef int size
    need(reader, 1)
    kind = reader.at[0]
    if kind < 0x80 or kind >= 0xE0:
        value[0] = <int8_t>kind
        reader.at += 1
        return 0
    if not 0xCC <= kind <= 0xD3:
        refuse(reader, "not a whole number")
    size = 1 << (kind & 3)
    need(reader, 1 + size)
    number = big_endian(reader.at + 1, size)
    if kind < 0xD0:
        if number > <uint64_t>INT64_MAX:
            refuse(reader, "a number beyond all counts")
        value[0] = <int64_t>number
    elif size == 1:
        value[0] = <int8_t>number
    elif size == 2:
        value[0] = <int16_t>number
    elif size == 4:
        value[0] = <int32_t>number
    else:
        value[0] = <int64_t>number
    reader.at += 1 + size
    return 0


cdef int read_flag(Reader* reader, bint* value) except -1:
    need(reader, 1)
    if reader.at[0] != 0xC2 and reader.at[0] != 0xC3:
        refuse(reader, "neither true nor false")
    value[0] = reader.at[0] == 0xC3
    reader.at += 1
    return 0


cdef Py_ssize_t read_size(Reader* reader, uint8_t small, uint8_t large, str what) except -1:
    """Read the head of an array or a map: *small* with up to 15, or *large* with two or four octets."""
    cdef Py_ssize_t size
    need(reader, 1)
    if small <= reader.at[0] <= small + 15:
        size = reader.at[0] - small
        reader.at += 1
        return size
    if reader.at[0] == large:
        need(reader, 3)
        size = big_endian(reader.at + 1, 2)
        reader.at += 3
    elif reader.at[0] == large + 1:
        need(reader, 5)
        size = big_endian(reader.at + 1, 4)
        reader.at += 5
    else:
        refuse(reader, what)
    need(reader, size)  # each thing takes an octet at least
    return size


cdef inline Py_ssize_t read_array(Reader* reader) except -1:
    return read_size(reader, 0x90, 0xDC, "not an array")


cdef inline Py_ssize_t read_map(Reader* reader) except -1:
    return read_size(reader, 0x80, 0xDE, "not a map")


cdef Py_ssize_t read_octets(Reader* reader, uint8_t first, str what) except -1:
    """Read the head of a text (*first* 0xD9) or octets (0xC4); return how many octets follow, which are there."""
    cdef uint8_t kind
    cdef Py_ssize_t size
    cdef int head
    need(reader, 1)
    kind = reader.at[0]
    if first == 0xD9 and 0xA0 <= kind <= 0xBF:
        size = kind - 0xA0
        head = 1
    elif first <= kind <= first + 2:
        head = 1 + (1 << (kind - first))
        need(reader, head)
        size = big_endian(reader.at + 1, head - 1)
    else:
        refuse(reader, what)
    need(reader, head + size)
    reader.at += head
    return size


cdef str read_text(Reader* reader):
    cdef Py_ssize_t size = read_octets(reader, 0xD9, "not a text")
    cdef const uint8_t* at = reader.at
    cdef uint64_t place = size
    cdef Py_ssize_t i
    cdef str text
    reader.at += size
    if size and at[0] == c"?":
        reader.marks = True
    if size <= LONGEST_NAME:
        for i in range(size):
            place = place * <uint64_t>0x9E3779B1 + <uint64_t>at[i]
        place = (place ^ place >> 15) % NAMES
        known = _names[<Py_ssize_t>place]
        if (
            known is not None
            and PyUnicode_GET_LENGTH(known) == size
            and memcmp(PyUnicode_DATA(known), at, size) == 0
        ):
            return <str>known
    try:
        text = PyUnicode_DecodeUTF8(<const char*>at, size, NULL)
    except UnicodeDecodeError:
        refuse(reader, "a text that is not UTF-8")
    if size <= LONGEST_NAME and PyUnicode_IS_COMPACT_ASCII(text):
        _names[<Py_ssize_t>place] = text
    return text


ctypedef object (*ReadValue)(Reader* reader)


cdef dict read_values(Reader* reader, ReadValue read):
    """Read a map from texts to what *read* reads; None where it is empty."""
    cdef Py_ssize_t size = read_map(reader), _i
    cdef dict found
    if not size:
        return None
    found = {}
    for _i in range(size):
        text = read_text(reader)
        PyDict_SetItem(found, text, read(reader))
    return found


cdef object read_count(Reader* reader):
    cdef int64_t count = 0
    read_int(reader, &count)
    return count


cdef int skip(Reader* reader, Py_ssize_t left) except -1:
    """Pass over *left* things of any kind: what a later version has added."""
    cdef uint8_t kind
    cdef Py_ssize_t size
    while left:
        left -= 1
        need(reader, 1)
        kind = reader.at[0]
        if kind < 0x80 or kind >= 0xE0 or kind == 0xC0 or kind == 0xC2 or kind == 0xC3:
            reader.at += 1
            continue
        if kind < 0x90 or kind == 0xDE or kind == 0xDF:
            left += 2 * read_map(reader)
            continue
        if kind < 0xA0 or kind == 0xDC or kind == 0xDD:
            left += read_array(reader)
            continue
        if kind < 0xC0 or 0xD9 <= kind <= 0xDB:
            reader.at += read_octets(reader, 0xD9, "")
            continue
        if 0xC4 <= kind <= 0xC6:
            reader.at += read_octets(reader, 0xC4, "")
            continue
        if 0xCA <= kind <= 0xCB:
            size = 5 if kind == 0xCA else 9
        elif 0xCC <= kind <= 0xD3:
            size = 1 + (1 << (kind & 3))
        elif 0xD4 <= kind <= 0xD8:
            size = 2 + (1 << (kind - 0xD4))
        else:
            refuse(reader, "nothing that is stored")
        need(reader, size)
        reader.at += size
    return 0


cdef object read_variant(Reader* reader):
    cdef Py_ssize_t size = read_array(reader)
    cdef Variant variant = Variant.__new__(Variant)
    if size > 0:
        read_int(reader, &variant.objects)
    if size > 1:
        variant._present = read_values(reader, read_count)
        skip(reader, size - 2)
    return variant


cdef Node read_maybe_node(Reader* reader):
    need(reader, 1)
    if reader.at[0] == 0xC0:
        reader.at += 1
        return None
    return <Node>read_node(reader)


cdef int read_sketch(Reader* reader, Node node) except -1:
    cdef Py_ssize_t size = read_octets(reader, 0xC4, "no octets")
    if size:
        if size != PLACES:
            refuse(reader, "a sketch of another size")
        node.count_in()
        memcpy(node.sketch, reader.at, size)
        reader.at += size
    return 0


cdef object read_node(Reader* reader):
    cdef Py_ssize_t size = read_array(reader), field
    cdef Node node = Node.__new__(Node)
    reader.levels += 1
    if reader.levels > DEEPEST:
        refuse(reader, "more levels than are ever made")
    for field in range(size):
        if field == 0:
            read_int(reader, &node.nulls)
        elif field == 1:
            read_int(reader, &node.booleans)
        elif field == 2:
            read_int(reader, &node.integers)
        elif field == 3:
            read_int(reader, &node.numbers)
        elif field == 4:
            read_int(reader, &node.strings)
        elif field == 5:
            read_int(reader, &node.objects)
        elif field == 6:
            read_int(reader, &node.arrays)
        elif field == 7:
            read_flag(reader, &node.negative)
        elif field == 8:
            read_int(reader, &node.bits)
        elif field == 9:
            read_int(reader, &node.shortest)
        elif field == 10:
            read_int(reader, &node.longest)
        elif field == 11:
            node._format = read_text(reader)
        elif field == 12:
            read_flag(reader, &node.open)
        elif field == 13:
            node._labels = read_values(reader, read_count)
        elif field == 14:
            node._children = read_values(reader, read_node)
        elif field == 15:
            node.other = read_maybe_node(reader)
        elif field == 16:
            read_int(reader, &node.keyed)
        elif field == 17:
            read_flag(reader, &node.folded)
        elif field == 18:
            node.items = read_maybe_node(reader)
        elif field == 19:
            read_int(reader, &node.fewest)
        elif field == 20:
            read_int(reader, &node.most)
        elif field == 21:
            node._finds = read_values(reader, read_count)
        elif field == 22:
            node._variants = read_values(reader, read_variant)
        elif field == 23:
            read_flag(reader, &node.many_variants)
        elif field == 24:
            read_int(reader, &node.scanned)
        elif field == 25:
            read_flag(reader, &node.private)
        elif field == 26:
            read_sketch(reader, node)
        elif field == 27:
            read_flag(reader, &node.crowded)
        else:
            skip(reader, size - field)
            break
    reader.levels -= 1
    return node


cdef object read_body(Reader* reader):
    cdef Py_ssize_t size = read_array(reader)
    cdef Body body = Body.__new__(Body)
    if size > 0:
        read_int(reader, &body.seen)
    if size > 1:
        read_int(reader, &body.learned)
    if size > 2:
        body.schema = <Node>read_node(reader)
        skip(reader, size - 3)
    return body


cdef object read_response(Reader* reader):
    cdef Py_ssize_t size = read_array(reader)
    cdef Response response = Response.__new__(Response)
    if size > 0:
        read_int(reader, &response.seen)
    if size > 1:
        response.headers = <Node>read_node(reader)
    if size > 2:
        response._bodies = read_values(reader, read_body)
        skip(reader, size - 3)
    return response


cdef dict read_auth(Reader* reader):
    cdef dict found = read_values(reader, read_count)
    if found is not None:
        for scheme in found:
            if "?" in <str>scheme:
                reader.marks = True
    return found


cdef Knowledge read_knowledge(Reader* reader):
    cdef Py_ssize_t size = read_array(reader), field
    cdef Knowledge known = Knowledge.__new__(Knowledge)
    for field in range(size):
        if field == 0:
            read_int(reader, &known.accepted)
        elif field == 1:
            known.query = <Node>read_node(reader)
        elif field == 2:
            known.headers = <Node>read_node(reader)
        elif field == 3:
            known.cookies = <Node>read_node(reader)
        elif field == 4:
            known._segments = read_values(reader, read_node)
        elif field == 5:
            known._bodies = read_values(reader, read_body)
        elif field == 6:
            known._responses = read_values(reader, read_response)
        elif field == 7:
            known._auth = read_auth(reader)
        elif field == 8:
            read_int(reader, &known.refused)
        elif field == 9:
            read_int(reader, &known.skipped)
        elif field == 10:
            read_int(reader, &known.heads_cut)
        else:
            skip(reader, size - field)
            break
    known.unsettled = reader.marks
    return known


cdef Reader reader_of(bytes octets) noexcept:
    cdef Reader reader
    reader.start = reader.at = <const uint8_t*>PyBytes_AS_STRING(octets)
    reader.end = reader.at + PyBytes_GET_SIZE(octets)
    reader.levels = 0
    reader.marks = False
    return reader


def unpack_knowledge(bytes octets not None):
    """Return what was stored of a place's messages.

    Raises:
        DamagedKnowledge: it is something else.
    """
    cdef Reader reader = reader_of(octets)
    cdef Knowledge known = read_knowledge(&reader)
    if reader.at != reader.end:
        refuse(&reader, "more octets than it has")
    return known


def unpack_node(bytes octets not None):
    """Return the node that :func:`pack_node` made *octets* of.

    Raises:
        DamagedKnowledge: they are something else.
    """
    cdef Reader reader = reader_of(octets)
    cdef Node node = <Node>read_node(&reader)
    if reader.at != reader.end:
        refuse(&reader, "more octets than it has")
    return node


# Writing


cdef struct Writer:
    uint8_t* octets
    Py_ssize_t size
    Py_ssize_t room
    int levels


cdef struct Entry:
    const char* name
    Py_ssize_t size
    PyObject* value


cdef int make_room(Writer* writer, Py_ssize_t more) except -1:
    cdef Py_ssize_t room = writer.room
    cdef uint8_t* octets
    if writer.size + more <= room:
        return 0
    while room < writer.size + more:
        room *= 2
    octets = <uint8_t*>realloc(writer.octets, room)
    if octets == NULL:
        raise MemoryError
    writer.octets = octets
    writer.room = room
    return 0


# What has a bound is put without asking: whoever calls has made room for it.


cdef inline void put(Writer* writer, uint8_t octet) noexcept nogil:
    writer.octets[writer.size] = octet
    writer.size += 1


cdef inline void put_big_endian(Writer* writer, uint8_t kind, uint64_t value, int size) noexcept nogil:
    cdef int shift
    put(writer, kind)
    for shift in range(8 * (size - 1), -8, -8):
        put(writer, <uint8_t>(value >> shift))


cdef void put_int(Writer* writer, int64_t value) noexcept nogil:
    """Put a number in the shortest form, at most nine octets."""
    if -32 <= value < 128:
        put(writer, <uint8_t>value)
    elif value >= 0:
        if value < 1 << 8:
            put_big_endian(writer, 0xCC, value, 1)
        elif value < 1 << 16:
            put_big_endian(writer, 0xCD, value, 2)
        elif value < <int64_t>1 << 32:
            put_big_endian(writer, 0xCE, value, 4)
        else:
            put_big_endian(writer, 0xCF, value, 8)
    elif value >= -(1 << 7):
        put_big_endian(writer, 0xD0, <uint64_t>value, 1)
    elif value >= -(1 << 15):
        put_big_endian(writer, 0xD1, <uint64_t>value, 2)
    elif value >= -(<int64_t>1 << 31):
        put_big_endian(writer, 0xD2, <uint64_t>value, 4)
    else:
        put_big_endian(writer, 0xD3, <uint64_t>value, 8)


cdef inline void put_flag(Writer* writer, bint value) noexcept nogil:
    put(writer, 0xC3 if value else 0xC2)


cdef int write_text(Writer* writer, const char* at, Py_ssize_t size) except -1:
    make_room(writer, size + 5)
    if size < 32:
        put(writer, <uint8_t>(0xA0 + size))
    elif size < 1 << 8:
        put_big_endian(writer, 0xD9, size, 1)
    elif size < 1 << 16:
        put_big_endian(writer, 0xDA, size, 2)
    else:
        put_big_endian(writer, 0xDB, size, 4)
    memcpy(writer.octets + writer.size, at, size)
    writer.size += size
    return 0


cdef int by_name(const void* a, const void* b) noexcept nogil:
    cdef const Entry* one = <const Entry*>a
    cdef const Entry* other = <const Entry*>b
    cdef Py_ssize_t size = one.size if one.size < other.size else other.size
    cdef int order = memcmp(one.name, other.name, size)
    if order == 0:
        order = (one.size > other.size) - (one.size < other.size)
    return order


ctypedef int (*WriteValue)(Writer* writer, object value) except -1


cdef int write_map(Writer* writer, dict values, WriteValue write) except -1:
    """Write what is in *values*, which may be None, in the order of the names' octets."""
    cdef Entry[FEW] few
    cdef Entry* entries = few
    cdef Py_ssize_t count = 0 if values is None else len(values), place = 0, i
    cdef PyObject* name
    cdef PyObject* value
    cdef bint is_sorted = True
    make_room(writer, 5)
    if count < 16:
        put(writer, <uint8_t>(0x80 + count))
    elif count < 1 << 16:
        put_big_endian(writer, 0xDE, count, 2)
    else:
        put_big_endian(writer, 0xDF, count, 4)
    if not count:
        return 0
    if count > FEW:
        entries = <Entry*>malloc(count * sizeof(Entry))
        if entries == NULL:
            raise MemoryError
    try:
        i = 0
        while PyDict_Next(values, &place, &name, &value):
            if not PyUnicode_CheckExact(<object>name):
                raise TypeError("a name is a text")
            entries[i].name = PyUnicode_AsUTF8AndSize(<object>name, &entries[i].size)
            entries[i].value = value
            if i and is_sorted and by_name(&entries[i - 1], &entries[i]) > 0:
                is_sorted = False
            i += 1
        if not is_sorted:
            qsort(entries, count, sizeof(Entry), by_name)
        for i in range(count):
            write_text(writer, entries[i].name, entries[i].size)
            write(writer, <object>entries[i].value)
    finally:
        if entries != few:
            free(entries)
    return 0


cdef int write_count(Writer* writer, object value) except -1:
    make_room(writer, 9)
    put_int(writer, value)
    return 0


cdef int write_variant(Writer* writer, object value) except -1:
    cdef Variant variant = <Variant?>value
    make_room(writer, 10)
    put(writer, 0x92)
    put_int(writer, variant.objects)
    return write_map(writer, variant._present, write_count)


cdef int write_maybe_node(Writer* writer, Node node) except -1:
    if node is not None:
        return write_node(writer, node)
    make_room(writer, 1)
    put(writer, 0xC0)
    return 0


cdef int write_node(Writer* writer, object value) except -1:
    cdef Node node = <Node?>value
    cdef Py_ssize_t size = 0
    cdef const char* text
    writer.levels += 1
    if writer.levels > DEEPEST:
        raise ValueError("more levels of nodes than are stored")
    make_room(writer, 128)
    put_big_endian(writer, 0xDC, 28, 2)
    put_int(writer, node.nulls)
    put_int(writer, node.booleans)
    put_int(writer, node.integers)
    put_int(writer, node.numbers)
    put_int(writer, node.strings)
    put_int(writer, node.objects)
    put_int(writer, node.arrays)
    put_flag(writer, node.negative)
    put_int(writer, node.bits)
    put_int(writer, node.shortest)
    put_int(writer, node.longest)
    text = PyUnicode_AsUTF8AndSize(node._format, &size)
    write_text(writer, text, size)
    make_room(writer, 1)
    put_flag(writer, node.open)
    write_map(writer, node._labels, write_count)
    write_map(writer, node._children, write_node)
    write_maybe_node(writer, node.other)
    make_room(writer, 10)
    put_int(writer, node.keyed)
    put_flag(writer, node.folded)
    write_maybe_node(writer, node.items)
    make_room(writer, 18)
    put_int(writer, node.fewest)
    put_int(writer, node.most)
    write_map(writer, node._finds, write_count)
    write_map(writer, node._variants, write_variant)
    make_room(writer, 17 + PLACES)
    put_flag(writer, node.many_variants)
    put_int(writer, node.scanned)
    put_flag(writer, node.private)
    size = 0 if node.sketch == NULL else PLACES
    put_big_endian(writer, 0xC4, size, 1)
    if size:
        memcpy(writer.octets + writer.size, node.sketch, size)
        writer.size += size
    put_flag(writer, node.crowded)
    writer.levels -= 1
    return 0


cdef int write_body(Writer* writer, object value) except -1:
    cdef Body body = <Body?>value
    make_room(writer, 19)
    put(writer, 0x93)
    put_int(writer, body.seen)
    put_int(writer, body.learned)
    return write_node(writer, body.schema)


cdef int write_response(Writer* writer, object value) except -1:
    cdef Response response = <Response?>value
    make_room(writer, 10)
    put(writer, 0x93)
    put_int(writer, response.seen)
    write_node(writer, response.headers)
    return write_map(writer, response._bodies, write_body)


cdef int write_knowledge(Writer* writer, object value) except -1:
    cdef Knowledge known = <Knowledge?>value
    make_room(writer, 10)
    put(writer, 0x9B)
    put_int(writer, known.accepted)
    write_node(writer, known.query)
    write_node(writer, known.headers)
    write_node(writer, known.cookies)
    write_map(writer, known._segments, write_node)
    write_map(writer, known._bodies, write_body)
    write_map(writer, known._responses, write_response)
    write_map(writer, known._auth, write_count)
    make_room(writer, 27)
    put_int(writer, known.refused)
    put_int(writer, known.skipped)
    put_int(writer, known.heads_cut)
    return 0


cdef bytes written(object value, WriteValue write):
    cdef Writer writer
    writer.room = 4096
    writer.size = writer.levels = 0
    writer.octets = <uint8_t*>malloc(writer.room)
    if writer.octets == NULL:
        raise MemoryError
    try:
        write(&writer, value)
        return PyBytes_FromStringAndSize(<char*>writer.octets, writer.size)
    finally:
        free(writer.octets)


def pack_knowledge(Knowledge known not None):
    """Return *known* as it is stored: equal knowledge has equal octets."""
    return written(known, write_knowledge)


def pack_node(Node node not None):
    """Return *node* as it is stored."""
    return written(node, write_node)
