"""TCP reassembly of the two directions of a connection (RFC 9293 section 3.10, as a bystander).

In-order octets go straight on from the captured frame; only what arrives out of order is copied. A
hole is waited for: until its receiver acknowledges it (then the capture lost it, and a short grace for
reordering inside the capture is enough), else until the stream timeout. Then it is passed on as a gap.

Octets of the server's direction also wait until everything they acknowledge has been delivered, so
that a response never overtakes its request, whatever the order of capture was. After a request with
``Expect: 100-continue``, and after a hole of their own, the client's octets wait in the same way: what they are
may depend on what the client has received.

Where segments overlap, octets that came first win; differing ones are counted.

Segments that are held form a list by sequence number, and a tree over it that finds a segment's place (a
treap: each node has a random rank, and none is below a node of lower rank, so that no order of arrival makes
it deep). Their number is bounded by what they are charged with: ``charge`` each, against ``max_held_bytes``.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from levo.engine.proto.dispatch cimport deliver, deliver_end, deliver_gap
from levo.engine.proto.layers cimport look_again
from levo.engine.proto.protocol cimport ENDED_FIN
from levo.engine.core.memory cimport give_back, over_budget, take
from levo.engine.core.state cimport Connection, EngineState, Held, Parser, Stream, ack_offset, by_clock, seq_diff

cdef enum:
    FAR = 1 << 26               # sequence numbers further away belong to another connection
    FAR_SEALED = 1 << 30        # ... but where records authenticate themselves
    ODD_RUN = 3                 # ... once so many consecutive segments are
    AGREED = 255                # odd_run: the receiver has acknowledged odd_next
    CERTAIN_LOSS = 1 << 20      # octets behind an acknowledged hole that end the wait for it
    LEAST_CHARGE = 1024         # of a held segment, however small: bounds their number


cdef inline bint is_far(const Connection* conn, int32_t ahead) noexcept nogil:
    """Whether *ahead* is too far. With keys a long hole is only that: another connection's records do not open."""
    # Most are near: for those this is one comparison.
    return (ahead > FAR or ahead < -FAR) and (not conn.encrypted or ahead > FAR_SEALED or ahead < -FAR_SEALED)


cdef inline uint32_t charge(uint32_t length) noexcept nogil:
    """Octets that a held segment of *length* octets counts as."""
    cdef uint32_t size = <uint32_t>sizeof(Held) + length
    return size if size > LEAST_CHARGE else LEAST_CHARGE


cdef void stream_ack(
    EngineState* state, Connection* conn, int direction, uint32_t ack, int64_t time_ns
) noexcept nogil:
    """The sender of *direction* acknowledged the other direction up to *ack*."""
    cdef Stream* other = &conn.streams[1 - direction]
    cdef int32_t ahead
    if not other.seen:
        other.seen = 1
        other.rcv_nxt = ack
        other.initial_seq = ack
        return
    ahead = seq_diff(ack, other.rcv_nxt)
    if is_far(conn, ahead) and (ahead > 0 or not other.has_data):
        if not other.has_data:
            # A proxy on the way has answered the SYN, with other numbers than the server's.
            other.odd_next = ack
            other.odd_run = AGREED
        return
    if not other.has_acked or seq_diff(ack, other.acked) > 0:
        other.acked = ack
        other.has_acked = 1
        if other.held != NULL and other.held.padding and seq_diff(ack, other.held.seq + other.held.length) >= 0:
            other.held.padding = 0                # received, so it was sent
            settle(state, conn, 1 - direction, time_ns)
            ahead = seq_diff(ack, other.rcv_nxt)
        if ahead > 0 and other.visible and other.hole_since_ns == 0 and not (
            ahead == 1 and other.held == NULL and other.ended
        ):
            other.hole_since_ns = by_clock(state, time_ns)
            look_again(conn)


cdef inline bint must_wait(Connection* conn, int direction, bint has_ack, uint32_t ack) noexcept nogil:
    # Does a segment acknowledge octets that have not been delivered, and are to be read first?
    # What the client has received may say whether it goes on with content or with a request.
    cdef const Parser* parser = &conn.streams[direction].parser
    cdef Stream* other
    cdef int32_t ahead
    if not has_ack or (conn.client != 1 - direction and not (
        conn.client == direction and (parser.expects or parser.gap_before)
    )):
        return False
    other = &conn.streams[1 - direction]
    if not other.visible or other.ended:
        return False
    ahead = seq_diff(ack, other.rcv_nxt)
    return ahead > 0 and not is_far(conn, ahead)


