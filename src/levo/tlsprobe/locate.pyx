"""Where a TLS library logs the secrets of its connections, found in its machine code.

OpenSSL, LibreSSL, BoringSSL and AWS-LC call one function for each secret, ``ssl_log_secret(ssl, label, secret,
length)``, whether or not a program wants a key log. Labels are fixed by the key log's format (RFC 9850), so the
function is found without symbols and without a table of versions:

1. the label strings, in the file's data;
2. the code that takes their addresses;
3. the function that is called next with a label as an argument, both for ``CLIENT_RANDOM`` and for a label of
   TLS 1.3. There must be one.

The client random, which names the connection, is not an argument of it. Its place is read from the function's body,
by following its first argument: in the structure itself, behind one pointer, or handed on to an inner function that
has everything as an argument (``nss_keylog_int``), which is then the better place.

Nothing is executed, and every length is checked: the file is a stranger's.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcmp, memcpy, memset

import mmap
import os

from levo.tlsprobe.location import Location, Refused

cdef extern from "<string.h>" nogil:
    void* memmem(const void* data, size_t size, const void* text, size_t length)

cdef extern from "levo/tlsprobe/scan.h" nogil:
    uint64_t levo_next_label(const uint8_t* data, uint64_t size, uint64_t at)
    uint64_t levo_next_number(const uint8_t* code, uint64_t size, uint64_t at, uint8_t top)

cdef extern from "levo/tlsprobe/instructions.h" nogil:
    ctypedef struct Step "levo_step":
        uint8_t kind
        uint8_t to
        uint8_t from_ "from"
        uint8_t index
        uint8_t size
        uint8_t second
        uint8_t length
        int32_t moves
        int64_t value
        uint64_t target
    unsigned levo_x86(const uint8_t* code, uint64_t left, uint64_t at, Step* step)
    unsigned levo_arm64(const uint8_t* code, uint64_t left, uint64_t at, Step* step)
    enum:
        STEP_OTHER
        STEP_COPY
        STEP_SET
        STEP_ADD
        STEP_LOAD
        STEP_STORE
        STEP_COMPARE
        STEP_CALL
        STEP_JUMP
        STEP_BRANCH
        STEP_RETURN
        STEP_WILD
        LEVO_NONE
        LEVO_REGISTERS

cdef enum:
    MOST_PARTS = 32
    MOST_LABELS = 64
    MOST_PLACES = 1024          # of code that takes a label's address
    MOST_CANDIDATES = 256
    MOST_STEPS = 64             # from a label's address to the call it is for
    MOST_CALLS = 3
    MOST_JUMPS = 3
    MOST_BODY = 600             # instructions of the function that are followed
    MOST_PATHS = 64
    MOST_SLOTS = 24
    MOST_SIGNS = 256
    ADRP_REACH = 16             # instructions between an address's page and its offset

cdef enum:
    X86_64 = 62                 # ELF's numbers of machines
    ARM64 = 183

cdef enum Held:
    # What a register holds.
    UNKNOWN = 0
    CONSTANT = 1
    STACK = 2                   # its address, relative to entry
    FIRST = 3                   # the function's arguments, and constants added to them
    SECOND = 4
    THIRD = 5
    FOURTH = 6
    BEHIND = 7                  # what the structure of the first one points to at *pointer*

cdef enum:
    LABEL_COUNT = 8

cdef struct Text:
    const char* text
    uint64_t length
    uint64_t secret_at          # where "_SECRET" begins

# Of the format's labels, those that libraries write (RFC 9850 section 2). The first one is that of TLS 1.2.
cdef Text* texts = [
    Text(b"CLIENT_RANDOM", 13, 0),
    Text(b"CLIENT_HANDSHAKE_TRAFFIC_SECRET", 31, 24),
    Text(b"SERVER_HANDSHAKE_TRAFFIC_SECRET", 31, 24),
    Text(b"CLIENT_TRAFFIC_SECRET_0", 23, 14),
    Text(b"SERVER_TRAFFIC_SECRET_0", 23, 14),
    Text(b"EXPORTER_SECRET", 15, 8),
    Text(b"CLIENT_EARLY_TRAFFIC_SECRET", 27, 20),
    Text(b"EARLY_EXPORTER_SECRET", 21, 14),
]

LARGEST_BYTES = 1 << 29
"""A larger file is not looked at."""

_HEAD_BYTES = 65536
"""The build id's note is usually right behind the program headers."""


