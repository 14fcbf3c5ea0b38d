"""Streams of HTTP/2 that last: server-sent events and gRPC streams are reported while they do.

After the stream timeout the exchange leaves as ``still_open`` with what came until then; what follows on the
stream is passed over. A call that looks unary is waited for: its one message may be under way, or being answered.
"""

from libc.stdint cimport int64_t

from levo.engine.http2.streams cimport OF_REQUEST, OF_RESPONSE, Grpc, Http2, Http2Stream, finish_stream
from levo.engine.core.state cimport Connection, EngineState
from levo.engine.core.types cimport PROTOCOL_HTTP2, STILL_OPEN
from levo.engine.proto.layers cimport state_of, watch_stream

cdef enum:
    AGAIN_NS = 1_000_000_000    # how soon to look again at a call that looks unary


cdef bint lasts(const Http2Stream* stream) noexcept nogil:
    """Whether there is more to *stream* than one message that takes its time."""
    cdef const Grpc* grpc = &stream.parts[OF_RESPONSE].grpc
    if stream.exchange.response.present and not stream.doubtful:
        return not stream.parts[OF_RESPONSE].ended and (grpc.messages != 1 or grpc.left == 0)
    return not stream.parts[OF_REQUEST].ended and stream.parts[OF_REQUEST].grpc.messages > 1


cdef bint http2_tick(EngineState* state, Connection* conn, int64_t now_ns, bint last) noexcept nogil:
    """Time has passed: report streams that last too long. True while there is one to look at."""
    cdef const Http2* h2 = <const Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef Http2Stream* stream
    cdef Http2Stream* following
    cdef int64_t timeout_ns = state.settings.stream_timeout_ns
    cdef int64_t next_ns = 0                      # when to look again
    cdef int64_t due_ns
    if last or conn.streaming_ns == 0 or h2 == NULL:
        return False
    if state.elapsed_ns - conn.streaming_ns < timeout_ns:
        return True
    stream = h2.oldest
    while stream != NULL:
        following = stream.newer
        if stream.lasting_ns:
            due_ns = stream.lasting_ns + timeout_ns
            if due_ns <= state.elapsed_ns and lasts(stream):
                finish_stream(state, conn, stream, STILL_OPEN)
            else:
                if due_ns <= state.elapsed_ns:
                    due_ns = state.elapsed_ns + AGAIN_NS
                if next_ns == 0 or due_ns < next_ns:
                    next_ns = due_ns
        stream = following
    watch_stream(conn, next_ns - timeout_ns if next_ns else 0)
    return conn.streaming_ns != 0
