"""Exchange values for tests: any octets in every place, and the values that must come back."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address, IPv6Address

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from levo.model.exchange import (
    ANOMALIES,
    INCOMPLETE_REASONS,
    Address,
    Exchange,
    Request,
    Response,
    text_of,
)
from tests.helpers.effort import scaled

TIMES = st.integers(1, 2**62)
COUNTS = st.integers(0, 2**31 - 1)
VERSIONS = ["0.9", "1.0", "1.1", "2", "3"]


def examples(count: int) -> settings:
    """*count* examples, however busy the machine is: no time limits."""
    return settings(max_examples=scaled(count), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def raw(octets: bytes) -> str:
    """Octets as ``Batch.build`` takes them, valid UTF-8 or not."""
    return octets.decode("utf-8", "surrogateescape")


def decoded(exchange: Exchange) -> Exchange:
    """*exchange* with every ``raw`` string as a reader of the record must see it."""

    def lines(section: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        return tuple((_seen(name), _seen(value)) for name, value in section)

    request, response = exchange.request, exchange.response
    if request is not None:
        request = dataclasses.replace(
            request,
            method=_seen(request.method),
            target=_seen(request.target),
            headers=lines(request.headers),
            trailers=lines(request.trailers),
        )
    if response is not None:
        response = dataclasses.replace(
            response,
            reason=_seen(response.reason),
            headers=lines(response.headers),
            trailers=lines(response.trailers),
        )
    return dataclasses.replace(exchange, request=request, response=response)


def _seen(text: str) -> str:
    return text_of(text.encode("utf-8", "surrogateescape"))


def address_text(address: IPv4Address | IPv6Address) -> str:
    """RFC 5952; Python before 3.13 writes IPv4-mapped addresses without dots."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return f"::ffff:{address.ipv4_mapped}"
    return str(address)


def octets(max_size: int = 40) -> st.SearchStrategy[str]:
    """Any octets, or text, as ``raw``."""
    return st.one_of(st.binary(max_size=max_size), st.text(max_size=max_size).map(str.encode)).map(raw)


def names() -> st.SearchStrategy[str]:
    """Field names; few different ones, so that repeats in any case are common."""
    common = st.sampled_from(["Set-Cookie", "set-cookie", "X-A", "x-a", "traceparent", "Via", "grpc-status"])
    return st.one_of(common, octets(20))


def fields() -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    return st.lists(st.tuples(names(), octets()), max_size=12).map(tuple)


def _messages() -> dict[str, st.SearchStrategy[object]]:
    return {
        "headers": fields(),
        "trailers": st.one_of(st.just(()), fields()),
        "body": st.one_of(st.just(b""), st.binary(max_size=200), st.text(max_size=200).map(str.encode)),
        "wire_body_size": st.integers(0, 2**40),
        "truncated": st.booleans(),
        "missing_bytes": st.one_of(st.just(0), COUNTS),
        "decoded": st.booleans(),
        "complete": st.booleans(),
        "start_ns": TIMES,
        "head_ns": TIMES,
        "end_ns": TIMES,
        "data_messages": st.one_of(st.just(0), COUNTS),
        "anomalies": st.sets(st.sampled_from(ANOMALIES)).map(
            lambda found: tuple(name for name in ANOMALIES if name in found)
        ),
    }


def _request(version: str) -> st.SearchStrategy[Request]:
    return st.builds(
        Request,
        method=st.one_of(st.sampled_from(["GET", "POST", "CONNECT", "get", "BREW"]), octets(10)),
        target=st.one_of(st.sampled_from(["/", "*", "http://u@h:8/p?q", "h:443"]), octets(60)),
        version=st.just(version),
        scheme=st.sampled_from(["http", "https"]),
        host=st.sampled_from(["", "example.com", "example.com:81", "[::1]:9"]),
        **_messages(),
    )


def _response(version: str) -> st.SearchStrategy[Response]:
    return st.builds(
        Response,
        status=st.just(0) | st.integers(100, 599),
        reason=octets(10),
        version=st.just(version),
        **_messages(),
    )


def exchanges() -> st.SearchStrategy[Exchange]:
    """Any exchange that ``Batch.build`` takes, with ``raw`` strings in it."""

    # Made once: to make and check a strategy takes longer than to draw from it.
    requests = {version: _request(version) for version in VERSIONS}
    responses = {version: _response(version) for version in VERSIONS}
    addresses = {version: st.ip_addresses(v=version).map(address_text) for version in (4, 6)}

    @st.composite
    def draw_one(draw: st.DrawFn) -> Exchange:
        version = draw(st.sampled_from(VERSIONS))
        protocol = draw(st.sampled_from(["http/" + version, "websocket"]))
        shape = draw(st.sampled_from(["both", "request", "response"]))
        address = addresses[draw(st.sampled_from([4, 6]))]
        return Exchange(
            client=Address(draw(address), draw(st.integers(0, 65535))),
            server=Address(draw(address), draw(st.integers(0, 65535))),
            request=draw(requests[version]) if shape != "response" else None,
            response=draw(responses[version]) if shape != "request" else None,
            protocol=protocol,
            weight=draw(st.floats(0, 1e9)),
            incomplete=draw(st.sampled_from([None, *INCOMPLETE_REASONS])),
            stream_id=draw(st.integers(0, 2**31 - 1)),
            interim=draw(st.integers(0, 255)),
            grpc=draw(st.booleans()),
        )

    return draw_one()


def simple_exchange(**changes: object) -> Exchange:
    """A small JSON exchange; *changes* are fields of Exchange."""
    start = 1_700_000_000_000_000_000
    values: dict[str, object] = {
        "client": Address("192.0.2.7", 40000),
        "server": Address("192.0.2.1", 8080),
        "request": Request(
            method="GET",
            target="/users/7?full=1",
            headers=(("Host", "api.example.com:8080"), ("Accept", "application/json")),
            start_ns=start,
            head_ns=start + 1,
            end_ns=start + 1,
        ),
        "response": Response(
            headers=(("Content-Type", "application/json"),),
            reason="OK",
            body=b'{"id": 7}',
            start_ns=start + 2_000,
            head_ns=start + 2_000,
            end_ns=start + 3_000,
        ),
    }
    return Exchange(**(values | changes))  # type: ignore[arg-type]