cdef struct Part:
    uint64_t address
    uint64_t offset
    uint64_t size
    bint code

cdef struct Image:
    const uint8_t* data
    uint64_t size
    int machine
    bint fixed                  # not position-independent
    Part parts[32]
    int count

cdef struct Label:
    uint64_t address
    int number

cdef struct Place:
    uint64_t after              # of the instruction that has the label's address
    int label
    uint8_t register

cdef struct Candidate:
    uint64_t address
    int argument                # that the label is
    uint32_t labels             # a bit each

cdef struct Value:
    int held
    int32_t pointer
    int64_t number

cdef struct Slot:
    bint used
    int64_t at
    Value value

cdef struct State:
    uint64_t at
    Value values[32]
    Slot slots[24]

cdef struct Sign:
    # Something that speaks for a place of the client random.
    int held
    int32_t pointer
    int64_t number
    int kind

cdef enum SignKind:
    FORMED = 0                  # its address was computed
    PASSED = 1                  # ... and handed on with the number 32 behind it
    READ = 2                    # octets there were read, one by one or sixteen at a time


# The file.

cdef inline uint16_t u16(const uint8_t* at) noexcept nogil:
    cdef uint16_t value
    memcpy(&value, at, 2)
    return value

cdef inline uint32_t u32(const uint8_t* at) noexcept nogil:
    cdef uint32_t value
    memcpy(&value, at, 4)
    return value

cdef inline int32_t i32(const uint8_t* at) noexcept nogil:
    return <int32_t>u32(at)

cdef inline uint64_t u64(const uint8_t* at) noexcept nogil:
    cdef uint64_t value
    memcpy(&value, at, 8)
    return value


cdef int read_headers(Image* image, uint64_t* note, uint64_t* note_size) noexcept nogil:
    """Program headers of a 64-bit little-endian ELF file; 0, or the number of what is wrong (``WRONG``)."""
    cdef uint64_t table, at
    cdef uint32_t kind, flags
    cdef uint64_t offset, address, size
    cdef int i, number
    cdef const uint8_t* data = image.data
    if image.size < 64 or memcmp(data, b"\x7fELF", 4) != 0:
        return 1
    if data[4] != 2 or data[5] != 1:
        return 2
    image.machine = u16(data + 18)
    image.fixed = u16(data + 16) == 2
    if image.machine != X86_64 and image.machine != ARM64:
        return 2
    table = u64(data + 32)
    number = u16(data + 56)
    if u16(data + 54) != 56 or table > image.size or image.size - table < <uint64_t>number * 56:
        return 3
    for i in range(number):
        at = table + <uint64_t>i * 56
        kind, flags = u32(data + at), u32(data + at + 4)
        offset, address, size = u64(data + at + 8), u64(data + at + 16), u64(data + at + 32)
        if offset > image.size or image.size - offset < size or address + size < address:
            continue
        if kind == 1 and size and image.count < MOST_PARTS:
            image.parts[image.count].address = address
            image.parts[image.count].offset = offset
            image.parts[image.count].size = size
            image.parts[image.count].code = flags & 1
            image.count += 1
        elif kind == 4 and note_size[0] == 0:
            find_note(data + offset, size, offset, note, note_size)
    return 0


cdef void find_note(
    const uint8_t* data, uint64_t size, uint64_t offset, uint64_t* note, uint64_t* note_size
) noexcept nogil:
    # Notes are name and description, each padded to four octets; NT_GNU_BUILD_ID is 3 of "GNU".
    cdef uint64_t at = 0
    cdef uint64_t name, text
    while size - at >= 12:
        name, text = u32(data + at), u32(data + at + 4)
        name = (name + 3) & ~<uint64_t>3
        if size - at - 12 < name or size - at - 12 - name < text:
            return
        if u32(data + at + 8) == 3 and name == 4 and memcmp(data + at + 12, b"GNU", 4) == 0:
            note[0], note_size[0] = offset + at + 16, text
            return
        at += 12 + name + ((text + 3) & ~<uint64_t>3)
        if at > size:
            return