cdef bint stream_segment(
    EngineState* state, Connection* conn, int direction, uint32_t seq,
    const uint8_t* data, uint32_t length, uint32_t missing,
    bint has_ack, uint32_t ack, int64_t time_ns,
) noexcept nogil:
    """One segment's payload; *missing* octets behind it were cut by the snap length.

    False when its sequence numbers show that the connection is another one by now.
    """
    cdef Stream* stream = &conn.streams[direction]
    cdef int32_t ahead
    cdef uint32_t skip
    cdef int64_t acknowledged
    if not stream.seen:
        stream.seen = 1
        stream.rcv_nxt = seq
        stream.initial_seq = seq
    ahead = seq_diff(seq, stream.rcv_nxt)
    if is_far(conn, ahead) and stream.odd_run == AGREED and not stream.has_data and seq == stream.odd_next:
        # Both sides go on from here, and nothing was sent before it.
        stream.rcv_nxt = seq
        stream.has_acked = stream.odd_run = 0
        ahead = 0
    if is_far(conn, ahead):
        if stream.odd_run == AGREED:
            stream.odd_run = 0
        stream.odd_run = stream.odd_run + 1 if seq == stream.odd_next else 1
        stream.odd_next = seq + length + missing
        if stream.odd_run >= ODD_RUN:
            return False
        state.stats.payload_bytes_out_of_window += length
        return True
    if stream.held != NULL and stream.held.padding:
        if seq == stream.held.seq + stream.held.length:
            stream.held.padding = 0               # what follows it shows that it was sent
            settle(state, conn, direction, time_ns)
            ahead = seq_diff(seq, stream.rcv_nxt)
        elif ahead == 0:
            drop_padding(state, stream)
    stream.has_data = 1
    if ahead < 0:
        skip = <uint32_t>(-ahead)
        if skip >= length + missing:
            state.stats.payload_bytes_duplicate += length
            return True
        if skip > length:
            state.stats.payload_bytes_duplicate += length
            missing -= skip - length
            skip = length
            length = 0
        else:
            state.stats.payload_bytes_duplicate += skip
            length -= skip
        data += skip
        seq = stream.rcv_nxt
        ahead = 0
    if stream.ended:
        state.stats.payload_bytes_closed += length
        return True
    if ahead == 0 and stream.held == NULL and not must_wait(conn, direction, has_ack, ack):
        acknowledged = ack_offset(&conn.streams[1 - direction], ack) if has_ack else -1
        accept(state, conn, direction, data, length, missing, time_ns, acknowledged)
    else:
        if ahead > 0:
            state.stats.segments_out_of_order += 1
        hold(state, stream, seq, data, length, missing, has_ack, ack, time_ns)
        if stream.hole_since_ns == 0:
            stream.hole_since_ns = by_clock(state, time_ns)
    settle(state, conn, direction, time_ns)
    return True


cdef void stream_padding(
    EngineState* state, Connection* conn, int direction, uint32_t seq,
    const uint8_t* data, uint32_t length, bint has_ack, uint32_t ack, int64_t time_ns,
) noexcept nogil:
    """The payload of a bare acknowledgment, a few zeros: perhaps none.

    Some devices count a frame's padding into the IP length. The zeros are put aside until what follows shows
    whether they were sent: octets after them, an acknowledgment, or others in their place.
    """
    cdef Stream* stream = &conn.streams[direction]
    if not stream.seen:
        stream.seen = 1
        stream.rcv_nxt = seq
        stream.initial_seq = seq
    if seq == stream.rcv_nxt and stream.held != NULL and stream.held.padding:
        state.stats.payload_bytes_duplicate += length
    elif seq == stream.rcv_nxt and stream.held == NULL and not stream.ended:
        if insert(state, stream, NULL, seq, data, length, 0, has_ack, ack, time_ns) != NULL:
            stream.held.padding = 1
    else:
        stream_segment(state, conn, direction, seq, data, length, 0, has_ack, ack, time_ns)


cdef void drop_padding(EngineState* state, Stream* stream) noexcept nogil:
    """What was put aside was not sent."""
    cdef Held* held = stream.held
    stream.held = held.next
    remove_first(stream)
    stream.held_bytes -= charge(held.length)
    state.stats.payload_bytes_held -= held.length
    state.stats.payload_bytes_duplicate += held.length
    give_back(&state.budget, held, held.allocated)


cdef inline void accept(
    EngineState* state, Connection* conn, int direction, const uint8_t* data, uint32_t length,
    uint32_t missing, int64_t time_ns, int64_t acknowledged,
) noexcept nogil:
    cdef Stream* stream = &conn.streams[direction]
    if length:
        deliver(state, conn, direction, data, length, time_ns, acknowledged)
        stream.rcv_nxt += length
    if missing:
        deliver_gap(state, conn, direction, missing, time_ns)
        stream.rcv_nxt += missing


