from libc.stdint cimport int64_t, uint8_t, uint32_t


cdef int http1_looks(const uint8_t* data, uint32_t length) noexcept nogil
cdef bint is_simple_request(const uint8_t* data, uint32_t length) noexcept nogil
cdef int64_t find_request(const uint8_t* data, uint32_t length) noexcept nogil
cdef int64_t find_response(const uint8_t* data, uint32_t length) noexcept nogil
cdef bint plausible_start(bint from_client, const uint8_t* data, uint32_t length) noexcept nogil