cdef const uint8_t* code_at(Image* image, uint64_t address, uint64_t* left) noexcept nogil:
    """The octets of code at *address*, and how many there are; NULL where there is no code."""
    cdef int i
    for i in range(image.count):
        if image.parts[i].code and address - image.parts[i].address < image.parts[i].size:
            left[0] = image.parts[i].size - (address - image.parts[i].address)
            return image.data + image.parts[i].offset + (address - image.parts[i].address)
    return NULL


cdef unsigned decode(Image* image, uint64_t address, Step* step) noexcept nogil:
    cdef uint64_t left = 0
    cdef const uint8_t* code = code_at(image, address, &left)
    if code == NULL:
        return 0
    return levo_arm64(code, left, address, step) if image.machine == ARM64 else levo_x86(code, left, address, step)


# Labels, and code that takes their addresses.

cdef int find_labels(Image* image, Label* found) noexcept nogil:
    """Every place of a label, its zero octet included; how many there are."""
    cdef int count = 0
    cdef int i, number
    cdef uint64_t at, size, back
    cdef const uint8_t* data
    for i in range(image.count):
        data, size = image.data + image.parts[i].offset, image.parts[i].size
        at = 0
        while count < MOST_LABELS:
            at = levo_next_label(data, size, at)
            if at >= size:
                break
            for number in range(LABEL_COUNT):
                # CLIENT_RANDOM is found at its begin, the others at "_SECRET".
                back = 0 if number == 0 else texts[number].secret_at
                if at < back or size - at + back <= texts[number].length or memcmp(
                        data + at - back, texts[number].text, texts[number].length + 1) != 0:
                    continue
                if count < MOST_LABELS:
                    found[count].address, found[count].number = image.parts[i].address + at - back, number
                    count += 1
            at += 1
    return count


cdef inline int label_at(Label* labels, int count, uint64_t address) noexcept nogil:
    cdef int i
    for i in range(count):
        if labels[i].address == address:
            return labels[i].number
    return -1


cdef int find_places(Image* image, Label* labels, int count, Place* places) noexcept nogil:
    """Code that takes a label's address; how many such places."""
    cdef int found = 0
    cdef int i
    cdef uint64_t low = labels[0].address
    cdef uint64_t high = low
    for i in range(count):
        low = min(low, labels[i].address)
        high = max(high, labels[i].address)
    for i in range(image.count):
        if not image.parts[i].code:
            continue
        if image.machine == ARM64:
            found = places_arm64(image, &image.parts[i], labels, count, low, high, places, found)
        else:
            found = places_x86(image, &image.parts[i], labels, count, low, high, places, found)
            if image.fixed and high < 0xFFFFFFFFU:
                found = places_fixed(image, &image.parts[i], labels, count, low, high, places, found)
    return found


cdef int places_x86(
    Image* image, Part* part, Label* labels, int count, uint64_t low, uint64_t high,
    Place* places, int found,
) noexcept nogil:
    # lea r64, [rip + distance]: REX.W, 8D, ModRM of this form.
    cdef const uint8_t* begin = image.data + part.offset
    cdef const uint8_t* end = begin + part.size
    cdef const uint8_t* at = begin + 1
    cdef uint64_t target
    cdef int number
    while end - at >= 6 and found < MOST_PLACES:
        at = <const uint8_t*>memchr(at, 0x8D, end - at - 5)
        if at == NULL:
            break
        if at[1] & 0xC7 == 5 and (at - 1)[0] & 0xFB == 0x48:
            target = part.address + (at - begin) + 6 + <uint64_t><int64_t>i32(at + 2)
            if low <= target <= high:
                number = label_at(labels, count, target)
                if number >= 0:
                    places[found].after = part.address + (at - begin) + 6
                    places[found].label = number
                    places[found].register = (at[1] >> 3 & 7) | ((at - 1)[0] << 1 & 8)
                    found += 1
        at += 1
    return found


