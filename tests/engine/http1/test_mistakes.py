"""What clients and servers do wrong is not a loss: where nothing is missing, order decides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.helpers.conversation import Conversation, converse
from tests.helpers.engine_runs import run_frames
from tests.helpers.http2_peers import request_head, response_head, simple_exchanges
from tests.helpers.packets import Segment, capture_segments

POST = b"POST /login HTTP/1.1\r\nHost: a\r\n"
GET = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def rows(segments: list[Segment]) -> list[tuple[object, object, object]]:
    """(target, status, why it is incomplete), in order of completion."""
    return [
        (
            x["request"] and x["request"]["target"],
            x["response"] and x["response"]["status"],
            x["incomplete"],
        )
        for x in run_frames(capture_segments(segments)).exchanges
    ]


@pytest.mark.parametrize(
    "mistake",
    [
        POST + b"\r\nuser=alice&password=x",
        POST + b"Content-Length: 4\r\n\r\nuser=alice",
        POST + b"Content-Length: 4\r\n\r\nuser\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n4\r\nuser\r\nzz\r\n",
        POST + b"\r\n" + b'{"note": "GET /not/a/request HTTP/1.1"}',
    ],
    ids=["no length", "too long", "line ends", "bad chunk", "text like a request"],
)
@pytest.mark.parametrize("joined", [True, False])
def test_a_request_with_wrong_framing_keeps_its_response(mistake, joined):
    head, _, rest = mistake.partition(b"\r\n\r\n")
    talk = Conversation().handshake()
    if joined:
        talk.client(mistake)
    else:
        talk.client(head + b"\r\n\r\n").client(rest)
    found = rows(talk.server(OK).client(GET).server(OK).close().segments)

    assert [(target, status) for target, status, _ in found] == [("/login", 200), ("/next", 200)]
    assert all(reason in (None, "request_cut") for _, _, reason in found)


def test_the_answer_to_garbage_is_alone():
    talk = Conversation().handshake().client(POST + b"\r\nuser=alice").server(OK).server(BAD).close()

    assert rows(talk.segments) == [("/login", 200, None), (None, 400, "no_request")]


@pytest.mark.parametrize("size", [1, 2, 6])
def test_a_few_octets_lost_with_the_end_of_a_body_do_not_unpair_it(size):
    talk = Conversation().handshake().client(POST + b"Content-Length: 500\r\n\r\n" + b"x" * 200)
    talk.skip(True, 300 + size).server(OK).client(GET).server(OK).close()

    assert rows(talk.segments) == [("/login", 200, "request_gap"), ("/next", 200, None)]


@pytest.mark.parametrize("size", [1, 2, 6])
def test_line_ends_lost_between_requests_do_not_unpair_the_next_one(size):
    talk = Conversation().handshake().client(POST + b"Content-Length: 2\r\n\r\nhi").skip(True, size)

    assert rows(talk.server(OK).client(GET).server(OK).close().segments) == [
        ("/login", 200, None),
        ("/next", 200, None),
    ]


@pytest.mark.parametrize("size", [1, 2, 6])
def test_a_request_whose_first_octets_were_lost_is_not_made_up(size):
    """The rest of its request line looks like one: its response is reported alone, the next one is paired."""
    talk = Conversation().handshake().client(POST + b"Content-Length: 2\r\n\r\nhi").server(OK)
    talk.skip(True, size).client(GET[size:]).server(BAD.replace(b"Connection: close\r\n", b""))
    found = rows(talk.client(GET.replace(b"next", b"last")).server(OK).close().segments)

    assert [(target, status) for target, status, _ in found] == [("/login", 200), (None, 400), ("/last", 200)]


EXPECT = POST + b"Content-Length: 20\r\nExpect: 100-continue\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
REFUSED = BAD.replace(b"Connection: close\r\n", b"")


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4, 6], ids=lambda cut: f"cut {cut}")
@pytest.mark.parametrize("content", ["Content-Length: 20", "Transfer-Encoding: chunked"])
def test_after_a_refused_expect_the_next_request_is_a_request(cut, content):
    """However few of its octets the first segment holds."""
    expect = EXPECT.replace(b"Content-Length: 20", content.encode())
    talk = Conversation().handshake().client(expect).server(REFUSED)
    talk.client(GET, [cut] if cut else []).server(OK).close()

    assert rows(talk.segments) == [("/login", 400, None), ("/next", 200, None)]


@pytest.mark.parametrize("content", [b"P", b"GE", b"DELET"])
def test_content_sent_in_spite_of_a_refusal(content):
    expect = EXPECT.replace(b"20", b"%d" % len(content))
    turns = [(True, expect), (False, REFUSED), (True, content), (True, GET), (False, OK)]

    assert rows(converse(turns)) == [("/login", 400, None), ("/next", 200, None)]


@pytest.mark.parametrize("answer", [CONTINUE, b""], ids=["continue", "no answer"])
def test_content_that_was_asked_for_is_content_whatever_it_looks_like(answer):
    talk = Conversation().handshake().client(EXPECT)
    if answer:
        talk.server(answer)
    talk.client(b"GET / HTTP/1.1\r\n\r\n..").server(OK).close()

    assert rows(talk.segments) == [("/login", 200, None)]


@pytest.mark.parametrize("answer", [CONTINUE, REFUSED], ids=["continue", "refused"])
@pytest.mark.parametrize("pieces", [1, 2])
def test_what_follows_an_expect_is_read_behind_its_answer_whatever_was_captured_first(answer, pieces):
    """The octets are the same: whether they are content or a request, the answer says."""
    content = b"GET /next HTTP/1.1\r\n"
    talk = Conversation().handshake().client(EXPECT).server(answer)
    done = len(talk.segments)
    if answer == CONTINUE:
        talk.client(content, (len(content) // pieces,)).server(OK)
    else:
        talk.client(GET, (len(GET) // pieces,)).server(OK)
    before, segments = talk.segments[: done - 1], talk.segments[done:]
    late = [*before, *segments[:pieces], talk.segments[done - 1], *segments[pieces:]]

    if answer == CONTINUE:
        assert rows(late) == [("/login", 200, None)]
    else:
        assert rows(late) == [("/login", 400, None), ("/next", 200, None)]


def test_after_an_expect_whose_answer_was_lost_the_next_request_is_a_request():
    talk = Conversation().handshake().client(EXPECT).skip(False, len(REFUSED)).client(GET).server(OK).close()

    assert rows(talk.segments) == [("/login", None, "response_gap"), ("/next", 200, None)]


CONTENT = b"GET /content HTTP/1"
"""As long as EXPECT's content, and like a request."""


