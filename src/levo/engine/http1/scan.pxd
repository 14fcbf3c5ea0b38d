from libc.stdint cimport int64_t, uint8_t, uint32_t


# what the first octets of a direction look like
cdef enum:
    LOOKS_NO = 0
    LOOKS_REQUEST = 1
    LOOKS_RESPONSE = 2
    LOOKS_MAYBE = 3         # too few octets to tell


cdef int http1_looks(const uint8_t* data, uint32_t length) noexcept nogil
cdef bint is_simple_request(const uint8_t* data, uint32_t length) noexcept nogil
cdef int64_t find_request(const uint8_t* data, uint32_t length) noexcept nogil
cdef int64_t find_response(const uint8_t* data, uint32_t length) noexcept nogil
cdef bint plausible_start(bint from_client, const uint8_t* data, uint32_t length) noexcept nogil