cdef int places_fixed(
    Image* image, Part* part, Label* labels, int count, uint64_t low, uint64_t high,
    Place* places, int found,
) noexcept nogil:
    # mov r32, address (B8 + register).
    cdef const uint8_t* code = image.data + part.offset
    cdef uint64_t top, i
    cdef int number
    for top in range(low >> 24, (high >> 24) + 1):
        i = 1
        while found < MOST_PLACES:
            i = levo_next_number(code, part.size, i, <uint8_t>top)
            if i >= part.size:
                break
            number = label_at(labels, count, u32(code + i))
            if number >= 0:
                places[found].after = part.address + i + 4
                places[found].label = number
                places[found].register = code[i - 1] & 7
                if i >= 2 and code[i - 2] & 0xF9 == 0x41:
                    places[found].register |= 8
                found += 1
            i += 1
    return found


cdef int places_arm64(
    Image* image, Part* part, Label* labels, int count, uint64_t low, uint64_t high,
    Place* places, int found,
) noexcept nogil:
    # adrp of the page, then add of the offset; or adr.
    cdef const uint8_t* code = image.data + part.offset
    cdef uint64_t i, at, page
    cdef uint32_t word, next_
    cdef int64_t far
    cdef int number, k
    for i in range(0, part.size - part.size % 4, 4):
        word = u32(code + i)
        if word & 0x1F000000 != 0x10000000:
            continue
        at = part.address + i
        far = <int64_t>(<uint64_t>((word >> 29 & 3) | (word >> 3 & 0x1FFFFC)) << 43) >> 43
        if word >> 31 == 0:
            number = label_at(labels, count, at + <uint64_t>far) if low <= at + <uint64_t>far <= high else -1
            if number >= 0 and found < MOST_PLACES:
                places[found].after, places[found].label, places[found].register = at + 4, number, word & 31
                found += 1
            continue
        page = (at & ~<uint64_t>0xFFF) + <uint64_t>(far * 4096)
        if page + 0xFFF < low or page > high:
            continue
        for k in range(1, ADRP_REACH):
            if part.size - i < 4 * <uint64_t>k + 4:
                break
            next_ = u32(code + i + 4 * k)
            if next_ & 0xFFC00000U != 0x91000000U or next_ >> 5 & 31 != word & 31:
                continue
            number = label_at(labels, count, page + (next_ >> 10 & 0xFFF))
            if number >= 0 and found < MOST_PLACES:
                places[found].after = at + 4 * k + 4
                places[found].label, places[found].register = number, next_ & 31
                found += 1
    return found


# From a label to the function it is for.

cdef inline int argument(Image* image, int number) noexcept nogil:
    """The register of a function's argument, 0 to 5 (System V AMD64 ABI; AAPCS64)."""
    cdef int* order = [7, 6, 2, 1, 8, 9]
    return number if image.machine == ARM64 else order[number]


cdef inline bint survives(Image* image, int register) noexcept nogil:
    """Whether a register keeps its value over a call."""
    if image.machine == ARM64:
        return 19 <= register <= 31
    return register == 3 or register == 4 or register == 5 or register >= 12


cdef bint is_stub(Image* image, uint64_t address) noexcept nogil:
    """Whether code only jumps on through a table (the PLT): a function of another library."""
    cdef uint64_t left = 0
    cdef const uint8_t* code = code_at(image, address, &left)
    if code == NULL or left < 16:
        return True
    if image.machine == ARM64:
        # adrp x16; ldr x17, [x16, ...]; perhaps after a landing pad
        if u32(code) == 0xD503245FU:
            code += 4
        return u32(code) & 0x9F00001FU == 0x90000010U and u32(code + 4) & 0xFFC003FFU == 0xF9400211U
    if u32(code) == 0xFA1E0FF3U:                   # endbr64
        code += 4
    if code[0] == 0xF2:
        code += 1
    return code[0] == 0xFF and code[1] == 0x25


cdef void add_candidate(
    Image* image, Candidate* found, int* count, uint64_t address, int which, int label
) noexcept nogil:
    cdef int i
    for i in range(count[0]):
        if found[i].address == address and found[i].argument == which:
            found[i].labels |= <uint32_t>1 << label
            return
    if count[0] < MOST_CANDIDATES and not is_stub(image, address):
        found[count[0]].address = address
        found[count[0]].argument = which
        found[count[0]].labels = <uint32_t>1 << label
        count[0] += 1