def numbered(octets: bytes, number: int) -> bytes:
    return octets.replace(b"/login", b"/%d" % number).replace(b"/next", b"/%d" % number)


def answered(talk: Conversation) -> list[tuple[object, object, object]]:
    """Two more exchanges behind what *talk* holds: whatever came before them, they pair with their own."""
    for number in (2, 3):
        talk.client(numbered(GET, number)).server(OK.replace(b"200", b"20%d" % number))
    found = rows(talk.close().segments)

    assert found[-2:] == [("/2", 202, None), ("/3", 203, None)]
    return found[:-2]


@pytest.mark.parametrize("first", [GET, POST + b"Content-Length: 2\r\n\r\nhi"], ids=["get", "post"])
@pytest.mark.parametrize("joined", [True, False])
def test_content_that_acknowledges_the_response_before_is_content(first, joined):
    """Pipelined: what it acknowledges was not an answer to the request it belongs to."""
    talk = Conversation().handshake()
    first, expecting = numbered(first, 0), numbered(EXPECT, 1)
    if joined:
        talk.client(first + expecting)
    else:
        talk.client(first).client(expecting)
    talk.server(OK).client(CONTENT).server(OK)

    assert answered(talk) == [("/0", 200, None), ("/1", 200, None)]


def test_content_that_acknowledges_late_is_content():
    """The head's segment left before the response in front of it arrived (a delayed acknowledgment)."""
    talk = Conversation().handshake().client(numbered(GET, 0)).server(OK).client(numbered(EXPECT, 1))
    talk.segments[-1] = replace(talk.segments[-1], ack=talk.segments[-2].seq)
    talk.client(CONTENT).server(OK)

    assert answered(talk) == [("/0", 200, None), ("/1", 200, None)]


@pytest.mark.parametrize("answer", [CONTINUE, REFUSED], ids=["continue", "refused"])
def test_content_that_acknowledges_a_part_of_the_answer_is_content(answer):
    talk = Conversation().handshake().client(numbered(EXPECT, 1)).server(answer[:10]).client(CONTENT)
    talk.server(answer[10:])
    if answer == CONTINUE:
        talk.server(OK)

    assert answered(talk) == [("/1", 200 if answer == CONTINUE else 400, None)]


