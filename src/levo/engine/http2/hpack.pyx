"""HPACK, header compression of HTTP/2 (RFC 7541), read from the outside.

A connection seen from its first octet has an ``exact`` table: entries leave it as section 4.4 says, and a
reference behind its end is an error. A connection joined late, or one that lost a header block, has a *window*:
the insertions seen since, the newest first. Indices count from the newest entry, so a reference to an entry of
the window is exact whatever the sender's table held before and whatever has left it; a reference behind the
window is unknown, its field is left out and counted. Entries made from an unknown name keep their place as
unknown ones. A size update to 0 empties the sender's table and so makes the window exact again.

Bounds: integers below 2**28, the window 64 KiB, a list as its caller says, and the octets that one block may
insert; past the last one the block is given up, as is one that is malformed: what it would have inserted is not
known, so the window starts afresh.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset

from levo.engine.core.memory cimport give_back, take
from levo.engine.core.types cimport Budget, Field

cdef extern from "levo/engine/http2/hpack.h":
    ctypedef struct StaticField "levo_hpack_static":
        const char* name
        const char* value
        uint8_t name_length
        uint8_t value_length
    const StaticField* STATIC "levo_static_fields"
    const unsigned char* CODE_LENGTHS "levo_code_lengths"

cdef enum:
    STATIC_COUNT = 61
    FIRST_SIZE = 4096           # of a table until its sender says otherwise (section 6.5.2 of RFC 9113)
    WINDOW = 65536              # octets of a table that are kept
    MOST_ENTRIES = 2048
    OVERHEAD = 32               # of an entry (section 4.1)
    INSERTS = 1 << 22           # octets that one block may insert
    MOST_FIELDS = 1 << 16
    SHORT_BITS = 10             # codes up to this length are read in one step
    LONGEST = 30

# Constants, computed once when the module is loaded: for each ten bits the symbol and the length of its code,
# and for each longer length the first code, its rank and how many there are.
cdef uint16_t short_codes[1 << SHORT_BITS]      # symbol << 4 | length, 0 when the code is longer
cdef uint32_t first_code[LONGEST + 1]
cdef uint16_t first_rank[LONGEST + 1]
cdef uint16_t code_count[LONGEST + 1]
cdef uint16_t ranked[257]


cdef void build_codes() noexcept nogil:
    cdef uint32_t code = 0, symbol, i
    cdef uint32_t rank = 0
    cdef int length
    memset(short_codes, 0, sizeof(short_codes))
    for length in range(1, LONGEST + 1):
        code <<= 1
        first_code[length] = code
        first_rank[length] = <uint16_t>rank
        for symbol in range(257):
            if CODE_LENGTHS[symbol] == length:
                if length <= SHORT_BITS:
                    for i in range(1 << (SHORT_BITS - length)):
                        short_codes[(code << (SHORT_BITS - length)) + i] = <uint16_t>(symbol << 4 | length)
                ranked[rank] = <uint16_t>symbol
                rank += 1
                code += 1
        code_count[length] = <uint16_t>(rank - first_rank[length])


build_codes()


cdef int64_t huffman_decode(const uint8_t* data, uint32_t length, uint8_t* out) noexcept nogil:
    """Decode a string (section 5.2) into *out*, room for 8/5 of *length*; its length, or -1 when it is none."""
    cdef uint64_t word = 0
    cdef int bits = 0
    cdef uint32_t at = 0
    cdef uint8_t* to = out
    cdef uint32_t code
    cdef int size
    cdef uint16_t found
    while True:
        while bits <= 56 and at < length:
            word |= <uint64_t>data[at] << (56 - bits)
            bits += 8
            at += 1
        if bits == 0:
            return to - out
        found = short_codes[word >> (64 - SHORT_BITS)]
        size = found & 15
        if size and size <= bits:
            to[0] = <uint8_t>(found >> 4)
            to += 1
            word <<= size
            bits -= size
            continue
        if size == 0:
            size = SHORT_BITS + 1
            while size <= LONGEST and size <= bits:
                code = <uint32_t>(word >> (64 - size))
                if code - first_code[size] < code_count[size]:
                    break
                size += 1
            if size <= LONGEST and size <= bits:
                code = ranked[first_rank[size] + code - first_code[size]]
                if code == 256:
                    return -1                      # EOS must not occur
                to[0] = <uint8_t>code
                to += 1
                word <<= size
                bits -= size
                continue
        # What is left is padding: fewer than eight bits, all of them ones.
        if bits < 8 and word >> (64 - bits) == (<uint64_t>1 << bits) - 1:
            return to - out
        return -1


cdef void list_init(HeaderList* fields, uint32_t limit) noexcept nogil:
    """An empty list that keeps up to *limit* octets of names and values."""
    fields.text = fields.text_room
    fields.fields = fields.field_room
    fields.length = fields.count = fields.unknown = 0
    fields.capacity = LIST_TEXT
    fields.field_capacity = LIST_FIELDS
    fields.limit = limit
    fields.first_unknown = fields.overflow = fields.cut = 0


cdef void list_free(Budget* budget, HeaderList* fields) noexcept nogil:
    if fields.text != fields.text_room:
        give_back(budget, fields.text, fields.capacity)
    if fields.fields != fields.field_room:
        give_back(budget, fields.fields, fields.field_capacity * sizeof(Field))
    fields.text = fields.text_room
    fields.fields = fields.field_room
    fields.capacity = LIST_TEXT
    fields.field_capacity = LIST_FIELDS


cdef bint list_reserve(Budget* budget, HeaderList* fields, uint32_t more) noexcept nogil:
    cdef uint32_t wanted
    cdef uint8_t* block
    if fields.capacity - fields.length >= more:
        return True
    wanted = fields.capacity * 2
    if wanted - fields.length < more:
        wanted = fields.length + more
    block = <uint8_t*>take(budget, wanted)
    if block == NULL:
        return False
    memcpy(block, fields.text, fields.length)
    if fields.text != fields.text_room:
        give_back(budget, fields.text, fields.capacity)
    fields.text = block
    fields.capacity = wanted
    return True


cdef bint list_add(
    Budget* budget, HeaderList* fields, uint32_t start, uint32_t name_length, uint32_t value_length
) noexcept nogil:
    # A field whose name and value already stand in the text from *start* on.
    cdef Field* block
    cdef Field* field
    if fields.count == fields.field_capacity:
        if fields.count >= MOST_FIELDS:
            return False
        block = <Field*>take(budget, fields.field_capacity * 2 * sizeof(Field))
        if block == NULL:
            return False
        memcpy(block, fields.fields, fields.count * sizeof(Field))
        if fields.fields != fields.field_room:
            give_back(budget, fields.fields, fields.field_capacity * sizeof(Field))
        fields.fields = block
        fields.field_capacity *= 2
    field = &fields.fields[fields.count]
    field.name.at = start
    field.name.length = name_length
    field.value.at = start + name_length
    field.value.length = value_length
    fields.count += 1
    return True


# The table.

cdef void hpack_init(Hpack* table, bint exact) noexcept nogil:
    """An empty table; *exact*: nothing was sent before."""
    memset(table, 0, sizeof(Hpack))
    table.exact = exact
    table.max_size = FIRST_SIZE


cdef void hpack_free(Budget* budget, Hpack* table) noexcept nogil:
    give_back(budget, table.text, table.text_capacity)
    give_back(budget, table.entries, table.entry_capacity * sizeof(HpackEntry))
    table.text = NULL
    table.entries = NULL
    table.text_capacity = table.entry_capacity = table.head = 0
    clear(table)


cdef void hpack_forget(Budget* budget, Hpack* table) noexcept nogil:
    """Header blocks were lost: what the sender's table holds now is not known."""
    hpack_free(budget, table)
    table.exact = 0