cdef uint32_t holders_after(Image* image, Step* step, uint32_t holders) noexcept nogil:
    """Which registers have the label's address after a step, a bit each."""
    cdef int r
    if step.kind == STEP_CALL:
        for r in range(LEVO_REGISTERS):
            if not survives(image, r):
                holders &= ~(<uint32_t>1 << r)
    elif step.kind == STEP_COPY and holders >> step.from_ & 1:
        holders |= <uint32_t>1 << step.to
    elif step.kind not in (STEP_STORE, STEP_COMPARE, STEP_BRANCH, STEP_JUMP):
        if step.to != LEVO_NONE:
            holders &= ~(<uint32_t>1 << step.to)
        if step.kind == STEP_LOAD and step.second != LEVO_NONE:
            holders &= ~(<uint32_t>1 << step.second)
    return holders


cdef void follow_label(Image* image, Place* place, Candidate* found, int* count) noexcept nogil:
    """From where a label's address is known to the calls it is an argument of."""
    cdef uint64_t at = place.after
    cdef uint32_t holders = <uint32_t>1 << place.register
    cdef int calls = 0
    cdef int jumps = 0
    cdef int _each, r
    cdef Step step
    for _each in range(MOST_STEPS):
        if decode(image, at, &step) == 0 or step.kind == STEP_RETURN or step.kind == STEP_WILD or not holders:
            return
        at += step.length
        if step.target and step.kind != STEP_BRANCH:
            for r in range(2):
                if holders >> argument(image, r) & 1:
                    add_candidate(image, found, count, step.target, r, place.label)
        calls += step.kind == STEP_CALL
        jumps += step.kind == STEP_JUMP
        if calls == MOST_CALLS or jumps > MOST_JUMPS:
            return
        if step.kind == STEP_JUMP:
            at = step.target
        holders = holders_after(image, &step, holders)


# From the function to the client random.

cdef Slot* slot_of(State* state, int64_t at, bint make) noexcept nogil:
    cdef Slot* unused = NULL
    cdef int i
    for i in range(MOST_SLOTS):
        if state.slots[i].used and state.slots[i].at == at:
            return &state.slots[i]
        if not state.slots[i].used and unused == NULL:
            unused = &state.slots[i]
    if make and unused != NULL:
        unused.used, unused.at = True, at
        return unused
    return NULL


cdef inline Value unknown() noexcept nogil:
    cdef Value value
    value.held, value.pointer, value.number = UNKNOWN, 0, 0
    return value


cdef inline bint in_structure(Value* value) noexcept nogil:
    """Whether it may be the address of the client random, which is behind other fields."""
    return (value.held == FIRST or value.held == BEHIND) and 0x20 <= value.number < 0x800


cdef void note_sign(Sign* signs, int* count, Value* value, int kind) noexcept nogil:
    cdef int i
    if not in_structure(value):
        return
    for i in range(count[0]):
        if (signs[i].held == value.held and signs[i].pointer == value.pointer and signs[i].number == value.number
                and signs[i].kind == kind):
            return
    if count[0] < MOST_SIGNS:
        signs[count[0]].held, signs[count[0]].pointer = value.held, value.pointer
        signs[count[0]].number, signs[count[0]].kind = value.number, kind
        count[0] += 1


cdef void load_into(State* state, Step* step, int to, Value* base, int64_t distance) noexcept nogil:
    cdef Slot* slot
    cdef Value value = unknown()
    if to >= LEVO_REGISTERS:
        return
    if step.size == 8 and step.index == LEVO_NONE and base.held == STACK:
        slot = slot_of(state, base.number + distance, False)
        if slot != NULL:
            value = slot.value
    elif step.size == 8 and step.index == LEVO_NONE and base.held == FIRST and 0 <= base.number + distance < 0x1000:
        value.held, value.pointer, value.number = BEHIND, <int32_t>(base.number + distance), 0
    state.values[to] = value


cdef void store_from(State* state, int from_, Value* base, int64_t distance, int size) noexcept nogil:
    cdef Slot* slot
    if base.held != STACK:
        return
    slot = slot_of(state, base.number + distance, True)
    if slot != NULL:
        slot.value = state.values[from_] if size == 8 and from_ < LEVO_REGISTERS else unknown()


