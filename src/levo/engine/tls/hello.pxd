# What a TLS handshake says in the clear.
from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef enum TlsSeen:
    SEEN_CLIENT_HELLO = 1
    SEEN_SERVER_HELLO = 2
    SEEN_CERTIFICATE = 4
    SEEN_ALPN = 8               # the server's choice, not only the client's offer
    SEEN_VERSION = 16           # the server's choice

cdef enum TlsVersion:
    TLS_1_2 = 0x0303
    TLS_1_3 = 0x0304

cdef enum TlsText:
    MOST_NAME = 255
    MOST_ALPN = 63
    MOST_NAMES = 511


ctypedef struct TlsFacts:
    # Texts are printable ASCII in lower case; anything else in them became a question mark.
    uint8_t client_random[32]
    uint8_t server_random[32]
    uint16_t version          # agreed, or the highest offered while SEEN_VERSION is not set
    uint16_t suite            # cipher suite the server chose
    uint16_t names_length
    uint8_t name_length
    uint8_t alpn_length
    uint8_t seen              # TlsSeen bits
    uint8_t name[255]         # server name (SNI)
    uint8_t alpn[63]          # agreed, or the offers joined by commas
    uint8_t names[511]        # certificate names joined by commas


cdef bint read_client_hello(TlsFacts* facts, const uint8_t* body, uint32_t length) noexcept nogil
cdef bint read_server_hello(TlsFacts* facts, const uint8_t* body, uint32_t length) noexcept nogil
cdef bint read_encrypted_extensions(TlsFacts* facts, const uint8_t* body, uint32_t length) noexcept nogil
cdef bint read_certificate(TlsFacts* facts, const uint8_t* body, uint32_t length) noexcept nogil
