/* What one direction of an HTTP/1 connection may do next: the whole of its state machine (RFC 9112).
 *
 * A line is one transition: in this state, on this event, to that state. `levo.engine.http1.states.transitions()`
 * returns the lines, docs/http1.md shows them, and a test compares the two. What is not here cannot happen: it counts
 * as framing lost, and is a trap in the build that is fuzzed.
 */
#ifndef LEVO_HTTP1_STATES_H
#define LEVO_HTTP1_STATES_H
#include <stdint.h>

#define LEVO_HTTP1_STATES(S)                                                      \
    S(START, "between messages; CR and LF are skipped")                           \
    S(HEAD, "start line and field lines, to the empty line")                      \
    S(LENGTH, "a body of known length")                                           \
    S(CHUNK_SIZE, "a chunk-size line")                                            \
    S(CHUNK_DATA, "octets of a chunk")                                            \
    S(CHUNK_END, "the line end after them")                                       \
    S(TRAILERS, "trailer section, to the empty line")                             \
    S(CLOSE, "a body that ends with the connection")                              \
    S(LOST, "framing lost; looks for the next believable message")

#define LEVO_HTTP1_EVENTS(E)                                                      \
    E(HEAD_BEGINS, "an octet that does not end a line")                            \
    E(HEAD_REFUSED, "no head, and none was seen before: another protocol")        \
    E(LENGTH_FOLLOWS, "the head announces a length; or the content is not chunked, whatever the head says") \
    E(CHUNKS_FOLLOW, "the head announces chunks")                                 \
    E(CLOSE_FOLLOWS, "the content goes on to the close")                          \
    E(CHUNK_BEGINS, "a size above zero")                                          \
    E(LAST_CHUNK, "a size of zero")                                               \
    E(CHUNK_ENDS, "its last octet")                                               \
    E(LINE_ENDS, "the line end after a chunk")                                    \
    E(MESSAGE_ENDS, "as its framing says; or an interim response")                \
    E(FRAMING_LOST, "nobody can say where the message ends")                      \
    E(HOLE, "octets were never captured, not all of them in a body of known length") \
    E(FOUND, "a believable message begins")                                       \
    E(LEFT, "the direction ended, or the connection speaks something else now")

#define LEVO_HTTP1_TRANSITIONS(T)                                                 \
    T(START, HEAD_BEGINS, HEAD)                                                   \
    T(HEAD, HEAD_REFUSED, START)                                                  \
    T(HEAD, LENGTH_FOLLOWS, LENGTH)                                               \
    T(CHUNK_SIZE, LENGTH_FOLLOWS, LENGTH)                                         \
    T(HEAD, CHUNKS_FOLLOW, CHUNK_SIZE)                                            \
    T(HEAD, CLOSE_FOLLOWS, CLOSE)                                                 \
    T(CHUNK_SIZE, CLOSE_FOLLOWS, CLOSE)                                           \
    T(LOST, CLOSE_FOLLOWS, CLOSE)                                                 \
    T(CHUNK_SIZE, CHUNK_BEGINS, CHUNK_DATA)                                       \
    T(CHUNK_SIZE, LAST_CHUNK, TRAILERS)                                           \
    T(CHUNK_DATA, CHUNK_ENDS, CHUNK_END)                                          \
    T(CHUNK_END, LINE_ENDS, CHUNK_SIZE)                                           \
    T(HEAD, MESSAGE_ENDS, START)                                                  \
    T(LENGTH, MESSAGE_ENDS, START)                                                \
    T(CHUNK_SIZE, MESSAGE_ENDS, START)                                            \
    T(CHUNK_DATA, MESSAGE_ENDS, START)                                            \
    T(CHUNK_END, MESSAGE_ENDS, START)                                             \
    T(TRAILERS, MESSAGE_ENDS, START)                                              \
    T(CLOSE, MESSAGE_ENDS, START)                                                 \
    T(HEAD, FRAMING_LOST, LOST)                                                   \
    T(LENGTH, FRAMING_LOST, LOST)                                                 \
    T(CHUNK_SIZE, FRAMING_LOST, LOST)                                             \
    T(CHUNK_DATA, FRAMING_LOST, LOST)                                             \
    T(CHUNK_END, FRAMING_LOST, LOST)                                              \
    T(TRAILERS, FRAMING_LOST, LOST)                                               \
    T(START, HOLE, LOST)                                                          \
    T(HEAD, HOLE, LOST)                                                           \
    T(LOST, HOLE, LOST)                                                           \
    T(LOST, FOUND, START)                                                         \
    T(START, LEFT, START)                                                         \
    T(HEAD, LEFT, START)                                                          \
    T(LENGTH, LEFT, START)                                                        \
    T(CHUNK_SIZE, LEFT, START)                                                    \
    T(CHUNK_DATA, LEFT, START)                                                    \
    T(CHUNK_END, LEFT, START)                                                     \
    T(TRAILERS, LEFT, START)                                                      \
    T(CLOSE, LEFT, START)                                                         \
    T(LOST, LEFT, START)

#define LEVO_HTTP1_NAME(name, text) LEVO_HTTP1_##name,
enum levo_http1_state { LEVO_HTTP1_STATES(LEVO_HTTP1_NAME) LEVO_HTTP1_STATE_COUNT };
enum levo_http1_event { LEVO_HTTP1_EVENTS(LEVO_HTTP1_NAME) LEVO_HTTP1_EVENT_COUNT };
#undef LEVO_HTTP1_NAME

/* One more than the state that follows; 0: that cannot happen. */
static const uint8_t levo_http1_next[LEVO_HTTP1_STATE_COUNT][LEVO_HTTP1_EVENT_COUNT] = {
#define LEVO_HTTP1_CELL(from, event, to) [LEVO_HTTP1_##from][LEVO_HTTP1_##event] = LEVO_HTTP1_##to + 1,
    LEVO_HTTP1_TRANSITIONS(LEVO_HTTP1_CELL)
#undef LEVO_HTTP1_CELL
};

static inline uint8_t levo_http1_move(uint8_t state, int event) {
    uint8_t next = levo_http1_next[state][event];
#ifdef LEVO_TRAP
    if (next == 0) __builtin_trap();
#endif
    return next ? (uint8_t)(next - 1) : (uint8_t)LEVO_HTTP1_LOST;
}

#define LEVO_HTTP1_TEXT(name, text) {#name, text},
typedef struct { const char *name, *text; } levo_http1_word;
typedef struct { const char *from, *event, *to; } levo_http1_line;

#endif