cdef void apply(State* state, Step* step, Sign* signs, int* count) noexcept nogil:
    """What a step that neither calls nor jumps does to registers and stack."""
    cdef Value base = state.values[step.from_] if step.from_ < LEVO_REGISTERS else unknown()
    cdef Value value = base
    value.number += step.value
    if step.kind == STEP_COPY:
        state.values[step.to] = base
    elif step.kind == STEP_SET:
        value.held, value.pointer, value.number = CONSTANT, 0, step.value
        state.values[step.to] = value
    elif step.kind == STEP_ADD:
        state.values[step.to] = value if value.held != UNKNOWN else unknown()
        note_sign(signs, count, &state.values[step.to], FORMED)
    elif step.kind == STEP_LOAD:
        if step.size == 1 or step.size >= 16:
            note_sign(signs, count, &value, READ)
        load_into(state, step, step.to, &base, step.value)
        load_into(state, step, step.second, &base, step.value + step.size)
    elif step.kind == STEP_STORE:
        store_from(state, step.to, &base, step.value, step.size)
        if step.second != LEVO_NONE:
            store_from(state, step.second, &base, step.value + step.size, step.size)
    elif step.kind == STEP_OTHER and step.to < LEVO_REGISTERS:
        state.values[step.to] = unknown()
    if step.moves and step.from_ < LEVO_REGISTERS and state.values[step.from_].held == base.held:
        state.values[step.from_].number += step.moves


cdef void return_from_call(Image* image, State* state, Sign* signs, int* count) noexcept nogil:
    cdef int i
    for i in range(5):
        if state.values[argument(image, i + 1)].held == CONSTANT and (
                state.values[argument(image, i + 1)].number == 32):
            note_sign(signs, count, &state.values[argument(image, i)], PASSED)
    for i in range(LEVO_REGISTERS):
        if not survives(image, i):
            state.values[i] = unknown()


cdef bint visit(uint64_t* seen, int* visited, uint64_t at) noexcept nogil:
    """Whether an instruction is to be followed: each is, once."""
    cdef int i
    for i in range(visited[0]):
        if seen[i] == at:
            return False
    if visited[0] == MOST_BODY:
        return False
    seen[visited[0]] = at
    visited[0] += 1
    return True


cdef uint64_t follow_body(Image* image, uint64_t entry, Sign* signs, int* count, State* paths) noexcept nogil:
    """Follow the arguments (ssl, label, secret, length) through the function at *entry*, each branch both ways.

    Notes what speaks for a place of the client random. Returns the function that gets (label, ssl, random, 32,
    secret, length) from it, or 0.
    """
    cdef uint64_t seen[MOST_BODY]
    cdef int visited = 0
    cdef int waiting = 1
    cdef int i
    cdef State* state = &paths[MOST_PATHS]
    cdef Step step
    memset(&paths[0], 0, sizeof(State))
    paths[0].at = entry
    for i in range(4):
        paths[0].values[argument(image, i)].held = FIRST + i
    paths[0].values[31 if image.machine == ARM64 else 4].held = STACK
    while waiting:
        waiting -= 1
        memcpy(state, &paths[waiting], sizeof(State))
        while visit(seen, &visited, state.at) and decode(image, state.at, &step):
            state.at += step.length
            if step.kind == STEP_RETURN or step.kind == STEP_WILD:
                break
            if step.kind == STEP_CALL or step.kind == STEP_JUMP:
                if step.target and is_inner_call(image, state):
                    return step.target
                if step.kind == STEP_CALL:
                    return_from_call(image, state, signs, count)
                else:
                    state.at = step.target
            elif step.kind == STEP_BRANCH and waiting < MOST_PATHS:
                memcpy(&paths[waiting], state, sizeof(State))
                paths[waiting].at = step.target
                waiting += 1
            else:
                apply(state, &step, signs, count)
    return 0


cdef bint is_inner_call(Image* image, State* state) noexcept nogil:
    """Whether the arguments are (label, ssl, random, 32, secret, length)."""
    cdef int* wanted = [SECOND, FIRST, -1, CONSTANT, THIRD, FOURTH]
    cdef Value* value
    cdef int i
    for i in range(6):
        value = &state.values[argument(image, i)]
        if wanted[i] >= 0 and (value.held != wanted[i] or value.number != (32 if wanted[i] == CONSTANT else 0)):
            return False
    return in_structure(&state.values[argument(image, 2)])


