# The C structures that the compiled core shares. Declarations only: no behavior lives here.
#
# Ownership in one sentence: whoever holds a Section, Buffer or Exchange frees it with the matching
# function of ``memory`` or ``exchange``, against the Budget it was taken from.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t


ctypedef struct Frame:
    # One captured link-layer frame. ``data`` is valid only during the call that passes it.
    const uint8_t* data
    uint32_t captured_length
    uint32_t wire_length      # octets on the wire; above captured_length where a snap length cut
    int64_t time_ns           # capture time, nanoseconds since the Unix epoch
    uint16_t link_type        # LINKTYPE_* of the capture formats (1 Ethernet, 113 SLL, 276 SLL2 ...)
    uint16_t interface


# How a source hands frames over: called once a frame, never keeps the pointer.
ctypedef void (*FrameSink)(void* context, const Frame* frame) noexcept nogil


ctypedef struct Packet:
    # One TCP segment inside its IP packet. Pointers are valid until the next decode call.
    int64_t time_ns
    uint8_t source[16]        # IPv4 as ::ffff:a.b.c.d
    uint8_t destination[16]
    uint8_t family            # 4 or 6
    uint8_t flags             # TCP flags: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32
    uint16_t source_port
    uint16_t destination_port
    uint16_t urgent_pointer
    uint32_t seq
    uint32_t ack
    uint32_t payload_length   # octets present in the capture
    uint32_t missing_length   # octets the IP header promises behind them (cut by the snap length)
    uint32_t options_length
    const uint8_t* payload
    const uint8_t* options
    uint64_t network          # keyed hash of tags, tunnel identifiers and labels around it; 0: none


cdef extern from "levo/engine/core/types.h":
    ctypedef struct Spares "levo_spares":
        # Blocks given back, sorted by size, that the next ``take`` of their size is given.
        size_t bytes

    ctypedef struct Pool "levo_pool":
        # What batches have given back, for engines to take again. One for the process.
        Spares spares


ctypedef struct Budget:
    # One counter that every buffer of an engine takes from. Only the engine's thread writes it.
    int64_t used
    int64_t limit
    int64_t external          # octets held outside (export queue), reported by the pipeline
    int64_t most              # beyond this, something is given up: ``limit`` without what is left of the reserve
    int64_t reserve           # part of ``limit`` for what is kept of exchanges that are given up
    int64_t reserved          # of it, in use
    uint64_t refused          # allocations that were refused
    Pool* pool                # where spare blocks go to and come from; NULL: nowhere
    Spares spares


ctypedef struct Buffer:
    uint8_t* data
    uint32_t length
    uint32_t capacity


ctypedef struct Span:
    # A piece of the text of a Section.
    uint32_t at
    uint32_t length


ctypedef struct Field:
    # One field line; spans into the text of its Section. Wire order, repeats kept.
    Span name
    Span value


ctypedef struct Section:
    # A header or trailer section. ``fields`` lies in the same allocation, behind ``text``.
    uint8_t* text
    Field* fields
    uint32_t text_length
    uint32_t field_count
    uint32_t allocated


ctypedef struct Message:
    Section head
    Section trailers
    Buffer body               # transfer codings undone, content codings not
    Span method               # request; spans into head.text
    Span target               # request target as sent (HTTP/2: the :path value)
    Span scheme               # HTTP/2 only, else empty
    Span authority            # HTTP/2 :authority, else empty (use the Host field)
    Span reason               # response
    int64_t start_ns          # capture time of the first octet
    int64_t head_ns           # capture time of the octet that completed the head
    int64_t end_ns            # capture time of the last octet seen
    uint64_t wire_body_size   # octets of content as framed, seen or missing, transfer codings undone
    uint64_t missing_bytes    # octets of content that the capture never saw
    int64_t stream_start      # offset of the first octet in its direction's byte stream
    int64_t stream_end        # offset behind the last octet, 0 while unknown
    int64_t peer_ack          # offset of the other direction acknowledged with the first octet; -1 unknown
    uint32_t data_messages    # gRPC / WebSocket messages counted
    uint64_t data_message_bytes
    uint32_t text_messages    # WebSocket: those of data_messages that are text
    uint32_t control_frames   # WebSocket: ping, pong, close
    uint32_t body_gap_at      # octets of body before the first missing one, where missing_bytes > 0
    uint16_t status           # response: 100 to 599, or 0 without a valid status code
    uint16_t anomalies         # ANOMALY_* bits
    uint8_t version_major
    uint8_t version_minor
    uint8_t present           # a head was seen
    uint8_t complete          # ended as its framing says
    uint8_t truncated         # body cut at the configured size or for memory
    uint8_t content_decoded   # body already decoded (set by the coding stage)
    uint8_t body_framing      # BODY_*


