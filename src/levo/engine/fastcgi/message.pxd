# Messages of HTTP from what FastCGI carries: parameters, and the head of CGI (RFC 3875).
from libc.stdint cimport uint8_t, uint32_t

from levo.engine.core.types cimport Budget, Exchange


cdef bint names_request(const uint8_t* data, uint32_t length) noexcept nogil
cdef void read_parameters(Budget* budget, Exchange* exchange, const uint8_t* data, uint32_t length) noexcept nogil
cdef uint32_t head_length(const uint8_t* data, uint32_t length) noexcept nogil
cdef bint read_cgi_head(Budget* budget, Exchange* exchange, const uint8_t* data, uint32_t length) noexcept nogil