# All together.

cdef enum Wrong:
    FINE = 0
    NO_ELF = 1
    OTHER_MACHINE = 2
    CUT = 3
    NO_LABELS = 4
    NO_CODE = 5
    NO_CALL = 6
    MANY = 7
    NO_RANDOM = 8
    GO = 9
    RUSTLS = 10
    NO_MEMORY = 11

cdef dict TEXTS = {
    NO_ELF: "not an ELF file",
    OTHER_MACHINE: "not for x86-64 or arm64",
    CUT: "its program headers are outside of it",
    NO_LABELS: "has no labels of a key log: it logs no secrets, or is not a TLS library",
    NO_CODE: "has labels, but no code takes their addresses",
    NO_CALL: "has labels, but no function that gets both those of TLS 1.2 and those of TLS 1.3",
    MANY: "has several functions that get labels",
    NO_RANDOM: "has the function, but the place of the client random is not clear from its code",
    GO: "uses Go's crypto/tls, which is not probed yet: set Config.KeyLogWriter in the program, and --tls-keylog",
    RUSTLS: "uses rustls, which logs no secrets by itself: give its configuration a rustls::KeyLogFile, start it with "
            "SSLKEYLOGFILE, and set --tls-keylog",
    NO_MEMORY: "no memory",
}

cdef struct Found:
    uint64_t address
    uint32_t labels
    int held                    # UNKNOWN: everything is an argument
    int32_t pointer
    int64_t number


cdef bint place_of_random(Sign* signs, int count, Found* found) noexcept nogil:
    """Where the client random is, by what was done in the function with what its first argument leads to.

    An address handed on with the length 32; otherwise the lowest, if all lie within its 32 octets and one was read.
    """
    cdef int best = -1
    cdef int i
    cdef bint read = False
    for i in range(count):
        if signs[i].kind == PASSED:
            if best >= 0:
                return False
            best = i
    if best < 0:
        for i in range(count):
            if best < 0 or signs[i].number < signs[best].number:
                best = i
            read = read or signs[i].kind != FORMED
        for i in range(count):
            if (signs[i].held != signs[best].held or signs[i].pointer != signs[best].pointer
                    or signs[i].number > signs[best].number + 32):
                return False
        if not read:
            return False
    found.held, found.pointer, found.number = signs[best].held, signs[best].pointer, signs[best].number
    return True


cdef int search(Image* image, Found* found) noexcept nogil:
    """0, or a number of what is ``Wrong``."""
    cdef Label labels[MOST_LABELS]
    cdef Place* places
    cdef Candidate* candidates
    cdef State* paths
    cdef int wrong = NO_MEMORY
    places = <Place*>malloc(MOST_PLACES * sizeof(Place))
    candidates = <Candidate*>malloc(MOST_CANDIDATES * sizeof(Candidate))
    paths = <State*>malloc((MOST_PATHS + 1) * sizeof(State))
    if places != NULL and candidates != NULL and paths != NULL:
        wrong = search_in(image, found, labels, places, candidates, paths)
    free(places)
    free(candidates)
    free(paths)
    return wrong


cdef int search_in(
    Image* image, Found* found, Label* labels, Place* places, Candidate* candidates, State* paths
) noexcept nogil:
    cdef Sign signs[MOST_SIGNS]
    cdef Found each
    cdef int count = find_labels(image, labels)
    cdef int candidate_count = 0
    cdef int called = 0
    cdef int clear = 0
    cdef int i, sign_count
    cdef uint64_t inner
    for i in range(count):
        if labels[i].number == 0:
            break
    else:
        return NO_LABELS
    count = find_places(image, labels, count, places)
    if count == 0:
        return NO_CODE
    for i in range(count):
        follow_label(image, &places[i], candidates, &candidate_count)
    for i in range(candidate_count):
        if candidates[i].labels & 1 == 0 or candidates[i].labels == 1:
            continue
        called += 1
        each.address, each.labels = candidates[i].address, candidates[i].labels
        each.held, each.pointer, each.number = UNKNOWN, 0, 0
        if candidates[i].argument == 1:
            sign_count = 0
            inner = follow_body(image, each.address, signs, &sign_count, paths)
            if inner:
                each.address = inner
            elif not place_of_random(signs, sign_count, &each):
                continue
        clear += 1
        found[0] = each
    if clear == 1:
        return FINE
    return MANY if clear else NO_RANDOM if called else NO_CALL