cdef enum Framing:
    BODY_NONE = 0
    BODY_LENGTH = 1
    BODY_CHUNKED = 2
    BODY_CLOSE = 3
    BODY_FRAMES = 4           # HTTP/2 DATA
    BODY_TUNNEL = 5           # octets behind CONNECT or Upgrade


cdef enum Anomaly:
    ANOMALY_LENGTH_AND_CHUNKED = 1     # request smuggling shape, RFC 9112 section 6.3
    ANOMALY_LENGTHS_DIFFER = 2
    ANOMALY_BAD_LENGTH = 4
    ANOMALY_BAD_CHUNK = 8
    ANOMALY_BARE_LF = 16
    ANOMALY_FOLDED = 32
    ANOMALY_BAD_FIELD = 64
    ANOMALY_BAD_TRANSFER_CODING = 128
    ANOMALY_BAD_STATUS = 256           # no status code from 100 to 599, RFC 9110 section 15
    ANOMALY_HEAD_CUT = 512             # the head was not captured whole: fields after the last one are unknown
    ANOMALY_COUNT = 10


cdef enum Protocol:
    # What a connection speaks.
    PROTOCOL_UNKNOWN = 0
    PROTOCOL_HTTP1 = 1
    PROTOCOL_HTTP2 = 2
    PROTOCOL_TLS = 3
    PROTOCOL_WEBSOCKET = 4
    PROTOCOL_OPAQUE = 5
    PROTOCOL_PROXY = 6        # the header of the PROXY protocol, before anything else
    PROTOCOL_FASTCGI = 7
    PROTOCOL_COUNT = 8


cdef enum Incomplete:
    # Why an exchange is not whole; at most one, the first that applied.
    COMPLETE = 0
    NO_REQUEST = 1            # response without its request: lost, or before the capture began
    NO_RESPONSE = 2           # connection ended or timed out without a response
    REQUEST_GAP = 3           # octets of the request were never captured
    RESPONSE_GAP = 4
    REQUEST_CUT = 5           # connection ended inside the request
    RESPONSE_CUT = 6
    AMBIGUOUS = 7             # loss among pipelined messages: request and response not paired
    EVICTED = 8               # given up for memory
    UNSAMPLED_BODY = 9        # bodies were not kept (section 5 of the specification)
    MID_STREAM = 10           # HTTP/2 joined late: fields unknown
    RESET_STREAM = 11         # HTTP/2 RST_STREAM
    STILL_OPEN = 12           # capture ended, or a stream is reported while it lasts


ctypedef struct Hop:
    # What an exchange says of others that are the same request on its way through a proxy (exchange/hops.pyx).
    uint8_t trace_id[16]      # of the one that it is linked with
    uint8_t span_id[8]
    uint8_t side              # HOP_*; 0: no link
    uint8_t merged            # inner exchanges that were merged into this one


cdef enum HopSide:
    HOP_INNER = 1             # the linked one is the outer exchange
    HOP_OUTER = 2


ctypedef struct Exchange:
    Message request
    Message response
    uint8_t client[16]
    uint8_t server[16]
    uint16_t client_port
    uint16_t server_port
    uint8_t family
    uint8_t protocol          # Protocol
    uint8_t incomplete        # Incomplete
    uint8_t sampled           # 1: wanted; 0: framing only, will not be emitted
    uint8_t interim           # interim (1xx) responses seen
    uint8_t encrypted         # read through TLS keys: url.scheme is https
    uint8_t grpc              # GRPC_* bits; 0: none
    uint8_t drop_state        # DROP_*; 0 while it is to be emitted
    uint8_t after_gap         # octets of the request direction were lost just before this request
    uint8_t heading           # HEADING_*
    uint8_t proxied           # ``client`` was named by a PROXY header, and ``peer`` sent it
    uint8_t reserved          # it was given up for memory; what is left of it is charged to the reserve
    uint16_t peer_port
    uint8_t peer[16]
    uint32_t stream_id        # HTTP/2
    double weight             # exchanges this one stands for
    int64_t footprint         # octets taken from the budget
    uint64_t endpoint_key
    Hop* hop                  # or NULL
    void* owner               # Connection that it hangs on, or NULL
    Exchange* previous
    Exchange* next