cdef int64_t hpack_footprint(const Hpack* table) noexcept nogil:
    return table.text_capacity + <int64_t>table.entry_capacity * sizeof(HpackEntry)


cdef inline void clear(Hpack* table) noexcept nogil:
    table.count = 0
    table.size = 0
    table.text_end = 0


cdef inline HpackEntry* entry_at(const Hpack* table, uint32_t index) noexcept nogil:
    """The *index*-th newest entry, from 0; the caller has compared with ``count``."""
    return &table.entries[(table.head - 1 - index) & (table.entry_capacity - 1)]


cdef inline void drop_oldest(Hpack* table) noexcept nogil:
    cdef HpackEntry* entry = entry_at(table, table.count - 1)
    table.size -= entry.name_length + entry.value_length + OVERHEAD
    table.count -= 1
    if table.count == 0:
        table.text_end = 0


cdef bint make_room(Budget* budget, Hpack* table, uint32_t more) noexcept nogil:
    """Room for one entry with *more* octets of text; False when memory is refused."""
    cdef uint32_t start, live, capacity, i
    cdef HpackEntry* entries
    cdef uint8_t* text
    if table.count == table.entry_capacity:
        capacity = table.entry_capacity * 2 if table.entry_capacity else 32
        entries = <HpackEntry*>take(budget, capacity * sizeof(HpackEntry))
        if entries == NULL:
            return False
        for i in range(table.count):
            entries[i] = entry_at(table, table.count - 1 - i)[0]
        give_back(budget, table.entries, table.entry_capacity * sizeof(HpackEntry))
        table.entries = entries
        table.entry_capacity = capacity
        table.head = table.count
    if table.text_capacity - table.text_end >= more:
        return True
    start = entry_at(table, table.count - 1).at if table.count else 0
    live = table.text_end - start
    if 2 * (live + more) <= table.text_capacity:
        memmove(table.text, table.text + start, live)
    else:
        capacity = 2 * (live + more)
        if capacity < 1024:
            capacity = 1024
        text = <uint8_t*>take(budget, capacity)
        if text == NULL:
            return False
        if live:
            memcpy(text, table.text + start, live)
        give_back(budget, table.text, table.text_capacity)
        table.text = text
        table.text_capacity = capacity
    for i in range(table.count):
        entry_at(table, i).at -= start
    table.text_end = live
    return True


