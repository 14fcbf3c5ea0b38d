"""Cases about HTTP/1 framing and pairing on a path without loss."""

from __future__ import annotations

from tests.cases.case import Case, Expected, chunked, exchange, get, ok, post
from tests.helpers.conversation import Conversation, Turn, converse
from tests.helpers.packets import capture_segments

ANCESTOR = "A defect of an earlier sensor of this kind"


def _case(
    name: str,
    purpose: str,
    origin: str,
    turns: list[Turn],
    exchanges: list[Expected],
    *,
    close: bool = True,
    **statistics: int,
) -> Case:
    return Case(name, purpose, origin, capture_segments(converse(turns, close=close)), exchanges, statistics)


def head_with_length() -> Case:
    head = get("/head").replace(b"GET", b"HEAD")
    return _case(
        "head-with-content-length",
        "The answer to HEAD names a length and a transfer coding that have no content; the "
        "next answer follows.",
        f"{ANCESTOR}: octets behind such an answer are taken as its body. RFC 9112 section 6.3.",
        [
            (True, head),
            (False, b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
            (True, head),
            (False, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            (True, get("/after")),
            (False, ok(b"after")),
        ],
        [
            exchange("/head", "", method="HEAD", response={"body_size": 0}),
            exchange("/head", "", method="HEAD", response={"body_size": 0}),
            exchange("/after", "after"),
        ],
    )


def no_content_statuses() -> Case:
    return _case(
        "204-and-304-with-content-length",
        "204 and 304 never have content, whatever their fields say.",
        "RFC 9112 section 6.3, rule 1.",
        [
            (True, get("/204")),
            (False, b"HTTP/1.1 204 No Content\r\nContent-Length: 11\r\n\r\n"),
            (True, get("/304")),
            (False, b'HTTP/1.1 304 Not Modified\r\nContent-Length: 900\r\nETag: "x"\r\n\r\n'),
            (True, get("/200")),
            (False, ok(b"here")),
        ],
        [
            exchange("/204", "", status=204),
            exchange("/304", "", status=304),
            exchange("/200", "here"),
        ],
    )


def hundred_continue() -> Case:
    plain, odd = b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Go on please\r\nDate: now\r\nX: y\r\n\r\n"
    request = post("/upload", b"content", "Expect: 100-continue")
    turns: list[Turn] = []
    for interim in (plain, odd, plain + odd + plain):
        turns += [(True, request[:-7]), (False, interim), (True, request[-7:]), (False, ok(b"stored"))]
    done = exchange("/upload", "stored", method="POST", request={"body": "content"})
    return _case(
        "100-continue",
        "Interim responses of several lengths and numbers stand before the final one.",
        "Another program takes an interim response to be 25 octets; an earlier sensor loses the final one. "
        "RFC 9110 section 15.2.",
        turns,
        [done | {"interim": 1}, done | {"interim": 1}, done | {"interim": 3}],
    )


def expectation_refused() -> Case:
    head = post("/refused", b"content", "Expect: 100-continue")[:-7]
    return _case(
        "expectation-refused",
        "The server refuses at once and the client never sends the announced content, then goes on.",
        "RFC 9110 section 10.1.1.",
        [
            (True, head),
            (False, ok(b"too big", "Connection: close", status="413 Content Too Large")),
        ],
        [exchange("/refused", "too big", method="POST", status=413, incomplete="request_cut")],
    )


def pipelined() -> Case:
    paths = ["/p1", "/p2", "/p3", "/p4"]
    return _case(
        "pipelining",
        "Four requests in one segment, among them HEAD and POST; the four answers in one segment.",
        f"{ANCESTOR}: pipelined requests share one key. RFC 9112 section 9.3.2.",
        [
            (
                True,
                get(paths[0])
                + get(paths[1]).replace(b"GET", b"HEAD")
                + post(paths[2], b"posted")
                + get(paths[3]),
            ),
            (
                False,
                ok(b"1")
                + b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n"
                + ok(b"3")
                + b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + chunked(b"fo", b"ur"),
            ),
        ],
        [
            exchange(paths[0], "1"),
            exchange(paths[1], "", method="HEAD"),
            exchange(paths[2], "3", method="POST", request={"body": "posted"}),
            exchange(paths[3], "four"),
        ],
    )


def sliding_pipeline() -> Case:
    turns: list[Turn] = [(True, get("/0") + get("/1"))]
    for i in range(2, 8):
        turns += [(False, ok(b"%d" % (i - 2))), (True, get(f"/{i}"))]
    turns += [(False, ok(b"6") + ok(b"7"))]
    return _case(
        "pipeline-kept-full",
        "The client keeps two requests outstanding: each answer is followed by one more request.",
        "RFC 9112 section 9.3.2.",
        turns,
        [exchange(f"/{i}", str(i)) for i in range(8)],
    )


def chunk_syntax() -> Case:
    content = (
        b'5;name=value\r\nhello\r\n001 ; x="a;b"\r\n \r\nA\r\n0123456789\r\n0;last\r\n'
        b"X-Checksum: 7\r\nX-Other: 8\r\n\r\n"
    )
    return _case(
        "chunk-extensions-and-trailers",
        "Chunk extensions, leading zeros, capital hex digits and a trailer section, in both directions.",
        "RFC 9112 section 7.1.",
        [
            (
                True,
                b"PUT /chunks HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n" + content,
            ),
            (False, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + content),
            (True, get("/after")),
            (False, ok(b"after")),
        ],
        [
            exchange(
                "/chunks",
                "hello 0123456789",
                method="PUT",
                request={"body": "hello 0123456789", "trailers": [["X-Checksum", "7"], ["X-Other", "8"]]},
                response={"trailers": [["X-Checksum", "7"], ["X-Other", "8"]], "wire_body_size": 16},
            ),
            exchange("/after", "after"),
        ],
    )


def body_looks_like_http() -> Case:
    inside = get("/inside") + ok(b"not me")
    return _case(
        "content-that-looks-like-messages",
        "Bodies that hold whole requests and responses are content.",
        f"{ANCESTOR}: the buffer is searched for methods anywhere.",
        [
            (True, post("/outer", inside)),
            (False, ok(inside)),
            (True, get("/after")),
            (False, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(inside, b"0\r\n\r\n")),
        ],
        [
            exchange("/outer", inside.decode(), method="POST", request={"body": inside.decode()}),
            exchange("/after", inside.decode() + "0\r\n\r\n"),
        ],
    )


def close_delimited() -> Case:
    return _case(
        "close-delimited",
        "An HTTP/1.0 answer without a length ends with the connection.",
        "RFC 9112 section 6.3, rule 8.",
        [
            (True, b"GET /old HTTP/1.0\r\n\r\n"),
            (False, b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil "),
            (False, b"the end"),
        ],
        [exchange("/old", "until the end", request={"version": "1.0"}, response={"version": "1.0"})],
    )


def close_delimited_reset() -> Case:
    talk = Conversation().handshake().client(get("/old")).server(b"HTTP/1.1 200 OK\r\n\r\nnot all").rst(False)
    return Case(
        "close-delimited-by-reset",
        "A body that should end with FIN ends with RST: it may be cut, and the exchange says so.",
        "RFC 9112 section 8: only a clean close completes such a message.",
        capture_segments(talk.segments),
        [exchange("/old", "not all", incomplete="response_cut")],
    )


def connect_tunnel() -> Case:
    inner = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200))
    return _case(
        "connect-tunnel",
        "After a successful CONNECT the octets belong to a tunnel: no body, no further exchanges from them.",
        f"{ANCESTOR}: answers to CONNECT are framed like others. RFC 9110 section 9.3.6.",
        [
            (True, b"CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n"),
            (False, b"HTTP/1.1 200 Connection established\r\nContent-Length: 10\r\n\r\n"),
            (True, inner),
            (False, inner),
        ],
        [exchange("db.example:5432", None, method="CONNECT")],
    )


def connect_refused() -> Case:
    return _case(
        "connect-refused",
        "A CONNECT that fails is answered like any request, and the connection goes on.",
        "RFC 9110 section 9.3.6.",
        [
            (True, b"CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n"),
            (False, ok(b"no", status="407 Proxy Authentication Required")),
            (True, get("http://site.example/")),
            (False, ok(b"yes")),
        ],
        [
            exchange("db.example:5432", "no", method="CONNECT", status=407),
            exchange("http://site.example/", "yes", request={"host": "site.example", "path": "/"}),
        ],
    )


def upgrade() -> Case:
    return _case(
        "upgrade-to-another-protocol",
        "After 101 the connection speaks another protocol; its octets are no HTTP/1 messages.",
        f"{ANCESTOR}: frames behind 101 are searched for methods. RFC 9110 section 7.8.",
        [
            (True, get("/chat", "Connection: Upgrade", "Upgrade: private/1")),
            (False, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: private/1\r\n\r\n"),
            (True, get("/not-a-request")),
            (False, ok(b"not a response")),
        ],
        [exchange("/chat", None, status=101)],
    )


def short_status_line() -> Case:
    return _case(
        "status-line-without-reason",
        "Status lines that end behind the status code, with and without the space.",
        f"{ANCESTOR}: a status line without its second space is refused. RFC 9112 section 4.",
        [
            (True, get("/s1")),
            (False, b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\ns1"),
            (True, get("/s2")),
            (False, b"HTTP/1.1 404 \r\nContent-Length: 2\r\n\r\ns2"),
        ],
        [
            exchange("/s1", "s1", response={"reason": ""}),
            exchange("/s2", "s2", status=404, response={"reason": ""}),
        ],
    )


def unknown_methods() -> Case:
    turns: list[Turn] = []
    expected = []
    for method in ("PROPFIND", "M-SEARCH", "purge", "X_CUSTOM"):
        turns += [(True, get("/m").replace(b"GET", method.encode())), (False, ok(method.encode()))]
        expected.append(exchange("/m", method, method=method))
    return _case(
        "other-methods",
        "A method is any token and its case matters.",
        f"{ANCESTOR}: nine methods are known. RFC 9110 section 9.1.",
        turns,
        expected,
    )


def long_target() -> Case:
    target = "/long?" + "q=0123456789&" * 600
    return _case(
        "long-target",
        "A request target of 7,800 octets over several segments.",
        f"{ANCESTOR}: targets above 4,000 octets are not seen. RFC 9112 section 3 asks for 8,000.",
        [(True, get(target)), (False, ok(b"long"))],
        [exchange(target, "long", request={"path": "/long"})],
    )


def repeated_fields() -> Case:
    return _case(
        "fields-in-order-with-repeats",
        "Field lines keep order, spelling and repeats; values lose the spaces around them only.",
        f"{ANCESTOR}: a repeated field keeps its first value. RFC 9110 section 5.3.",
        [
            (
                True,
                b"GET /f HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a:2\r\n"
                b"X-B:  two words\t\r\nX-A: 3\r\nX-E:\r\n\r\n",
            ),
            (False, b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n"),
        ],
        [
            exchange(
                "/f",
                "",
                request={
                    "headers": [
                        ["Host", "h"],
                        ["X-A", "1"],
                        ["x-a", "2"],
                        ["X-B", "two words"],
                        ["X-A", "3"],
                        ["X-E", ""],
                    ]
                },
                response={"headers": [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"], ["Content-Length", "0"]]},
            )
        ],
    )


def bare_line_feeds() -> Case:
    return _case(
        "bare-line-feeds",
        "Lines end in LF alone, in both directions and in chunk lines.",
        "RFC 9112 section 2.2: a recipient may take a single LF as the end of a line.",
        [
            (True, b"POST /lf HTTP/1.1\nHost: h\nContent-Length: 2\n\nlf"),
            (False, b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nok\n0\n\n"),
            (True, get("/after")),
            (False, ok(b"after")),
        ],
        [
            exchange("/lf", "ok", method="POST", request={"body": "lf"}),
            exchange("/after", "after"),
        ],
    )


def folded_field() -> Case:
    return _case(
        "folded-field",
        "A field value continues on the next line (obs-fold).",
        "RFC 9112 section 5.2: the fold is replaced by spaces.",
        [
            (True, b"GET /fold HTTP/1.1\r\nHost: h\r\nX-Fold: one\r\n  two\r\nX-Next: n\r\n\r\n"),
            (False, ok(b"ok")),
        ],
        [exchange("/fold", "ok", request={"anomalies": ["folded"]})],
    )


def length_and_chunked() -> Case:
    return _case(
        "content-length-and-chunked",
        "A request names both framings: the transfer coding rules, and the exchange carries the anomaly.",
        "RFC 9112 section 6.3, rule 3: possibly request smuggling.",
        [
            (
                True,
                b"POST /both HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
                + chunked(b"abc")
                + get("/second"),
            ),
            (False, ok(b"one") + ok(b"two")),
        ],
        [
            exchange(
                "/both", "one", method="POST", request={"body": "abc", "anomalies": ["length_and_chunked"]}
            ),
            exchange("/second", "two"),
        ],
    )


def equal_lengths() -> Case:
    return _case(
        "content-length-twice",
        "Content-Length is repeated with equal values, as two fields and as one list.",
        "RFC 9110 section 8.6.",
        [
            (True, b"POST /t HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
            (False, b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok"),
            (True, get("/after")),
            (False, ok(b"after")),
        ],
        [
            exchange("/t", "ok", method="POST", request={"body": "abc"}),
            exchange("/after", "after"),
        ],
    )


def empty_lines() -> Case:
    return _case(
        "empty-lines-between-messages",
        "Empty lines stand before a request line, left over from an earlier body.",
        "RFC 9112 section 2.2.",
        [
            (True, get("/e1") + b"\r\n"),
            (False, ok(b"e1")),
            (True, b"\r\n\r\n" + get("/e2")),
            (False, ok(b"e2")),
        ],
        [exchange("/e1", "e1"), exchange("/e2", "e2")],
    )


def early_response() -> Case:
    request = post("/early", b"0123456789")
    return _case(
        "response-before-the-request-ends",
        "The server answers while the client still sends; the client completes its request and goes on.",
        "RFC 9110 section 7.5.",
        [
            (True, request[:-5]),
            (False, ok(b"early")),
            (True, request[-5:] + get("/next")),
            (False, ok(b"next")),
        ],
        [
            exchange("/early", "early", method="POST", request={"body": "0123456789"}),
            exchange("/next", "next"),
        ],
    )


def no_content_type() -> Case:
    return _case(
        "no-content-type",
        "Messages without or with an odd Content-Type keep their content.",
        f"{ANCESTOR}: they are discarded whole.",
        [
            (True, post("/n", b"n1", "Content-Type: ;;")),
            (False, ok(b'{"n":1}')),
        ],
        [exchange("/n", '{"n":1}', method="POST", request={"body": "n1"})],
    )


def opaque_protocol() -> Case:
    greeting = b"\x4a\x00\x00\x00\x0a8.0.30\x00" + bytes(range(60))
    turns: list[Turn] = [(False, greeting)]
    for i in range(40):
        turns += [(True, bytes([i]) * 120), (False, bytes(reversed(range(250))))]
    return _case(
        "another-protocol",
        "A database protocol in which the server speaks first: nothing is made up, every "
        "octet is counted opaque.",
        f"{ANCESTOR}: such flows are searched for methods for ever.",
        turns,
        [],
        connections_opaque=1,
        connections_http1=0,
        exchanges_begun=0,
    )


def encrypted() -> Case:
    hello = b"\x16\x03\x01\x00\x2e\x01\x00\x00\x2a\x03\x03" + bytes(32) + b"\x00\x00\x02\x13\x01\x01\x00"
    return _case(
        "tls",
        "A TLS connection yields no exchange and is counted.",
        "RFC 8446.",
        [
            (True, hello),
            (False, b"\x16\x03\x03\x00\x05\x02\x00\x00\x01\x00" + b"\x17\x03\x03\x00\x40" + bytes(64)),
        ],
        [],
        exchanges_begun=0,
        connections_http1=0,
    )


def left_open() -> Case:
    return _case(
        "capture-ends-inside-a-response",
        "The capture ends while a response of known length is under way.",
        "Nothing is lost silently: what is held is reported at the end.",
        [(True, get("/whole")), (False, ok(b"whole")), (True, get("/open")), (False, ok(b"0123456789")[:-6])],
        [exchange("/whole", "whole"), exchange("/open", "0123", incomplete="still_open")],
        close=False,
    )


MAKERS = [
    head_with_length,
    no_content_statuses,
    hundred_continue,
    expectation_refused,
    pipelined,
    sliding_pipeline,
    chunk_syntax,
    body_looks_like_http,
    close_delimited,
    close_delimited_reset,
    connect_tunnel,
    connect_refused,
    upgrade,
    short_status_line,
    unknown_methods,
    long_target,
    repeated_fields,
    bare_line_feeds,
    folded_field,
    length_and_chunked,
    equal_lengths,
    empty_lines,
    early_response,
    no_content_type,
    opaque_protocol,
    encrypted,
    left_open,
]