def test_content_that_passed_its_continue_on_the_way_is_content():
    talk = Conversation().handshake().client(numbered(GET, 0)).client(numbered(EXPECT, 1)).server(OK)
    talk.client(CONTENT).server(CONTINUE).server(OK)

    assert answered(talk) == [("/0", 200, None), ("/1", 200, None)]


@pytest.mark.parametrize("asked", [CONTINUE, b""], ids=["continue", "no answer"])
def test_content_and_the_next_expect_in_one_segment(asked):
    talk = Conversation().handshake().client(numbered(EXPECT, 0)).server(CONTINUE)
    talk.client(b"p" * 20 + numbered(EXPECT, 1)).server(OK)
    if asked:
        talk.server(asked)
    talk.client(CONTENT).server(OK)

    assert answered(talk) == [("/0", 200, None), ("/1", 200, None)]


@pytest.mark.parametrize("lost", [GET, EXPECT], ids=["get", "expect"])
@pytest.mark.parametrize("content", [CONTENT, b"p" * 20], ids=["like a request", "plain"])
def test_content_after_a_continue_is_content_though_the_response_before_was_lost(lost, content):
    talk = Conversation().handshake().client(numbered(lost, 0)).skip(False, len(OK))
    talk.client(numbered(EXPECT, 1)).server(CONTINUE).client(content).server(OK)

    assert answered(talk) == [("/0", None, "response_gap"), ("/1", 200, None)]


@pytest.mark.parametrize("lost", [1, 10, 40])
def test_a_refusal_before_the_content_does_not_answer_the_next_request(lost):
    """It acknowledges nothing of the next request, whose head has a hole or not."""
    talk = Conversation().handshake().client(numbered(EXPECT, 1)).server(REFUSED).client(CONTENT)
    talk.skip(True, lost).server(OK)

    assert ("/1", 400) in [row[:2] for row in answered(talk)]


@pytest.mark.parametrize("interim", [b"103 Early Hints", b"102 Processing"])
@pytest.mark.parametrize("final", ["lost", "read"])
def test_another_interim_response_does_not_ask_for_content(interim, final):
    talk = Conversation().handshake().client(numbered(EXPECT, 1)).server(b"HTTP/1.1 " + interim + b"\r\n\r\n")
    if final == "lost":
        talk.skip(False, len(REFUSED))
    else:
        talk.server(REFUSED)

    assert answered(talk) == [("/1", None, "response_gap") if final == "lost" else ("/1", 400, None)]


def test_content_whose_continue_was_lost_is_content():
    talk = Conversation().handshake().client(numbered(EXPECT, 1)).skip(False, len(CONTINUE)).client(CONTENT)

    assert answered(talk.server(OK)) == [("/1", None, "response_gap")]


def test_content_after_a_continue_to_a_lost_request_is_content():
    talk = Conversation().handshake().client(numbered(GET, 0)).server(OK).skip(True, 20)
    talk.client(EXPECT[20:]).server(CONTINUE).client(CONTENT).server(OK)

    assert answered(talk) == [("/0", 200, None), (None, 200, "no_request")]


@pytest.mark.parametrize("size", [20, 40, 90, 300], ids=lambda size: f"{size} announced")
@pytest.mark.parametrize("lost", [10, 40])
def test_a_hole_after_a_refusal_may_hold_the_next_request(size, lost):
    """What follows the hole is neither read as the refused request's content nor paired with its response."""
    refused = numbered(EXPECT, 0).replace(b"20", b"%d" % size)
    talk = Conversation().handshake().client(refused).server(REFUSED)
    talk.skip(True, lost).client(numbered(EXPECT, 1)[lost:]).server(CONTINUE).client(b"q" * 20).server(OK)

    assert answered(talk) == [("/0", 400, "request_gap"), (None, 200, "no_request")]


@pytest.mark.parametrize(
    "interim", [CONTINUE, b"HTTP/1.1 103 Early Hints\r\n\r\n"], ids=["continue", "hints"]
)
@pytest.mark.parametrize("content", [CONTENT, b"word", b"some text", b"a line\n"], ids=repr)
def test_content_behind_an_interim_response_to_a_lost_first_request_is_content(interim, content):
    """The server's octets are what shows the protocol; no request was read before them."""
    talk = Conversation().handshake().skip(True, len(EXPECT)).server(interim).client(content).server(OK)

    assert answered(talk) == [(None, 200, "no_request")]


