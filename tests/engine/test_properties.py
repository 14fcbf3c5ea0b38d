"""The engine against h11 and httptools, wherever TCP cut, repeated, moved or lost the octets."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.conversation import Conversation, Turn, converse, exchanges_as_turns
from tests.helpers.effort import long, scaled
from tests.helpers.engine_runs import Run, run_frames
from tests.helpers.http_messages import ExchangeText, connections, stream_of, turns_of
from tests.helpers.lines import summaries
from tests.helpers.mutations import drop, lossy, resend
from tests.helpers.numbered import ids_in, item_of, numbered_pairs
from tests.helpers.oracles import (
    Request,
    Response,
    as_request,
    as_response,
    requests_by_h11,
    requests_by_httptools,
    responses_by_h11,
    responses_by_httptools,
)
from tests.helpers.packets import Ends, Segment, capture_segments

CHECKED = settings(
    max_examples=scaled(120),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

isns = st.one_of(st.integers(0, 2**32 - 1), st.integers(2**32 - 3000, 2**32 - 1))
"""Initial sequence numbers; every second one wraps within the conversation."""

cut_lists = st.lists(st.lists(st.integers(1, 600), max_size=8), max_size=8)


def expected(turns: list[Turn], texts: list[ExchangeText]) -> list[tuple[Request, Response]]:
    """What independent parsers read from the two whole streams; they must agree with each other."""
    requests = requests_by_h11(stream_of(turns, True))
    assert requests == requests_by_httptools(stream_of(turns, True))
    responses = responses_by_h11(stream_of(turns, False), [x.method for x in texts])
    return list(zip(requests, responses, strict=True))


def seen(run: Run) -> list[tuple[Request, Response]]:
    """The engine's exchanges in the oracles' form; all of them must be whole."""
    assert [x["incomplete"] for x in run.exchanges] == [None] * len(run.exchanges), summaries(run.exchanges)
    for exchange in run.exchanges:
        assert exchange["request"]["missing_bytes"] == exchange["response"]["missing_bytes"] == 0
    return [(as_request(x), as_response(x)) for x in run.exchanges]


def run_segments(segments: list[Segment], ends: Ends | None = None, **options: int) -> Run:
    return run_frames(capture_segments(segments, ends), decode=False, **options)


@CHECKED
@given(texts=connections(), cuts=cut_lists, pipelined=st.integers(1, 4), isn=st.tuples(isns, isns))
def test_exchanges_agree_with_h11_wherever_tcp_cut_the_streams(texts, cuts, pipelined, isn):
    """However segments slice the octets, the exchanges are those h11 reads from the whole."""
    turns = turns_of(texts, pipelined=pipelined)
    segments = converse(turns, cuts=cuts, client_isn=isn[0], server_isn=isn[1])

    assert seen(run_segments(segments)) == expected(turns, texts)


@settings(CHECKED, max_examples=scaled(40))
@given(texts=connections(most=2), isn=isns, slice_size=st.sampled_from([1, 7, 8192]))
def test_one_octet_a_segment(texts, isn, slice_size):
    """The finest slicing there is, and batches of any size."""
    turns = [(side, octets) for side, octets in turns_of(texts) if len(octets) < 1500]
    if len(turns) != len(turns_of(texts)):
        return
    segments = converse(turns, mss=1, client_isn=isn, server_isn=isn ^ 0xFFFFFFF0)

    assert seen(run_segments(segments, slice_size=slice_size)) == expected(turns, texts)


@CHECKED
@given(texts=connections(), cuts=cut_lists, isn=isns, data=st.data())
def test_repeated_octets_change_nothing(texts, cuts, isn, data):
    """Whole duplicates, and retransmissions with other boundaries, anywhere after the original."""
    turns = turns_of(texts)
    segments = converse(turns, cuts=cuts, client_isn=isn, server_isn=isn // 2)
    mutated = list(segments)
    for _ in range(data.draw(st.integers(1, 6))):
        if data.draw(st.booleans()):
            at = data.draw(st.integers(0, len(mutated) - 1))
            mutated.insert(data.draw(st.integers(at + 1, len(mutated))), mutated[at])
            continue
        side = data.draw(st.booleans())
        length = len(stream_of(turns, side))
        if not length:
            continue
        start = data.draw(st.integers(0, length - 1))
        again = resend(segments, side, start, data.draw(st.integers(1, length - start)))
        end = again.seq + len(again.payload)
        sent = [
            i
            for i, s in enumerate(mutated)
            if s.from_client == side and s.payload and (s.seq + len(s.payload) - end) % 2**32 < 2**31
        ]
        mutated.insert(data.draw(st.integers(sent[0] + 1, len(mutated))), again)

    assert seen(run_segments(mutated)) == expected(turns, texts)


@CHECKED
@given(texts=connections(), cuts=cut_lists, isn=st.tuples(isns, isns), data=st.data())
def test_reordering_inside_a_direction_changes_nothing(texts, cuts, isn, data):
    """Segments of one turn arrive in any order (the other side waits for all of them)."""
    turns = turns_of(texts)
    talk = Conversation(client_isn=isn[0], server_isn=isn[1]).handshake()
    shuffled = list(talk.segments)
    for i, (side, octets) in enumerate(turns):
        done = len(talk.segments)
        talk.send(side, octets, cuts[i] if i < len(cuts) else ())
        shuffled += data.draw(st.permutations(talk.segments[done:]))
    done = len(talk.segments)
    shuffled += talk.close().segments[done:]

    assert seen(run_segments(shuffled)) == expected(turns, texts)


@CHECKED
@given(texts=connections(), cuts=cut_lists, isn=st.tuples(isns, isns), data=st.data())
def test_reordering_across_directions_changes_nothing(texts, cuts, isn, data):
    """A tap may hand over an answer before its request: any segment up to four places late, FINs too."""
    turns = turns_of(texts)
    segments = converse(turns, cuts=cuts, client_isn=isn[0], server_isn=isn[1])
    late = data.draw(st.lists(st.integers(0, 4), min_size=len(segments), max_size=len(segments)))
    places = sorted(range(3, len(segments)), key=lambda i: (i + late[i], i))
    mutated = segments[:3] + [segments[i] for i in places]

    assert seen(run_segments(mutated)) == expected(turns, texts)


@CHECKED
@given(texts=connections(most=3), cuts=cut_lists, isn=st.tuples(isns, isns), data=st.data())
def test_any_order_behind_the_handshake_changes_nothing(texts, cuts, isn, data):
    """Within the waiting time no order of arrival may lose or alter an octet."""
    turns = turns_of(texts)
    segments = converse(turns, cuts=cuts, client_isn=isn[0], server_isn=isn[1])
    mutated = segments[:3] + data.draw(st.permutations(segments[3:]))

    assert seen(run_segments(mutated)) == expected(turns, texts)


@CHECKED
@given(texts=connections(), seed=st.integers(0, 2**32))
def test_loss_never_pairs_wrongly_nor_invents(texts, seed):
    """With segments hidden, what is called complete is exactly right, and nothing else is made up."""
    turns = turns_of(texts)
    segments = converse(turns, mss=100)
    mutated = lossy(segments, seed, hidden=0.1, doubled=0.1, moved=0.1)
    whole = expected(turns, texts)

    run = run_segments(mutated)

    left = list(whole)
    for exchange in run.exchanges:
        if exchange["incomplete"] is None:
            pair = (as_request(exchange), as_response(exchange))
            assert pair in left, summaries([exchange])
            left.remove(pair)
        elif exchange["request"] and exchange["response"]:
            assert any(
                as_request(exchange).target == request.target
                and as_response(exchange).status == response.status
                for request, response in whole
            ), summaries([exchange])


@CHECKED
@given(octets=st.lists(st.tuples(st.booleans(), st.binary(max_size=200)), max_size=8))
def test_any_octets_end_in_counted_states(octets):
    """No input raises; the balances in ``run_frames`` hold."""
    run = run_segments(converse(octets, acks=True))

    assert run.statistics["payload_bytes_held"] == 0


@CHECKED
@given(
    frames=st.lists(st.binary(max_size=120), max_size=12),
    link_type=st.sampled_from([0, 1, 12, 101, 113, 276, 9999]),
)
def test_any_frames_end_in_counted_states(frames, link_type):
    captured = [(i, octets, len(octets) + i) for i, octets in enumerate(frames)]

    run = run_frames(captured, link_type=link_type)

    assert run.statistics["frame_bytes_received"] == sum(map(len, frames))


@settings(CHECKED, max_examples=scaled(60))
@given(
    texts=connections(most=2),
    where=st.integers(0, 10**6),
    octet=st.integers(0, 255),
    snap=st.integers(14, 200),
)
def test_damaged_and_cut_frames_end_in_counted_states(texts, where, octet, snap):
    """One octet of a frame changed, and every frame cut at a snap length."""
    frames = capture_segments(converse(turns_of(texts)))
    time_ns, data, length = frames[where % len(frames)]
    at = where // len(frames) % len(data)
    frames[where % len(frames)] = (time_ns, data[:at] + bytes([octet]) + data[at + 1 :], length)

    run_frames(frames)
    run_frames([(time_ns, data[:snap], length) for time_ns, data, length in frames])


@CHECKED
@given(texts=connections(), cuts=cut_lists)
def test_responses_agree_with_httptools_too(texts, cuts):
    """The second oracle, for the responses it can frame without knowing the request."""
    texts = [x for x in texts if x.method != b"HEAD" and not x.closes]
    if not texts:
        return
    turns = turns_of(texts)

    run = run_segments(converse(turns, cuts=cuts))

    assert [r for _, r in seen(run)] == responses_by_httptools(stream_of(turns, False))


def assert_only_one_affected(run: Run, whole: dict[int, tuple[Request, Response]], victim: int) -> None:
    """All exchanges but *victim* are exact, and nothing was mispaired."""
    for exchange in run.exchanges:
        assert len(ids_in(exchange)) <= 1, f"mispaired: {summaries([exchange])}"
    exact = {item_of(x): (as_request(x), as_response(x)) for x in run.exchanges if x["incomplete"] is None}
    for item, pair in whole.items():
        if item != victim:
            assert exact.get(item) == pair, f"exchange {item} suffered from a hole in {victim}"
    if victim in exact:
        assert exact[victim] == whole[victim]


@pytest.mark.parametrize("mss", [1460, 60], ids=["one_packet_a_message", "many_packets_a_message"])
@pytest.mark.parametrize("acks", [False, True], ids=["piggybacked_acks", "pure_acks_too"])
def test_removing_any_one_packet_affects_only_its_exchange(mss, acks):
    """Each packet of a keep-alive connection is removed in turn; the others stay exact."""
    count = 40 if mss == 1460 else 12
    pairs = numbered_pairs(count)
    segments = converse(exchanges_as_turns(pairs), mss=mss, acks=acks)
    whole = {item_of(x): (as_request(x), as_response(x)) for x in run_segments(segments).exchanges}
    assert sorted(whole) == list(range(count))
    owner = _owners(segments, pairs)

    for index in range(len(segments)):
        run = run_segments(drop(segments, index))
        assert_only_one_affected(run, whole, owner[index])


@pytest.mark.parametrize("mss", [60, 90])
def test_a_request_is_reported_whichever_packet_after_its_request_line_is_removed(mss):
    pairs = numbered_pairs(12)
    segments = converse(exchanges_as_turns(pairs), mss=mss)
    owner = _owners(segments, pairs)
    first = {owner[i]: i for i in reversed(range(len(segments))) if segments[i].from_client and owner[i] >= 0}

    for index in range(len(segments)):
        if owner[index] < 0 or index == first[owner[index]]:
            continue
        run = run_segments(drop(segments, index))
        assert_only_one_affected(run, {}, owner[index])
        targets = [x["request"]["target"] for x in run.exchanges if x["request"]]
        assert targets == [request.split()[1].decode() for request, _ in pairs], index


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("stride", [211, long(4)])
def test_removing_one_packet_of_a_thousand_exchanges(part, stride):
    """The same on 1,000 exchanges, at a sample of places; at all of them in the long form."""
    pairs = numbered_pairs(1000)
    segments = converse(exchanges_as_turns(pairs))
    whole = {item_of(x): (as_request(x), as_response(x)) for x in run_segments(segments).exchanges}
    assert sorted(whole) == list(range(1000))
    owner = _owners(segments, pairs)

    for index in range(3 + part, len(segments), stride):
        run = run_segments(drop(segments, index))
        assert_only_one_affected(run, whole, owner[index])


def _owners(segments: list[Segment], pairs: list[tuple[bytes, bytes]]) -> list[int]:
    """For each segment the exchange whose octets it carries; -1 where it carries none."""
    ends = {True: 0, False: 0}
    left = {
        True: [i for i, (request, _) in enumerate(pairs) for _ in range(len(request))],
        False: [i for i, (_, response) in enumerate(pairs) for _ in range(len(response))],
    }
    owners = []
    for segment in segments:
        side = segment.from_client
        owners.append(left[side][ends[side]] if segment.payload else -1)
        ends[side] += len(segment.payload)
    return owners


@pytest.mark.parametrize("isn", [2**32 - 1, 2**32 - 2, 2**32 - 60, 2**31 - 1, 0], ids=str)
def test_sequence_numbers_wrap(isn):
    """RFC 9293 section 3.4: numbers are compared modulo 2**32."""
    pairs = numbered_pairs(30)
    run = run_segments(converse(exchanges_as_turns(pairs), client_isn=isn, server_isn=isn, mss=50))

    assert [item_of(x) for x in run.exchanges] == list(range(30))
    assert [x["incomplete"] for x in run.exchanges] == [None] * 30
