"""Names protocols that are not read, by the first octets of a direction.

Only for people who ask what is on a port: a name decides nothing but whether octets that a server sends to an HTTP
request may be an answer of HTTP/0.9, which has no head. One test of a few octets, at the beginning of a direction.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp

from levo.engine.core.network_order cimport be16, be32
from levo.engine.core.ports cimport (
    NAMED_MYSQL,
    NAMED_NOTHING,
    NAMED_POSTGRESQL,
    NAMED_REDIS,
    NAMED_SSH,
    NAMED_TLS,
    ports_named,
)
from levo.engine.core.state cimport Connection, EngineState


cdef extern from "levo/engine/proto/banner.h":
    ctypedef struct Beginning "levo_beginning":
        const char* text
        uint8_t length
        uint8_t name
    const Beginning* BEGINNINGS "levo_beginnings"
    int BEGINNING_COUNT "LEVO_BEGINNINGS"


cdef int named_by(const uint8_t* data, uint32_t length) noexcept nogil:
    """The protocol that *data* begins, one of ``core.ports.Named``; NAMED_NOTHING where nothing is certain."""
    cdef int i
    for i in range(BEGINNING_COUNT):
        if length >= BEGINNINGS[i].length and memcmp(data, BEGINNINGS[i].text, BEGINNINGS[i].length) == 0:
            return BEGINNINGS[i].name
    if is_redis_command(data, length):
        return NAMED_REDIS
    if is_tls(data, length):
        return NAMED_TLS
    if is_mysql_greeting(data, length):
        return NAMED_MYSQL
    return NAMED_POSTGRESQL if is_postgresql_start(data, length) else NAMED_NOTHING


cdef inline bint is_redis_command(const uint8_t* data, uint32_t length) noexcept nogil:
    """An array of strings, as a command of RESP is: ``*1`` and ``$4`` on lines of their own."""
    return length >= 5 and data[0] == c"*" and c"1" <= data[1] <= c"9" and memcmp(data + 2, b"\r\n$", 3) == 0


cdef inline bint is_tls(const uint8_t* data, uint32_t length) noexcept nogil:
    """An alert or a handshake record (RFC 8446 section 5.1)."""
    if length < 7 or data[1] != 3 or data[2] > 4:
        return False
    return data[0] == 22 or data[0] == 21 and be16(data + 3) == 2


cdef inline bint is_mysql_greeting(const uint8_t* data, uint32_t length) noexcept nogil:
    """The first packet of a server: protocol version 10, and the server's own version as text."""
    if length < 9 or data[2] or data[3] or data[4] != 10:
        return False
    return c"0" <= data[5] <= c"9" and (data[6] == c"." or data[7] == c".")


cdef inline bint is_postgresql_start(const uint8_t* data, uint32_t length) noexcept nogil:
    """A start-up message of version 3.0, or the request for TLS before it."""
    cdef uint32_t code
    if length < 8 or not 8 <= be32(data) <= 10000:
        return False
    code = be32(data + 4)
    return code == 196608 or code == 80877103


cdef void note_banner(
    EngineState* state, const Connection* conn, int direction, const uint8_t* data, uint32_t length
) noexcept nogil:
    """Note for the server's port what its, or its client's, first octets are."""
    cdef int name = named_by(data, length)
    cdef bint from_a = direction == 0
    if name == NAMED_NOTHING:
        return
    if conn.client >= 0:
        from_a = conn.client == 1
    elif name == NAMED_SSH:                       # both sides begin so
        from_a = conn.a_port < conn.b_port
    elif name == NAMED_POSTGRESQL or data[0] == c"*" and name == NAMED_REDIS:
        from_a = not from_a                       # the client's octets
    ports_named(state.ports, conn.a_port if from_a else conn.b_port, name)