@pytest.mark.parametrize("size", [20, 1000])
def test_where_only_the_client_is_captured_requests_after_a_refused_expect_are_requests(size):
    refused = numbered(EXPECT, 0).replace(b"20", b"%d" % size)
    talk = Conversation().handshake().client(refused).server(REFUSED).client(numbered(GET, 1)).server(OK)
    found = rows([x for x in talk.client(GET).server(OK).close().segments if x.from_client])

    assert [row[0] for row in found] == ["/0", "/1", "/next"]


@pytest.mark.parametrize("answer", [CONTINUE, b""], ids=["continue", "no answer"])
def test_where_only_the_client_is_captured_content_that_was_asked_for_is_content(answer):
    talk = Conversation().handshake().client(EXPECT)
    if answer:
        talk.server(answer)
    talk.client(CONTENT + b".").server(OK).client(GET).server(OK).close()

    assert [row[0] for row in rows([x for x in talk.segments if x.from_client])] == ["/login", "/next"]


@pytest.mark.parametrize("first", [1, 2, 30])
def test_the_next_request_after_a_lost_first_one_is_read_however_few_octets_come_first(first):
    talk = Conversation().handshake().skip(True, len(GET)).server(OK).client(GET, [first]).server(OK)

    assert answered(talk) == [(None, 200, "no_request"), ("/next", 200, None)]


@pytest.mark.parametrize("asked", ["read", "lost"])
def test_a_response_is_not_paired_with_what_was_sent_behind_content_that_was_asked_for(asked):
    """Pipelined after a loss: the client had no more than the 100 (Continue) when it sent the second one."""
    talk = (
        Conversation().handshake().client(numbered(GET, 0)).skip(False, len(OK)).client(numbered(EXPECT, 1))
    )
    if asked == "read":
        talk.server(CONTINUE)
    else:
        talk.skip(False, len(CONTINUE))
    talk.client(b"p" * 20 + GET).server(OK).server(OK)
    found = answered(talk)

    assert not [row for row in found if row[2] is None]
    assert [row[0] for row in found if row[0]] == ["/0", "/1", "/next"]


def test_only_interim_responses_show_the_last_one():
    turns = [(True, GET), (False, b"HTTP/1.1 102 Processing\r\n\r\n"), (False, b"and content")]

    assert rows(converse(turns)) == [("/next", 102, "no_response")]


@pytest.mark.parametrize("joined", [True, False], ids=["joined late", "lost"])
def test_http2_after_an_upgrade_whose_request_was_lost_is_read(joined):
    """RFC 7540 section 3.2: the response to the request that was upgraded is on stream 1."""
    peers = simple_exchanges(1)
    peers.head(True, 3, request_head("GET", "/three"), end=True)
    peers.flush(True)
    peers.head(False, 3, response_head(204), end=True)
    peers.flush(False)
    answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    talk = Conversation()
    talk = (talk.start_mid_stream() if joined else talk.handshake()).skip(True, 200).server(answer)
    for client, octets in peers.turns:
        talk.send(client, octets)
    found = run_frames(capture_segments(talk.segments)).exchanges

    (three,) = [x for x in found if x["request"] and x["request"]["target"] == "/three"]
    assert (three["protocol"], three["response"]["status"], three["incomplete"]) == ("http/2", 204, None)
    assert not any(x["incomplete"] == "ambiguous" for x in found)


def test_the_host_of_a_connect_with_more_than_an_authority():
    turns = [(True, b"CONNECT mail.example:25 / HTTP/1.0\r\n\r\n"), (False, b"HTTP/1.0 200 OK\r\n\r\n")]
    (exchange,) = run_frames(capture_segments(converse(turns))).exchanges

    assert exchange["request"]["host"] == "mail.example:25"


def test_another_protocols_greeting_is_no_answer():
    turns = [(True, GET), (False, b"SSH-2.0-OpenSSH_9.6\r\n")]

    assert rows(converse(turns)) == [("/next", None, "no_response")]


@pytest.mark.parametrize("lead", [b"\r\n", b"\n", b"\r\n\r\n"])
def test_empty_lines_before_the_first_request(lead):
    assert rows(converse([(True, lead + GET), (False, OK)])) == [("/next", 200, None)]


@pytest.mark.parametrize("ends", [b"\r\n", b"\r\n\r\n", b"\n\n"])
def test_http_0_9_with_empty_lines(ends):
    assert rows(converse([(True, b"GET /" + ends), (False, b"<html>")])) == [("/", 0, None)]