cdef void settle(EngineState* state, Connection* conn, int direction, int64_t time_ns) noexcept nogil:
    """Deliver whatever a change in *direction* has freed, in both directions."""
    cdef Stream* stream = &conn.streams[direction]
    cdef Stream* other = &conn.streams[1 - direction]
    cdef bint moved = True
    while moved:
        moved = False
        if stream.held != NULL:
            moved = drain(state, conn, direction, time_ns)
        if other.held != NULL and drain(state, conn, 1 - direction, time_ns):
            moved = True
        if not moved and (stream.hole_since_ns or other.hole_since_ns):
            if overfull(state, conn, direction, time_ns):
                moved = release(state, conn, direction, time_ns)
                state.stats.gaps_overfull += moved
            elif overfull(state, conn, 1 - direction, time_ns):
                moved = release(state, conn, 1 - direction, time_ns)
                state.stats.gaps_overfull += moved
    if stream.fin and not stream.ended and stream.fin_seq == stream.rcv_nxt:
        finish(state, conn, direction, time_ns)
    if other.fin and not other.ended and other.fin_seq == other.rcv_nxt:
        finish(state, conn, 1 - direction, time_ns)


cdef void finish(EngineState* state, Connection* conn, int direction, int64_t time_ns) noexcept nogil:
    # FIN takes one sequence number.
    cdef Stream* stream = &conn.streams[direction]
    deliver_end(state, conn, direction, time_ns, ENDED_FIN)
    stream.ended = 1
    stream.rcv_nxt += 1
    stream.offset += 1


cdef bint drain(EngineState* state, Connection* conn, int direction, int64_t time_ns) noexcept nogil:
    cdef Stream* stream = &conn.streams[direction]
    cdef Held* held
    cdef uint32_t skip, length, missing
    cdef int64_t acknowledged
    cdef bint moved = False
    while stream.held != NULL:
        held = stream.held
        if held.padding or seq_diff(held.seq, stream.rcv_nxt) > 0 or must_wait(conn, direction, held.has_ack, held.ack):
            break
        skip = stream.rcv_nxt - held.seq
        if skip > held.length:
            skip = held.length
        stream.held = held.next
        remove_first(stream)
        stream.held_bytes -= charge(held.length)
        state.stats.payload_bytes_held -= held.length
        state.stats.payload_bytes_duplicate += skip
        length = held.length - skip
        missing = held.missing
        if missing and stream.held != NULL and <uint32_t>(stream.held.seq - held.seq) < held.length + missing:
            missing = stream.held.seq - held.seq - held.length
        acknowledged = ack_offset(&conn.streams[1 - direction], held.ack) if held.has_ack else -1
        accept(state, conn, direction, <const uint8_t*>(held + 1) + skip, length, missing,
               held.time_ns, acknowledged)
        give_back(&state.budget, held, held.allocated)
        moved = True
    return moved


cdef bint overfull(EngineState* state, Connection* conn, int direction, int64_t time_ns) noexcept nogil:
    # Notes whether this direction still waits for something; True when it holds too much to go on waiting.
    cdef Stream* stream = &conn.streams[direction]
    cdef bint acked = stream.has_acked and seq_diff(stream.acked, stream.rcv_nxt) > 0
    cdef bint nothing = stream.held == NULL or (stream.held.padding and stream.held.next == NULL)
    if nothing and not (acked and stream.visible and not stream.ended) and not (
        stream.fin and not stream.ended and seq_diff(stream.fin_seq, stream.rcv_nxt) > 0
    ):
        stream.hole_since_ns = 0
        return False
    if stream.hole_since_ns == 0:
        stream.hole_since_ns = by_clock(state, time_ns)
    look_again(conn)
    return stream.held_bytes > state.settings.max_held_bytes or (acked and stream.held_bytes > CERTAIN_LOSS)


cdef inline bint is_blocked(const Stream* stream) noexcept nogil:
    # Does it wait for the other direction, and not for a hole of its own?
    return stream.held != NULL and not stream.held.padding and seq_diff(stream.held.seq, stream.rcv_nxt) <= 0


