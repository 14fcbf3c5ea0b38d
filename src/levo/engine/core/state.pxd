# What one engine knows: its connections, their two byte streams and their parsers.
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp

from levo.engine.core.ports cimport PortTable
from levo.engine.core.slab cimport Slab
from levo.engine.core.types cimport Budget, Buffer, Exchange, Stats


ctypedef struct Settings:
    uint32_t max_message_bytes    # of one body kept
    uint32_t max_head_bytes       # of one header section
    int64_t stream_timeout_ns     # how long a missing segment is waited for
    int64_t acked_gap_ns          # the same once its receiver has acknowledged it
    int64_t quiet_ns              # after so long without packets a connection is quiet, or over
    int64_t idle_ns               # ... and after this it is given up
    int64_t order_ns              # how exact the order by activity is
    int64_t linger_ns             # how long a closed connection still recognizes its duplicates
    uint32_t max_held_bytes       # held out of order for one direction, as charged (stream.pyx)
    uint32_t max_pending          # requests waiting for responses on one connection
    uint8_t keep_bodies


ctypedef struct Held:
    # A segment kept out of order; its octets follow the structure in the same allocation.
    Held* next
    Held* left                    # in the tree by sequence number (stream.pyx)
    Held* right
    int64_t time_ns
    uint32_t rank                 # random; a node's is not below those of the nodes under it
    uint32_t seq
    uint32_t length
    uint32_t missing              # octets cut off behind it by the snap length
    uint32_t ack
    uint32_t allocated
    uint8_t has_ack
    uint8_t padding               # perhaps no payload: see stream_padding


cdef enum Expects:
    # A client that asked for 100 (Continue), and whose content was not read yet.
    ASKED = 1
    CONTINUED = 2                 # the 100 was read


ctypedef struct Parser:
    # HTTP/1 reading position of one direction (states in http1.pyx).
    Buffer head                   # octets of a head that is not whole yet
    Exchange* current             # exchange whose message is being read, or NULL
    uint64_t remaining            # octets left of a body or chunk
    int64_t start_ns
    int64_t start_offset          # of the message; of a client that lost its framing: where octets could be read again
    int64_t start_ack
    int64_t fallback              # content length where a claim of chunked does not hold; -1 none, -2 to the close
    uint32_t searched             # of head: octets already searched for its end
    uint32_t line                 # octets of the chunk-size line or trailer line so far
    uint8_t state
    uint8_t chunk_flags
    uint8_t gap_before            # octets were lost since the last message; 2: fewer than a request has
    uint8_t optional              # the status allows no content, yet the head announces some
    uint8_t expects               # 0, or one of Expects


ctypedef struct Stream:
    # One direction of a connection. Offsets count octets since the first one expected.
    int64_t offset                # of rcv_nxt
    int64_t hole_since_ns         # when the hole at rcv_nxt was first noticed; 0: none
    Held* held                    # sorted by sequence number, without overlap
    Held* held_root               # the same as a tree
    uint32_t held_bytes           # as charged
    uint32_t rcv_nxt
    uint32_t initial_seq
    uint32_t acked                # highest acknowledgment the other side sent for this direction
    uint32_t fin_seq
    uint32_t odd_next             # next sequence number of a run far from rcv_nxt
    uint8_t odd_run
    uint8_t seen                  # rcv_nxt is known
    uint8_t syn
    uint8_t fin
    uint8_t ended
    uint8_t has_acked
    uint8_t has_data              # a payload was captured
    uint8_t visible               # a packet was captured at all
    Parser parser


cdef enum:
    MOST_LAYERS = 3


ctypedef struct Layer:
    # One protocol on a connection; the one above reads what it unwraps (proto/layers.pxd).
    void* state                   # the protocol's own; it frees it
    uint32_t unrecognized         # octets seen while the protocol was unknown
    uint8_t protocol              # Protocol


cdef enum:
    # Connection.standing: in which order an open connection stands.
    HALF_OPEN = 0                 # no payload yet: nothing to keep, whatever its flags say
    OPEN = 1
    QUIET = 2                     # no packet for Settings.quiet_ns


cdef enum:
    MANY_PACKETS = 255
    # Connection.aliases
    ALIAS_ANY = 1                 # its segments are also seen under other addresses, or in another network
    ALIAS_TRANSLATED = 2          # under other addresses: they were translated on the way
    ALIAS_RENAMED = 4             # its addresses differ from those it was found by


ctypedef struct Order:
    Connection* oldest
    Connection* newest