cdef uint64_t offset_of(Image* image, uint64_t address) noexcept nogil:
    cdef uint64_t left = 0
    return <uint64_t>(code_at(image, address, &left) - image.data)


def _contents(int descriptor):
    """The octets of a file, copied: a mapped file that shrinks would end the process that reads it."""
    size = os.fstat(descriptor).st_size
    if size > LARGEST_BYTES:
        raise Refused(f"larger than {LARGEST_BYTES >> 20} MiB")
    if size < 64:
        raise Refused(TEXTS[NO_ELF])
    room = mmap.mmap(-1, size)
    at = 0
    with memoryview(room) as view:
        while at < size:
            read = os.preadv(descriptor, [view[at:]], at)
            if not read:
                break
            at += read
    return room


cdef bint has(const uint8_t[::1] octets, bytes text) except -1:
    return memmem(&octets[0], <size_t>octets.shape[0], <const char*>text, <size_t>len(text)) != NULL


def read_build_id(int descriptor) -> str:
    """The build id of an ELF file, in hexadecimal digits; empty where it has none, or not in its first octets.

    Raises OSError: the file cannot be read.
    """
    cdef Image image
    cdef uint64_t note = 0
    cdef uint64_t size = 0
    cdef bytes head = os.pread(descriptor, _HEAD_BYTES, 0)
    memset(&image, 0, sizeof(Image))
    image.data = head
    image.size = <uint64_t>len(head)
    read_headers(&image, &note, &size)
    return head[note:note + size].hex()


def locate(int descriptor) -> Location:
    """The function that logs secrets in the ELF file that is open as *descriptor*.

    Raises:
        Refused: there is none, or its place or that of the client random is not clear.
        OSError: the file cannot be read.
    """
    cdef Image image
    cdef Found found
    cdef uint64_t note = 0
    cdef uint64_t note_size = 0
    cdef const uint8_t[::1] octets
    cdef int wrong
    room = _contents(descriptor)
    octets = room
    memset(&image, 0, sizeof(Image))
    memset(&found, 0, sizeof(Found))
    image.data = &octets[0]
    image.size = <uint64_t>len(room)
    try:
        with nogil:
            wrong = read_headers(&image, &note, &note_size)
            if wrong == FINE:
                wrong = search(&image, &found)
        if wrong == NO_LABELS and has(octets, b"CLIENT_TRAFFIC_SECRET_0"):
            # Texts without a zero octet behind them are those of languages other than C.
            wrong = GO if has(octets, b"\xff Go buildinf:") else RUSTLS if has(octets, b"rustls") else NO_LABELS
        if wrong != FINE:
            raise Refused(TEXTS[wrong], labels=NO_CODE <= wrong <= RUSTLS)
        return Location(
            machine="arm64" if image.machine == ARM64 else "x86-64",
            build_id=bytes(octets[note:note + note_size]).hex(),
            address=found.address,
            offset=offset_of(&image, found.address),
            form="arguments" if found.held == UNKNOWN else "embedded" if found.held == FIRST else "pointer",
            pointer=found.pointer,
            random=found.number,
            labels=(<object>found.labels).bit_count(),
        )
    finally:
        octets = None
        room.close()


def steps(bytes code, uint64_t address, machine: str) -> list[tuple[int, int]]:
    """The instructions in *code*, which begins at *address*: (address, octets), until one that is not understood."""
    cdef Step step
    cdef uint64_t at = 0
    cdef uint64_t size = <uint64_t>len(code)
    cdef const uint8_t* begin = code
    cdef bint arm = machine == "arm64"
    found = []
    while at < size:
        if not (levo_arm64(begin + at, size - at, address + at, &step) if arm else
                levo_x86(begin + at, size - at, address + at, &step)):
            break
        found.append((address + at, step.length))
        at += step.length
    return found