cdef bint release(EngineState* state, Connection* conn, int direction, int64_t time_ns) noexcept nogil:
    """Stop waiting for the hole at rcv_nxt: pass it on as a gap. Callers settle; False if nothing moved."""
    cdef Stream* stream = &conn.streams[direction]
    cdef Stream* other = &conn.streams[1 - direction]
    cdef uint32_t target
    cdef int32_t size
    if stream.held != NULL and stream.held.padding:
        drop_padding(state, stream)
        return True
    if stream.held != NULL:
        target = stream.held.seq
        if is_blocked(stream):
            if not is_blocked(other) and release(state, conn, 1 - direction, time_ns):
                return True
            stream.held.has_ack = 0               # an acknowledgment that nothing explains
            other.hole_since_ns = 0
            return True
    elif stream.fin and seq_diff(stream.fin_seq, stream.rcv_nxt) > 0:
        target = stream.fin_seq
    elif stream.has_acked and not stream.ended:
        target = stream.acked
    else:
        stream.hole_since_ns = 0
        return False
    size = seq_diff(target, stream.rcv_nxt)
    if size <= 0:
        stream.hole_since_ns = 0
        return False
    stream.hole_since_ns = by_clock(state, time_ns)                # there may be another hole behind; settling tells
    if size == 1 and stream.held == NULL and not stream.fin and stream.parser.state == 0:
        # An acknowledged octet nobody saw between messages: the sequence number of a FIN.
        stream.fin = 1
        stream.fin_seq = stream.rcv_nxt
    else:
        deliver_gap(state, conn, direction, <uint32_t>size, time_ns)
        stream.rcv_nxt = target
    return True


cdef bint stream_look(EngineState* state, Connection* conn, int64_t now_ns) noexcept nogil:
    """Time has passed: give up holes that are overdue. True while something is still waited for."""
    cdef int side
    cdef Stream* stream
    cdef int64_t patience
    cdef bint waiting = False
    for side in range(2):
        stream = &conn.streams[side]
        if stream.hole_since_ns == 0:
            continue
        if stream.hole_since_ns > state.elapsed_ns:
            stream.hole_since_ns = state.elapsed_ns         # noticed by a frame whose clock is ahead
        patience = state.settings.stream_timeout_ns
        if stream.has_acked and seq_diff(stream.acked, stream.rcv_nxt) > 0 or (
            stream.held != NULL and seq_diff(stream.held.seq, stream.rcv_nxt) <= 0
        ):
            patience = state.settings.acked_gap_ns
        if state.elapsed_ns - stream.hole_since_ns >= patience:
            release(state, conn, side, now_ns)
            settle(state, conn, side, now_ns)
    for side in range(2):
        if conn.streams[side].hole_since_ns:
            waiting = True
    return waiting


cdef void stream_flush(EngineState* state, Connection* conn, int64_t now_ns) noexcept nogil:
    """Deliver everything held, holes as gaps: nothing more will come."""
    cdef int rounds = 0
    cdef int side
    while (conn.streams[0].held != NULL or conn.streams[1].held != NULL) and rounds < 1 << 20:
        # The side that has a hole of its own goes first; the other may only wait for it.
        side = 0
        if conn.streams[0].held == NULL or (
            conn.streams[1].held != NULL
            and seq_diff(conn.streams[0].held.seq, conn.streams[0].rcv_nxt) <= 0
        ):
            side = 1
        release(state, conn, side, now_ns)
        settle(state, conn, side, now_ns)
        rounds += 1
    for side in range(2):
        while conn.streams[side].hole_since_ns and release(state, conn, side, now_ns):
            settle(state, conn, side, now_ns)


cdef void hold(
    EngineState* state, Stream* stream, uint32_t seq, const uint8_t* data, uint32_t length,
    uint32_t missing, bint has_ack, uint32_t ack, int64_t time_ns,
) noexcept nogil:
    """Keep a copy of a segment, in order and without overlap: octets that came first stay."""
    cdef Held* before = last_before(stream, seq)
    cdef Held* node = stream.held if before == NULL else before
    cdef uint32_t size
    cdef int32_t room
    while length:
        while node != NULL and seq_diff(node.seq + node.length, seq) <= 0:
            before = node
            node = node.next
        if node == NULL:
            insert(state, stream, before, seq, data, length, missing, has_ack, ack, time_ns)
            return
        room = seq_diff(node.seq, seq)
        if room > 0:
            size = length if <uint32_t>room >= length else <uint32_t>room
            before = insert(state, stream, before, seq, data, size,
                            missing if size == length else 0, has_ack, ack, time_ns)
            if before == NULL:
                state.stats.payload_bytes_evicted += length - size
                return
        else:
            size = node.length - <uint32_t>(-room)
            if size > length:
                size = length
            state.stats.payload_bytes_duplicate += size
            if memcmp(<const uint8_t*>(node + 1) + <uint32_t>(-room), data, size) != 0:
                state.stats.segments_overlap_conflict += 1
        seq += size
        data += size
        length -= size


