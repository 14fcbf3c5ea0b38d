"""Hypothesis strategies for HTTP/1 exchanges in every framing of RFC 9112 section 6.

An ``ExchangeText`` is octets only. What they mean is left to the oracles, which read them independently.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.helpers.conversation import Turn

TOKEN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~"


@dataclass(frozen=True, slots=True)
class ExchangeText:
    """The octets of one exchange."""

    method: bytes
    request_head: bytes
    request_rest: bytes
    """Content as framed on the wire."""
    interim: bytes
    """1xx responses; sent between head and rest of the request where it expects 100-continue."""
    response: bytes
    closes: bool
    """The response ends with the connection, so no other exchange may follow."""

    @property
    def request(self) -> bytes:
        return self.request_head + self.request_rest


tokens = st.text(TOKEN, min_size=1, max_size=12)
values = st.text("".join(chr(c) for c in range(0x20, 0x7F)), max_size=30).map(str.strip)
extra_fields = st.lists(st.tuples(tokens.map(lambda name: "X-" + name), values), max_size=4)

contents = st.one_of(
    st.just(b""),
    st.binary(max_size=300),
    st.text(max_size=60).map(str.encode),
    st.sampled_from(
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
            b"GET /inside HTTP/1.1\r\nHost: body\r\n\r\n",
            b"0\r\n\r\n",
            b"\0" * 40,
            b"\r\n\r\n",
            b'{"a":1}',
            b"x" * 5000,
        ]
    ),
)
segments = st.text("abcdefghijklmnopqrstuvwxyz0123456789-._~%", min_size=1, max_size=8)
targets = st.one_of(
    st.just("/"),
    st.lists(
        st.text("abcdefghijklmnopqrstuvwxyz0123456789-._~%", min_size=1, max_size=8), min_size=1, max_size=4
    ).map(lambda parts: "/" + "/".join(parts)),
    st.tuples(tokens, tokens).map(lambda p: f"/search?q={p[0]}&page={p[1]}"),
    tokens.map(lambda t: f"http://proxy.example/{t}"),
    st.just("*"),
)
methods = st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])


@st.composite
def chunked(draw: st.DrawFn, content: bytes) -> bytes:
    """*content* in the chunked transfer coding, cut anywhere, with extensions and trailers."""
    cuts = draw(st.lists(st.integers(0, len(content)), max_size=4))
    edges = sorted({0, len(content), *cuts})
    out = b""
    extension = st.sampled_from([b"", b";n=v", b";a", b';q="x y"', b";a=b;c=d"])
    for start, end in itertools.pairwise(edges):
        size = draw(st.sampled_from([b"%x", b"%X", b"0%x"])) % (end - start)
        out += size + draw(extension) + b"\r\n" + content[start:end] + b"\r\n"
    trailers = draw(st.lists(st.tuples(tokens, values), max_size=2))
    out += b"0" + draw(extension) + b"\r\n"
    out += b"".join(f"X-T-{name}: {value}\r\n".encode() for name, value in trailers)
    return out + b"\r\n"


def _lines(start: str, fields: list[tuple[str, str]]) -> bytes:
    return "".join([start, "\r\n", *(f"{name}: {value}\r\n" for name, value in fields), "\r\n"]).encode()


@st.composite
def _requests(draw: st.DrawFn, method: str) -> tuple[bytes, bytes, bool]:
    """(head, framed content, expects 100-continue) of a request."""
    fields = [("Host", draw(st.sampled_from(["a.example", "b.example:8080"]))), *draw(extra_fields)]
    framed, expects = b"", False
    if method in ("POST", "PUT", "PATCH", "DELETE"):
        content = draw(contents)
        if draw(st.booleans()):
            fields.append(("Transfer-Encoding", "chunked"))
            framed = draw(chunked(content))
        else:
            fields.append(("Content-Length", str(len(content))))
            framed = content
        if framed and draw(st.integers(0, 4)) == 0:
            expects = True
            fields.append(("Expect", "100-continue"))
    return _lines(f"{method} {draw(targets)} HTTP/1.1", fields), framed, expects


@st.composite
def _responses(draw: st.DrawFn, method: str, may_close: bool) -> tuple[bytes, bool]:
    """(octets, ends with the connection) of a final response."""
    status = draw(st.sampled_from([200, 200, 200, 201, 204, 206, 301, 304, 400, 404, 500]))
    fields = draw(extra_fields)
    content = draw(contents)
    closes, framed = False, b""
    framing = draw(st.sampled_from(["length", "chunked", "close" if may_close else "length"]))
    if status == 204:
        pass
    elif framing == "length":
        fields = [*fields, ("Content-Length", str(len(content)))]
        framed = content
    elif framing == "chunked":
        fields = [("Transfer-Encoding", "chunked"), *fields]
        framed = draw(chunked(content))
    else:
        fields = [*fields, ("Connection", "close")]
        closes, framed = True, content
    if method == "HEAD" or status in (204, 304):
        framed = b""
    reason = draw(st.sampled_from(["OK", "", "Not Found", "Non-Authoritative Information"]))
    version = "1.0" if closes and draw(st.booleans()) else "1.1"
    return _lines(f"HTTP/{version} {status} {reason}", fields) + framed, closes


@st.composite
def exchange_texts(draw: st.DrawFn, *, last: bool = False) -> ExchangeText:
    """One exchange. Only the *last* of a connection may end by closing it."""
    method = draw(methods)
    head, content, expects = draw(_requests(method))
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" if expects else b""
    if draw(st.integers(0, 9)) == 0:
        interim += b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
    response, closes = draw(_responses(method, last))
    return ExchangeText(method.encode(), head, content, interim, response, closes)


@st.composite
def connections(draw: st.DrawFn, *, most: int = 4) -> list[ExchangeText]:
    """The exchanges of one connection; only its last may end by closing."""
    count = draw(st.integers(1, most))
    return [draw(exchange_texts(last=i == count - 1)) for i in range(count)]


def turns_of(exchanges: list[ExchangeText], *, pipelined: int = 1) -> list[Turn]:
    """Who speaks when, with up to *pipelined* requests sent before their answers.

    A request that waits for 100 Continue is never pipelined.
    """
    turns: list[Turn] = []
    at = 0
    while at < len(exchanges):
        group = exchanges[at : at + pipelined]
        first_interim = next((i for i, x in enumerate(group) if x.interim), len(group))
        group = group[: max(1, first_interim)]
        at += len(group)
        if group[0].interim:
            (x,) = group
            turns += [(True, x.request_head), (False, x.interim), (True, x.request_rest), (False, x.response)]
        else:
            turns.append((True, b"".join(x.request for x in group)))
            turns.append((False, b"".join(x.response for x in group)))
    return [turn for turn in turns if turn[1]]


def stream_of(turns: list[Turn], from_client: bool) -> bytes:
    """All octets of one direction."""
    return b"".join(octets for side, octets in turns if side == from_client)