cdef void insert(
    Budget* budget, Hpack* table, const uint8_t* text, uint32_t name_length, uint32_t value_length, bint known
) noexcept nogil:
    """Section 4.4; *text* (name, then value) does not lie in the table."""
    cdef uint32_t need = name_length + value_length + OVERHEAD
    cdef HpackEntry* entry
    if table.exact:
        if need > table.max_size:
            clear(table)
            return
        while table.size + need > table.max_size:
            drop_oldest(table)
    else:
        if not known or need > WINDOW:
            known = False
            name_length = value_length = 0
            need = OVERHEAD
        while table.count and (table.size + need > WINDOW or table.count >= MOST_ENTRIES):
            drop_oldest(table)
    if not make_room(budget, table, name_length + value_length):
        hpack_forget(budget, table)
        return
    entry = &table.entries[table.head & (table.entry_capacity - 1)]
    table.head = (table.head + 1) & (table.entry_capacity - 1)
    entry.at = table.text_end
    entry.name_length = name_length
    entry.value_length = value_length
    entry.known = known
    if name_length + value_length:
        memcpy(table.text + table.text_end, text, name_length + value_length)
    table.text_end += name_length + value_length
    table.count += 1
    table.size += need


cdef void resize(Budget* budget, Hpack* table, uint32_t size) noexcept nogil:
    """A size update of the sender (section 6.3)."""
    if size == 0:
        clear(table)
        table.exact = 1
        table.max_size = 0
    elif table.exact and size > WINDOW:
        # Larger than what is kept: from now on references may lead behind the window.
        table.exact = 0
    elif table.exact:
        table.max_size = size
        while table.size > size:
            drop_oldest(table)


# Reading a block.

cdef inline bint read_integer(
    const uint8_t* data, uint32_t length, uint32_t* at, int prefix, uint32_t* value
) noexcept nogil:
    """Section 5.1. False when it does not end within *length* or passes 2**28."""
    cdef uint32_t mask = (1 << prefix) - 1
    cdef uint32_t number = data[at[0]] & mask
    cdef int shift = 0
    cdef uint8_t octet
    at[0] += 1
    if number == mask:
        while True:
            if at[0] >= length or shift > 28:
                return False
            octet = data[at[0]]
            at[0] += 1
            if shift == 28 and octet:
                return False
            number += <uint32_t>(octet & 127) << shift
            if number >= 1 << 28:
                return False
            if not octet & 128:
                break
            shift += 7
    value[0] = number
    return True


