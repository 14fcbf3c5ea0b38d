# Counted allocation. Every octet the engine keeps is taken from, and given back to, one Budget.
#
# Exchanges and their parts are some hundred octets, taken by the capture thread and given back by an output's. An
# allocator for all purposes joins and splits such blocks again and again; here those up to 2 KiB keep their size
# (a multiple of 64) and go round: given back to a batch's Budget, returned to the Pool with the batch, taken by the
# engine. What is spare is bounded (SPARE_BYTES each in pool and Budget), the rest goes back to the system.
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy

from levo.engine.core.types cimport Budget, Buffer, Pool, Section, Spares


cdef extern from "levo/engine/core/memory.h":
    void clear "levo_clear" (void* record, size_t size) nogil
    size_t SPARE_MOST "LEVO_SPARE_MOST"
    void* spare_take "levo_take" (Pool* pool, Spares* spares, size_t size) nogil
    void spare_give_back "levo_give_back" (Pool* pool, Spares* spares, void* block, size_t size) nogil
    void leave_spares "levo_leave_spares" (Pool* pool, Spares* spares) nogil


cdef inline void set_limit(Budget* budget, long long limit, long long reserve) noexcept nogil:
    """At most *limit* octets, of which *reserve* are left for what is given up."""
    budget.limit = limit
    budget.reserve = reserve
    budget.most = limit - reserve + budget.reserved


cdef inline void charge_reserve(Budget* budget, long long size) noexcept nogil:
    """*size* octets in use (negative: no longer) are those of the reserve."""
    budget.reserved += size
    budget.most += size


cdef inline bint over_budget(const Budget* budget) noexcept nogil:
    """Whether something must be given up. What is left of the reserve counts as in use."""
    return budget.used + budget.external > budget.most


cdef inline void* take(Budget* budget, size_t size) noexcept nogil:
    """Allocate *size* octets; NULL when the system refuses."""
    cdef void* block = spare_take(budget.pool, &budget.spares, size)
    if block == NULL:
        budget.refused += 1
        return NULL
    budget.used += <long long>size
    return block


cdef inline void give_back(Budget* budget, void* block, size_t size) noexcept nogil:
    if block != NULL:
        budget.used -= <long long>size
        spare_give_back(budget.pool, &budget.spares, block, size)


cdef inline uint32_t collect(
    uint8_t* header, uint8_t* have, uint32_t wanted, const uint8_t* data, uint32_t length
) noexcept nogil:
    """Go on filling a header of *wanted* octets, of which *have* are there; how many of *data* that took."""
    cdef uint32_t mine = wanted - have[0]
    if mine > length:
        mine = length
    memcpy(header + have[0], data, mine)
    have[0] += <uint8_t>mine
    return mine


cdef inline bint buffer_reserve(Budget* budget, Buffer* buffer, uint32_t capacity) noexcept nogil:
    """Grow *buffer* to hold *capacity* octets. False, and unchanged, when memory is refused."""
    cdef uint8_t* block
    if capacity <= buffer.capacity:
        return True
    if buffer.capacity > SPARE_MOST:
        block = <uint8_t*>realloc(buffer.data, capacity)
    else:
        block = <uint8_t*>spare_take(budget.pool, &budget.spares, capacity)
        if block != NULL and buffer.data != NULL:
            memcpy(block, buffer.data, buffer.length)
            spare_give_back(budget.pool, &budget.spares, buffer.data, buffer.capacity)
    if block == NULL:
        budget.refused += 1
        return False
    budget.used += <long long>capacity - <long long>buffer.capacity
    buffer.data = block
    buffer.capacity = capacity
    return True


cdef inline bint buffer_append(Budget* budget, Buffer* buffer, const uint8_t* data, uint32_t size) noexcept nogil:
    """Append *size* octets, growing by half. Callers bound the length well below 2**31."""
    cdef uint32_t need = buffer.length + size
    cdef uint32_t grown
    if size == 0:
        return True
    if need > buffer.capacity:
        grown = buffer.capacity + (buffer.capacity >> 1)
        if not buffer_reserve(budget, buffer, grown if grown > need else need):
            return False
    memcpy(buffer.data + buffer.length, data, size)
    buffer.length = need
    return True


cdef inline void buffer_free(Budget* budget, Buffer* buffer) noexcept nogil:
    give_back(budget, buffer.data, buffer.capacity)
    buffer.data = NULL
    buffer.length = 0
    buffer.capacity = 0


cdef inline void section_free(Budget* budget, Section* section) noexcept nogil:
    give_back(budget, section.text, section.allocated)
    section.text = NULL
    section.fields = NULL
    section.text_length = 0
    section.field_count = 0
    section.allocated = 0
