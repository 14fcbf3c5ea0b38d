# Counted allocation. Every octet the engine keeps is taken from, and given back to, one Budget.
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from levo.engine.types cimport Budget, Buffer, Section


cdef inline bint over_budget(const Budget* budget) noexcept nogil:
    return budget.used + budget.external > budget.limit


cdef inline void* take(Budget* budget, size_t size) noexcept nogil:
    """Allocate *size* octets; NULL when the system refuses."""
    cdef void* block = malloc(size)
    if block == NULL:
        budget.refused += 1
        return NULL
    budget.used += <long long>size
    return block


cdef inline void give_back(Budget* budget, void* block, size_t size) noexcept nogil:
    if block != NULL:
        budget.used -= <long long>size
        free(block)


cdef inline bint buffer_reserve(Budget* budget, Buffer* buffer, uint32_t capacity) noexcept nogil:
    """Grow *buffer* to hold *capacity* octets. False, and unchanged, when memory is refused."""
    cdef uint8_t* block
    if capacity <= buffer.capacity:
        return True
    block = <uint8_t*>realloc(buffer.data, capacity)
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
