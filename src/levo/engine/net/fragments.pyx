"""Reassembly of IP fragments (RFC 791 section 3.2, RFC 8200 section 4.5).

A packet under construction is one growing buffer and one bit per eight octets. The first octet to arrive for a
place wins; later overlaps are ignored, so no order of fragments can rewrite what was there. Memory is bounded
three ways: number of packets, a share of the budget, and 30 s of capture time; the oldest packet goes first.

Balance: a fragment that waits counts as ``frames_fragment_joined``. When its packet is given up, its frames move
to ``frames_fragment_lost``. The frame that makes a packet whole is counted by what the packet turns out to be.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memcmp, memcpy, memset

from levo.engine.core.memory cimport give_back, over_budget, take
from levo.engine.core.network_order cimport be32
from levo.engine.core.times cimport SECOND_NS
from levo.engine.core.types cimport Budget, Stats

cdef enum:
    EXPIRY_SECONDS = 30


cdef void fragments_init(FragmentTable* table, Budget* budget, Stats* stats) noexcept nogil:
    memset(table, 0, sizeof(FragmentTable))
    table.budget = budget
    table.stats = stats


cdef void fragments_free(FragmentTable* table) noexcept nogil:
    """Give up what is held and return all memory. Legal twice."""
    fragments_abandon(table)
    fragments_release(table)


cdef void fragments_release(FragmentTable* table) noexcept nogil:
    """Return the memory of the packet made whole last; nothing may point into it any more."""
    if table.whole != NULL:
        give_back(table.budget, table.whole, table.whole_capacity)
        table.whole = NULL
        table.whole_capacity = 0


cdef void fragments_abandon(FragmentTable* table) noexcept nogil:
    """Give up every packet that is not whole, and count its frames as lost."""
    while table.oldest != NULL:
        lose(table, table.oldest)


cdef void fragments_expire(FragmentTable* table, int64_t now_ns) noexcept nogil:
    """Give up packets whose first fragment arrived 30 s before *now_ns* or earlier."""
    cdef int64_t since
    while table.oldest != NULL:
        since = table.oldest.created_ns
        # Unsigned difference: capture times come from a file and may be anything.
        if now_ns <= since or <uint64_t>now_ns - <uint64_t>since < <uint64_t>(EXPIRY_SECONDS * SECOND_NS):
            return
        lose(table, table.oldest)


cdef inline uint32_t bucket_of(const Fragment* fragment) noexcept nogil:
    cdef uint32_t mixed = be32(fragment.source + 12) * <uint32_t>2654435761
    mixed = (mixed ^ be32(fragment.destination + 12)) * <uint32_t>2246822519
    mixed = (mixed ^ fragment.identification) * <uint32_t>3266489917
    return (mixed >> 16) % FRAGMENT_BUCKETS


cdef uint32_t bucket_of_datagram(Datagram* datagram) noexcept nogil:
    cdef Fragment key
    key.source = datagram.source
    key.destination = datagram.destination
    key.identification = datagram.identification
    return bucket_of(&key)


cdef void unlink(FragmentTable* table, Datagram* datagram) noexcept nogil:
    cdef Datagram** place = &table.buckets[bucket_of_datagram(datagram)]
    while place[0] != datagram:
        place = &place[0].chain
    place[0] = datagram.chain
    if datagram.older != NULL:
        datagram.older.newer = datagram.newer
    else:
        table.oldest = datagram.newer
    if datagram.newer != NULL:
        datagram.newer.older = datagram.older
    else:
        table.newest = datagram.older
    table.packets -= 1
    table.used -= <int64_t>(sizeof(Datagram) + datagram.capacity)


cdef void lose(FragmentTable* table, Datagram* datagram) noexcept nogil:
    table.stats.frames_fragment_joined -= datagram.frames
    table.stats.frames_fragment_lost += datagram.frames
    unlink(table, datagram)
    give_back(table.budget, datagram.data, datagram.capacity)
    give_back(table.budget, datagram, sizeof(Datagram))


cdef Datagram* find(FragmentTable* table, const Fragment* fragment) noexcept nogil:
    cdef Datagram* datagram = table.buckets[bucket_of(fragment)]
    while datagram != NULL:
        if (
            datagram.identification == fragment.identification
            and datagram.interface == fragment.interface
            and datagram.network == fragment.network
            and datagram.family == fragment.family
            and (datagram.protocol == fragment.protocol or fragment.family == 6)
            and memcmp(datagram.source, fragment.source, 16) == 0
            and memcmp(datagram.destination, fragment.destination, 16) == 0
        ):
            return datagram
        datagram = datagram.chain
    return NULL


cdef bint make_room(FragmentTable* table, int64_t size, const Datagram* spare) noexcept nogil:
    """Give up the oldest packets, except *spare*, until *size* more octets fit. False when they never will."""
    cdef int64_t limit = table.budget.limit >> FRAGMENT_BUDGET_SHIFT
    cdef Datagram* victim
    while table.used + size > limit or over_budget(table.budget):
        victim = table.oldest
        if victim == spare and victim != NULL:
            victim = victim.newer
        if victim == NULL:
            return False
        lose(table, victim)
    return True


cdef Datagram* begin(FragmentTable* table, const Fragment* fragment) noexcept nogil:
    cdef uint32_t bucket = bucket_of(fragment)
    cdef Datagram* datagram
    if table.packets >= FRAGMENT_PACKETS:
        lose(table, table.oldest)
    if not make_room(table, sizeof(Datagram), NULL):
        table.budget.refused += 1
        return NULL
    datagram = <Datagram*>take(table.budget, sizeof(Datagram))
    if datagram == NULL:
        return NULL
    memset(datagram, 0, sizeof(Datagram))
    memcpy(datagram.source, fragment.source, 16)
    memcpy(datagram.destination, fragment.destination, 16)
    datagram.identification = fragment.identification
    datagram.network = fragment.network
    datagram.interface = fragment.interface
    datagram.family = fragment.family
    datagram.protocol = fragment.protocol
    datagram.created_ns = fragment.time_ns
    datagram.present = 0xFFFFFFFF
    datagram.chain = table.buckets[bucket]
    table.buckets[bucket] = datagram
    datagram.older = table.newest
    if table.newest != NULL:
        table.newest.newer = datagram
    else:
        table.oldest = datagram
    table.newest = datagram
    table.packets += 1
    table.used += sizeof(Datagram)
    return datagram


cdef bint reserve(FragmentTable* table, Datagram* datagram, uint32_t length) noexcept nogil:
    cdef uint32_t capacity
    cdef uint8_t* block
    if length <= datagram.capacity:
        return True
    capacity = datagram.capacity * 2
    if capacity < length:
        capacity = length
    capacity = (capacity + 2047) & ~<uint32_t>2047
    if not make_room(table, capacity - datagram.capacity, datagram):
        table.budget.refused += 1
        return False
    block = <uint8_t*>realloc(datagram.data, capacity)
    if block == NULL:
        table.budget.refused += 1
        return False
    table.budget.used += capacity - datagram.capacity
    table.used += capacity - datagram.capacity
    datagram.data = block
    datagram.capacity = capacity
    return True


cdef void cover(Datagram* datagram, const Fragment* fragment) noexcept nogil:
    """Copy the blocks of *fragment* that nothing covered before."""
    cdef uint32_t block = fragment.offset >> 3
    cdef uint32_t at = 0
    cdef uint32_t size
    while at < fragment.length:
        if not datagram.covered[block >> 3] & (1 << (block & 7)):
            datagram.covered[block >> 3] |= <uint8_t>(1 << (block & 7))
            datagram.blocks += 1
            if at < fragment.present:
                size = fragment.present - at
                memcpy(datagram.data + fragment.offset + at, fragment.data + at, 8 if size > 8 else size)
            if at + 8 > fragment.present and fragment.present < fragment.length:
                # Cut by the snap length: only what lies in front is usable.
                size = fragment.offset + (fragment.present if fragment.present > at else at)
                if size < datagram.present:
                    datagram.present = size
        block += 1
        at += 8


cdef int fragment_add(FragmentTable* table, const Fragment* fragment, Whole* whole) noexcept nogil:
    """Take one fragment.

    FRAGMENT_HELD: it waits (counted as joined here). FRAGMENT_WHOLE: *whole* is the packet; its data is valid
    until the next packet becomes whole. FRAGMENT_LOST: no memory. FRAGMENT_BAD: its lengths contradict
    the standard or the fragments before it. In the last three cases the caller counts the frame.
    """
    cdef Datagram* datagram
    cdef uint32_t end = fragment.offset + fragment.length
    if end > 65535 or fragment.length == 0 or (fragment.more and fragment.length & 7):
        return FRAGMENT_BAD
    fragments_expire(table, fragment.time_ns)
    datagram = find(table, fragment)
    if datagram == NULL:
        datagram = begin(table, fragment)
        if datagram == NULL:
            return FRAGMENT_LOST
    elif datagram.total != 0:
        if end > datagram.total or (not fragment.more and end != datagram.total):
            return FRAGMENT_BAD
    elif not fragment.more and end < datagram.reach:
        return FRAGMENT_BAD
    if not reserve(table, datagram, end):
        if datagram.frames == 0:
            lose(table, datagram)
        return FRAGMENT_LOST
    cover(datagram, fragment)
    if end > datagram.reach:
        datagram.reach = end
    if not fragment.more:
        datagram.total = end
    if fragment.offset == 0:
        datagram.protocol = fragment.protocol
    if datagram.total == 0 or datagram.blocks < (datagram.total + 7) >> 3:
        datagram.frames += 1
        table.stats.frames_fragment_joined += 1
        return FRAGMENT_HELD
    unlink(table, datagram)
    give_back(table.budget, table.whole, table.whole_capacity)
    table.whole = datagram.data
    table.whole_capacity = datagram.capacity
    whole.data = datagram.data
    whole.length = datagram.present if datagram.present < datagram.total else datagram.total
    whole.cut = datagram.total - whole.length
    whole.protocol = datagram.protocol
    give_back(table.budget, datagram, sizeof(Datagram))
    return FRAGMENT_WHOLE