cdef Held* last_before(const Stream* stream, uint32_t seq) noexcept nogil:
    """The last segment held that begins before *seq*, or NULL."""
    cdef Held* found = NULL
    cdef Held* node = stream.held_root
    while node != NULL:
        if seq_diff(node.seq, seq) < 0:
            found = node
            node = node.right
        else:
            node = node.left
    return found


cdef void add(EngineState* state, Stream* stream, Held* held) noexcept nogil:
    """Give *held* its place in the tree: above all of lower rank, which are parted at its sequence number."""
    cdef Held** at = &stream.held_root
    cdef Held** left = &held.left
    cdef Held** right = &held.right
    cdef Held* node
    state.held_random = state.held_random * <uint64_t>6364136223846793005 + state.hash_seed | 1
    held.rank = <uint32_t>(state.held_random >> 32)
    while at[0] != NULL and at[0].rank >= held.rank:
        at = &at[0].right if seq_diff(at[0].seq, held.seq) < 0 else &at[0].left
    node = at[0]
    at[0] = held
    while node != NULL:
        if seq_diff(node.seq, held.seq) < 0:
            left[0] = node
            left = &node.right
            node = left[0]
        else:
            right[0] = node
            right = &node.left
            node = right[0]
    left[0] = right[0] = NULL


cdef void remove_first(Stream* stream) noexcept nogil:
    """Take the segment with the lowest sequence number out of the tree."""
    cdef Held** at = &stream.held_root
    while at[0].left != NULL:
        at = &at[0].left
    at[0] = at[0].right


cdef Held* insert(
    EngineState* state, Stream* stream, Held* before, uint32_t seq, const uint8_t* data,
    uint32_t length, uint32_t missing, bint has_ack, uint32_t ack, int64_t time_ns,
) noexcept nogil:
    cdef uint32_t size = <uint32_t>sizeof(Held) + length
    cdef Held* held = NULL
    if not over_budget(&state.budget):
        held = <Held*>take(&state.budget, size)
    if held == NULL:
        # It will show as a gap later.
        state.stats.payload_bytes_evicted += length
        return NULL
    held.time_ns = time_ns
    held.seq = seq
    held.length = length
    held.missing = missing
    held.ack = ack
    held.has_ack = has_ack
    held.padding = 0
    held.allocated = size
    memcpy(held + 1, data, length)
    add(state, stream, held)
    if before == NULL:
        held.next = stream.held
        stream.held = held
    else:
        held.next = before.next
        before.next = held
    stream.held_bytes += charge(length)
    state.stats.payload_bytes_held += length
    return held


cdef inline void settle_padding(
    EngineState* state, Connection* conn, int direction, int64_t time_ns
) noexcept nogil:
    # A FIN after what was put aside shows that it was sent.
    cdef Stream* stream = &conn.streams[direction]
    if stream.held != NULL and stream.held.padding:
        stream.held.padding = 0
        settle(state, conn, direction, time_ns)


cdef void stream_fin(
    EngineState* state, Connection* conn, int direction, uint32_t seq, int64_t time_ns
) noexcept nogil:
    """The sender of *direction* ended it at *seq* (the sequence number of its FIN)."""
    cdef Stream* stream = &conn.streams[direction]
    if stream.fin or stream.ended:
        return
    if stream.seen and (seq_diff(seq, stream.rcv_nxt) < 0 or is_far(conn, seq_diff(seq, stream.rcv_nxt))):
        return
    if not stream.seen:
        stream.seen = 1
        stream.rcv_nxt = seq
        stream.initial_seq = seq
    if stream.held != NULL and stream.held.padding:
        if seq == stream.held.seq:
            drop_padding(state, stream)
        settle_padding(state, conn, direction, time_ns)
    stream.fin = 1
    stream.fin_seq = seq
    if seq != stream.rcv_nxt and stream.hole_since_ns == 0:
        stream.hole_since_ns = by_clock(state, time_ns)
    settle(state, conn, direction, time_ns)


cdef void stream_free(EngineState* state, Connection* conn, bint evicted) noexcept nogil:
    """Return what both directions hold; *evicted* counts it as given up for memory."""
    cdef int side
    cdef Held* held
    for side in range(2):
        while conn.streams[side].held != NULL:
            held = conn.streams[side].held
            conn.streams[side].held = held.next
            state.stats.payload_bytes_held -= held.length
            if evicted:
                state.stats.payload_bytes_evicted += held.length
            else:
                state.stats.payload_bytes_closed += held.length
            give_back(&state.budget, held, held.allocated)
        conn.streams[side].held_root = NULL
        conn.streams[side].held_bytes = 0
        conn.streams[side].hole_since_ns = 0