cdef enum Heading:
    # Who opened the connection, seen from this host.
    HEADING_UNKNOWN = 0
    HEADING_INBOUND = 1       # somebody else, towards an address of this host
    HEADING_OUTBOUND = 2      # this host, towards somebody else
    HEADING_LOCAL = 3         # both ends are this host's


cdef enum GrpcFacts:
    GRPC_CALL = 1
    GRPC_CLIENT_STREAMS = 2   # the request held more than one message
    GRPC_SERVER_STREAMS = 4
    GRPC_ASKED_COMPRESSED = 8  # a message of the request had its compressed flag set
    GRPC_ANSWERED_COMPRESSED = 16


cdef enum Drop:
    # Why an exchange never leaves the engine.
    DROP_NONE = 0
    DROP_HOST_NOT_ALLOWED = 1
    DROP_HOST_EXCLUDED = 2
    DROP_PATH_NOT_ALLOWED = 3
    DROP_PATH_EXCLUDED = 4
    DROP_RATE_LIMITED = 5
    DROP_EVICTED = 6
    DROP_URL_FILTER = 7
    DROP_IP_FILTER = 8
    DROP_OWN_EXPORT = 9
    DROP_MERGED_HOP = 10


ctypedef struct Stats:
    # Cumulative counters. The balances they must keep stand in levo.ledger.
    uint64_t frames_received
    uint64_t frame_bytes_received
    uint64_t frames_tcp               # became a TCP segment
    uint64_t frames_not_ip
    uint64_t frames_not_tcp
    uint64_t frames_malformed
    uint64_t frames_unsupported_link
    uint64_t frames_fragment_joined   # an IP fragment that waits for, or was joined into, its packet
    uint64_t frames_fragment_lost     # a fragment whose packet never became whole
    uint64_t payload_bytes_received   # TCP payload octets present in frames_tcp
    uint64_t payload_bytes_parsed     # handed to a protocol parser, once each
    uint64_t payload_bytes_duplicate  # retransmissions and overlaps
    uint64_t payload_bytes_duplicate_nat  # seen before under other addresses
    uint64_t payload_bytes_opaque
    uint64_t payload_bytes_skipped    # passed over while looking for the next message
    uint64_t payload_bytes_evicted    # held out of order, given up for memory
    uint64_t payload_bytes_closed     # arrived after the connection had ended
    uint64_t payload_bytes_out_of_window  # sequence numbers far from the stream's
    uint64_t payload_bytes_held       # gauge: waiting for a missing segment
    uint64_t gap_bytes                # never captured; not part of payload_bytes_received
    uint64_t gaps
    uint64_t gaps_overfull            # of them, given up because too much waited for them
    uint64_t segments_out_of_order
    uint64_t segments_overlap_conflict
    uint64_t connections_opened
    uint64_t connections_mid_stream
    uint64_t connections_http1
    uint64_t connections_http2
    uint64_t connections_tls
    uint64_t connections_websocket
    uint64_t connections_opaque
    uint64_t connections_evicted
    uint64_t connections_open         # gauge
    uint64_t connections_quiet        # gauge: of them, without packets for some minutes
    uint64_t exchanges_begun
    uint64_t exchanges_emitted
    uint64_t exchanges_emitted_incomplete
    uint64_t exchanges_open           # gauge
    uint64_t exchanges_dropped[16]    # by Drop
    uint64_t bodies_truncated
    uint64_t heads_incomplete         # a message began, its head never became whole
    uint64_t heads_rejected           # a head that is none, or passes a bound
    uint64_t requests_seen
    uint64_t responses_seen
    uint64_t hops_linked              # exchanges that name another hop of the same request
    uint64_t hops_hurried             # forgotten early, for the bound on what is remembered