cdef bint read_string(
    Budget* budget, const uint8_t* data, uint32_t length, uint32_t* at, HeaderList* fields, uint32_t* size
) noexcept nogil:
    """Section 5.2: append the string to the list's text."""
    cdef uint32_t octets = 0
    cdef int64_t decoded
    cdef bint coded
    if at[0] >= length:
        return False
    coded = data[at[0]] >> 7
    if not read_integer(data, length, at, 7, &octets) or octets > length - at[0]:
        return False
    if not list_reserve(budget, fields, octets * 8 // 5 + 1 if coded else octets):
        return False
    if coded:
        decoded = huffman_decode(data + at[0], octets, fields.text + fields.length)
        if decoded < 0:
            return False
        size[0] = <uint32_t>decoded
    else:
        memcpy(fields.text + fields.length, data + at[0], octets)
        size[0] = octets
    fields.length += size[0]
    at[0] += octets
    return True


cdef bint copy_name(
    Budget* budget, const Hpack* table, uint32_t index, HeaderList* fields, uint32_t* name_length,
    uint32_t* value_length, bint with_value, bint* known
) noexcept nogil:
    """Append name (and value) of the field at *index* of both tables; False when there can be none."""
    cdef const HpackEntry* entry
    cdef const uint8_t* text
    name_length[0] = value_length[0] = 0
    known[0] = True
    if index == 0:
        return False
    if index <= STATIC_COUNT:
        name_length[0] = STATIC[index - 1].name_length
        if not list_reserve(budget, fields, 256):
            return False
        memcpy(fields.text + fields.length, STATIC[index - 1].name, name_length[0])
        fields.length += name_length[0]
        if with_value:
            value_length[0] = STATIC[index - 1].value_length
            memcpy(fields.text + fields.length, STATIC[index - 1].value, value_length[0])
            fields.length += value_length[0]
        return True
    index -= STATIC_COUNT + 1
    if index >= table.count:
        known[0] = False
        return not table.exact
    entry = entry_at(table, index)
    if not entry.known:
        known[0] = False
        return True
    name_length[0] = entry.name_length
    if with_value:
        value_length[0] = entry.value_length
    if not list_reserve(budget, fields, name_length[0] + value_length[0]):
        return False
    text = table.text + entry.at
    if name_length[0] + value_length[0]:
        memcpy(fields.text + fields.length, text, name_length[0] + value_length[0])
    fields.length += name_length[0] + value_length[0]
    return True


cdef void finish_field(
    Budget* budget, HeaderList* fields, uint32_t start, uint32_t name_length, uint32_t value_length, bint known
) noexcept nogil:
    """Keep the field whose octets stand from *start* on, or take them back."""
    if not known:
        if fields.count == 0 and fields.unknown == 0:
            fields.first_unknown = 1
        fields.unknown += 1
        fields.length = start
    elif fields.overflow or fields.length > fields.limit or not list_add(
        budget, fields, start, name_length, value_length
    ):
        fields.overflow = 1
        fields.length = start


cdef bint hpack_decode(
    Budget* budget, Hpack* table, const uint8_t* data, uint32_t length, HeaderList* fields
) noexcept nogil:
    """Read a whole header block into *fields* and bring the table up to date.

    False when the block is malformed (a COMPRESSION_ERROR of section 4.3 of RFC 9113) or passes a bound: then
    the fields before are in the list, and the table has been forgotten.
    """
    cdef uint32_t at = 0, index = 0, name_length = 0, value_length = 0, start
    cdef uint32_t inserted = 0
    cdef uint8_t octet
    cdef bint known, good
    while at < length:
        octet = data[at]
        start = fields.length
        if octet & 0x80:
            if not read_integer(data, length, &at, 7, &index) or index == 0:
                break
            if fields.overflow:
                continue
            if not copy_name(budget, table, index, fields, &name_length, &value_length, True, &known):
                break
            finish_field(budget, fields, start, name_length, value_length, known)
            continue
        if octet & 0xE0 == 0x20:
            if not read_integer(data, length, &at, 5, &index):
                break
            resize(budget, table, index)
            continue
        if not read_integer(data, length, &at, 6 if octet & 0x40 else 4, &index):
            break
        known = True
        if index:
            good = copy_name(budget, table, index, fields, &name_length, &value_length, False, &known)
        else:
            good = read_string(budget, data, length, &at, fields, &name_length)
        if not good or not read_string(budget, data, length, &at, fields, &value_length):
            break
        if octet & 0x40:
            inserted += name_length + value_length + OVERHEAD
            if inserted > INSERTS:
                break
            insert(budget, table, fields.text + start, name_length, value_length, known)
        finish_field(budget, fields, start, name_length, value_length, known)
    else:
        return True
    fields.length = start
    hpack_forget(budget, table)
    return False


cdef class HeaderReader:
    """One direction's header blocks, for tests and tools: the compiled reader behind a Python call."""

    cdef Hpack table
    cdef Budget budget
    cdef uint32_t max_list_bytes

    def __cinit__(self, *, bint exact=True, uint32_t max_list_bytes=262_144):
        """*exact*: the connection is read from its first octet; *max_list_bytes*: of one list."""
        memset(&self.budget, 0, sizeof(Budget))
        self.max_list_bytes = max_list_bytes
        hpack_init(&self.table, exact)

    def __dealloc__(self):
        hpack_free(&self.budget, &self.table)

    @property
    def memory_bytes(self) -> int:
        """Octets taken."""
        return self.budget.used

    def forget(self) -> None:
        """A header block was lost."""
        hpack_forget(&self.budget, &self.table)

    def read(self, bytes block) -> tuple:
        """``(fields, unknown, well-formed)``: a list of (name, value), fields left out, and the verdict."""
        cdef HeaderList fields
        cdef uint32_t i
        cdef bint good
        list_init(&fields, self.max_list_bytes)
        good = hpack_decode(
            &self.budget, &self.table, <const uint8_t*><const char*>block, <uint32_t>len(block), &fields)
        found = [
            (
                <bytes>fields.text[fields.fields[i].name.at:fields.fields[i].name.at + fields.fields[i].name.length],
                <bytes>fields.text[fields.fields[i].value.at:fields.fields[i].value.at + fields.fields[i].value.length],
            )
            for i in range(fields.count)
        ]
        list_free(&self.budget, &fields)
        return found, fields.unknown, bool(good)
