# The layers of a connection, lowest first, and what is known of the whole of it. Nobody else writes these fields.
from libc.stdint cimport int8_t, int64_t, uint8_t, uint32_t

from levo.engine.core.state cimport MOST_LAYERS, Connection, Layer
from levo.engine.core.types cimport PROTOCOL_UNKNOWN


cdef inline int speaks(const Connection* conn) noexcept nogil:
    """The protocol of the top layer."""
    return conn.layers[conn.top].protocol


cdef inline void* state_of(const Connection* conn, int protocol) noexcept nogil:
    """What the layer of *protocol* knows; NULL when there is none, or when it knows nothing."""
    cdef int level = conn.top
    while level >= 0:
        if conn.layers[level].protocol == protocol:
            return conn.layers[level].state
        level -= 1
    return NULL


cdef inline int level_of(const Connection* conn, int protocol) noexcept nogil:
    """Where the layer of *protocol* is, -1 when there is none."""
    cdef int level = conn.top
    while level >= 0 and conn.layers[level].protocol != protocol:
        level -= 1
    return level


cdef inline void begin_layers(Connection* conn, bint late) noexcept nogil:
    """One layer, of unknown protocol; *late*: without a handshake."""
    conn.top = 0
    conn.layers[0].state = NULL
    conn.layers[0].protocol = PROTOCOL_UNKNOWN
    conn.layers[0].unrecognized = 0
    conn.mid_stream = late
    conn.client = -1


cdef inline void speak(Connection* conn, int protocol, void* state) noexcept nogil:
    """The top layer speaks *protocol* from now on."""
    conn.layers[conn.top].protocol = <uint8_t>protocol
    conn.layers[conn.top].state = state


cdef inline void forget_state(Connection* conn, int protocol) noexcept nogil:
    """The layer of *protocol* has freed what it knew."""
    cdef int level = level_of(conn, protocol)
    if level >= 0:
        conn.layers[level].state = NULL


cdef inline bint add_layer(Connection* conn) noexcept nogil:
    """A layer of unknown protocol on top of the others; False when there is no room."""
    if conn.top + 1 >= MOST_LAYERS:
        return False
    conn.top += 1
    conn.layers[conn.top].state = NULL
    conn.layers[conn.top].protocol = PROTOCOL_UNKNOWN
    conn.layers[conn.top].unrecognized = 0
    conn.mid_stream = 0
    return True


cdef inline void start_anew(Connection* conn) noexcept nogil:
    """What the top layer speaks from here on shows from its next octets: nothing before them counts."""
    conn.layers[conn.top].state = NULL
    conn.layers[conn.top].protocol = PROTOCOL_UNKNOWN
    conn.layers[conn.top].unrecognized = 0
    conn.mid_stream = 0


cdef inline void whole(Connection* conn) noexcept nogil:
    """The top layer's beginning was seen."""
    conn.mid_stream = 0


cdef inline void doubt(Connection* conn, uint32_t octets) noexcept nogil:
    """The top layer does not speak what it was taken for; *octets* count as not recognized."""
    conn.layers[conn.top].state = NULL
    conn.layers[conn.top].protocol = PROTOCOL_UNKNOWN
    if conn.layers[conn.top].unrecognized <= 0x7fffffff - octets:
        conn.layers[conn.top].unrecognized += octets


cdef inline void keep_layers(Connection* conn, int top, bint late) noexcept nogil:
    """Only the layers up to *top* are left; *late*: what the last one speaks is to be found out in its middle."""
    conn.top = <uint8_t>top
    conn.mid_stream = late


cdef inline void learn_client(Connection* conn, int direction) noexcept nogil:
    """The sender of *direction* is the client."""
    conn.client = <int8_t>direction


cdef inline void look_again(Connection* conn) noexcept nogil:
    """*conn* needs a look when time has passed."""
    conn.due = 1


cdef inline void looked_at(Connection* conn) noexcept nogil:
    """Nothing of *conn* waits for time to pass, or the connection table knows."""
    conn.due = 0


cdef inline void watch_stream(Connection* conn, int64_t since_ns) noexcept nogil:
    """A stream of events or messages lasts since then; 1: report it now, 0: none does."""
    conn.streaming_ns = since_ns
