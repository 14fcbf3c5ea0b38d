"""How far ended connections had come, so that what is retransmitted minutes later opens no connection.

A closed connection leaves the table after seconds. What stays is 24 octets: two hashes of its ends, where its byte
streams ended, and when. The table is bounded by a part of the memory budget; where it is full, the older of two
goes.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from levo.engine.core.pages cimport pages_give_back, pages_take
from levo.engine.core.state cimport EngineState, seq_diff
from levo.engine.core.times cimport MINUTE_NS

cdef enum:
    SHARE = 128                 # of the memory budget
    LEAST = 256
    WINDOW = 1 << 20            # octets before the end that are recognized
    RETRANSMITTED = 15          # minutes after which Linux gives up (tcp_retries2)

ctypedef struct Ended:
    uint32_t mask
    Grave* graves


cdef void* ended_new(int64_t budget) noexcept nogil:
    """For an engine of that memory *budget*; NULL when memory is refused."""
    cdef Ended* ended = <Ended*>calloc(1, sizeof(Ended))
    cdef uint32_t count = LEAST
    if ended == NULL:
        return NULL
    while <int64_t>(count * 2 * sizeof(Grave)) <= budget // SHARE:
        count *= 2
    ended.mask = count - 1
    ended.graves = <Grave*>pages_take(count * sizeof(Grave))
    if ended.graves == NULL:
        free(ended)
        return NULL
    return ended


cdef void ended_free(EngineState* state) noexcept nogil:
    cdef Ended* ended = <Ended*>state.ended
    if ended != NULL:
        pages_give_back(ended.graves, (<size_t>ended.mask + 1) * sizeof(Grave))
        free(ended)
    state.ended = NULL


cdef uint32_t check_of(const EngineState* state, const Ends* ends) noexcept nogil:
    cdef uint64_t mixed = ~state.hash_seed ^ (<uint64_t>ends.a_port << 48 | <uint64_t>ends.b_port << 32 | ends.network)
    cdef uint64_t part
    cdef int i
    for i in range(4):
        memcpy(&part, ends.a + 8 * i if i < 2 else ends.b + 8 * (i - 2), 8)
        mixed = (mixed ^ part) * <uint64_t>0xd6e8feb86659fd93
        mixed ^= mixed >> 32
    return <uint32_t>mixed


cdef void ended_put(EngineState* state, const Ends* ends, uint32_t next_a, uint32_t next_b) noexcept nogil:
    """The connection of *ends* is over: remember how far each of its two directions had come."""
    cdef Ended* ended = <Ended*>state.ended
    cdef Grave* grave = &ended.graves[ends.hash & ended.mask]
    cdef Grave* other = &ended.graves[(ends.hash & ended.mask) ^ 1]
    cdef uint32_t check = check_of(state, ends)
    if grave.hash != ends.hash or grave.check != check:
        if (other.hash == ends.hash and other.check == check) or other.time_ns < grave.time_ns:
            grave = other
    grave.hash = ends.hash
    grave.check = check
    grave.time_ns = state.elapsed_ns
    grave.next_a = next_a
    grave.next_b = next_b


cdef bint ended_has(EngineState* state, const Ends* ends, int side, uint32_t end) noexcept nogil:
    """Whether octets up to *end*, sent by ``a`` (*side* 0) or ``b``, were sent by a connection that is over."""
    cdef Ended* ended = <Ended*>state.ended
    cdef Grave* grave
    cdef uint32_t check
    cdef int32_t ahead
    cdef int i
    for i in range(2):
        grave = &ended.graves[(ends.hash & ended.mask) ^ i]
        if grave.hash != ends.hash or grave.time_ns == 0 or state.elapsed_ns - grave.time_ns > RETRANSMITTED * MINUTE_NS:
            continue
        check = check_of(state, ends)
        if grave.check == check:
            ahead = seq_diff(end, grave.next_b if side else grave.next_a)
            return -WINDOW < ahead <= 0
    return False