ctypedef struct Connection:
    # Who it is, and its places in the table. Stays when the ports are used again (connections.pyx).
    Connection* hash_next
    uint32_t hash
    uint16_t a_port
    uint16_t b_port
    uint8_t a[16]                 # the one of the two ends that comes first
    uint8_t b[16]
    uint8_t family
    uint8_t closed
    uint8_t waiting               # among those that have a hole or wait for the other direction
    uint8_t standing              # HALF_OPEN, OPEN or QUIET
    uint32_t network              # half of Packet.network; the other half is in ``hash``
    Connection* older             # in its order, or by closing time once closed
    Connection* newer
    Connection* waiting_previous
    Connection* waiting_next
    # Its life, and what was read. Each flag has one writer: see tests/test_architecture.py.
    Exchange* pending_first       # requests in order, each until its exchange is finished
    Exchange* pending_last
    Layer layers[MOST_LAYERS]     # lowest first
    int64_t last_ns
    int64_t placed_ns             # when it took its place in the order by activity
    int64_t reset_ns              # when a RST was seen; 0: none
    int64_t streaming_ns          # since when a stream of events or messages lasts; 0: none
    uint32_t quiet_bytes          # its part of EngineState.quiet_bytes
    uint16_t pending_count
    uint16_t epoch_size           # requests sent with epoch_ack
    int64_t epoch_ack             # acknowledgment of the latest request
    int64_t paired_end            # end of the last response that was paired, 0 before the first
    uint8_t packets               # seen so far; from MANY_PACKETS on, it goes round in the upper half
    uint8_t aliases               # ALIAS_*: what is known by which other addresses (tcp/twins.pyx)
    uint8_t heading               # HEADING_* + 1; set with its first exchange
    uint8_t top                   # of ``layers``
    int8_t client                 # index of the direction that sends requests; -1 unknown
    uint8_t due                   # needs a look when time has passed
    uint8_t mid_stream            # the top layer was picked up without its beginning
    uint8_t tainted               # octets were lost: order alone does not pair
    uint8_t pipelines             # was seen to send a request before the last response had ended
    uint8_t slides                # ... and not in whole batches: order after a loss is unknowable
    uint8_t batches               # ... in whole batches: was seen to wait for all answers of one
    uint8_t encrypted             # the top layer's octets come from a decryptor
    uint8_t found                 # a believable HTTP/1 message was seen
    Stream streams[2]             # 0: from a, 1: from b


ctypedef struct EngineState:
    Budget budget
    Stats stats
    Settings settings
    Connection** buckets
    Slab slab                     # where connections lie
    uint32_t bucket_mask
    uint32_t connection_count
    uint64_t hash_seed
    uint64_t held_random          # where the ranks of held segments come from
    Order orders[3]               # by standing: open connections by last activity
    int64_t quiet_bytes           # octets that quiet connections hold
    uint32_t half_open_count
    Connection* closed_oldest     # closed ones, kept to recognize duplicates
    Connection* closed_newest
    Connection* waiting           # connections that need a look when time passes
    Connection* clock_hand        # where the search for something to evict goes on
    Exchange* ready_first
    Exchange* ready_last
    uint32_t ready_count
    int64_t ready_bytes
    int64_t now_ns                # the time of the latest frame, or tick: for time stamps
    int64_t last_tick_ns          # ... at the last look at what waits
    int64_t elapsed_ns            # a clock of the engine's own, for all that waits: it never goes back or leaps
    int64_t elapsed_tick_ns       # ... at the last tick of the caller's
    uint8_t ticked                # the caller says how much time passes; else frames do
    void* sampler                 # consulted at each request head, or NULL
    PortTable* ports              # counts by server port, or NULL
    void* tls                     # TlsTable (tls.pxd), or NULL
    void* hops                    # Hops (exchange/hops.pyx), or NULL
    void* twins                   # Twins (tcp/twins.pxd)
    void* ended                   # how far connections had come that are over (tcp/ended.pxd)
    const uint8_t* hosts          # this host's addresses, 16 octets each; NULL: not known
    uint32_t host_count
    uint8_t one_network           # addresses and ports alone make a connection


cdef enum:
    LONGEST_PAUSE_NS = 3_600_000_000_000    # of a capture: what is longer is a step of its clock


cdef inline int32_t seq_diff(uint32_t a, uint32_t b) noexcept nogil:
    """How far *a* is ahead of *b*, modulo 2**32 (RFC 9293 section 3.4)."""
    return <int32_t>(a - b)


cdef inline bint is_host(const EngineState* state, const uint8_t* address) noexcept nogil:
    """Whether *address*, of 16 octets, is one of this host's; never where they are not known."""
    cdef uint32_t i
    for i in range(state.host_count):
        if memcmp(state.hosts + 16 * i, address, 16) == 0:
            return True
    return False


cdef inline int64_t by_clock(const EngineState* state, int64_t time_ns) noexcept nogil:
    """Since when, by ``elapsed_ns``, something is waited for that began with a frame of that time.

    Where only frames tell the time, the first ones after a pause are ahead of it. One whose clock was wrong is
    put right when time passes.
    """
    cdef int64_t ahead = time_ns - state.now_ns
    if ahead <= 0 or state.ticked:
        return state.elapsed_ns
    return state.elapsed_ns + (ahead if ahead < LONGEST_PAUSE_NS else LONGEST_PAUSE_NS)


cdef inline int64_t ack_offset(const Stream* other, uint32_t ack) noexcept nogil:
    """The offset in the other direction's byte stream that *ack* acknowledges; -1 when unknown."""
    cdef int64_t offset
    if not other.seen:
        return -1
    offset = other.offset + seq_diff(ack, other.rcv_nxt)
    return offset if offset >= 0 else -1
