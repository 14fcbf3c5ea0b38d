import asyncio

import h11
import pytest

from levo.demo.messages import MessageError, Response, SampleRequest, read_request, read_response


def as_h11_reads(
    octets: bytes, role: type[h11.CLIENT] | type[h11.SERVER], request_method: bytes = b"GET"
) -> tuple:
    """(start, headers, body) of one message by h11; *role* is who reads."""
    reader = h11.Connection(role)
    if role is h11.CLIENT:
        reader.send(h11.Request(method=request_method, target="/", headers=[("Host", "x")]))
        reader.send(h11.EndOfMessage())
    reader.receive_data(octets)
    head, body = reader.next_event(), b""
    while isinstance(event := reader.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    return head, body


@pytest.mark.parametrize("body", [b"", b"x", b"y" * 5_000])
def test_a_request_is_read_by_h11_as_it_was_built(body: bytes) -> None:
    request = SampleRequest("POST", "/a?b=c", (("Host", "shop.example"), ("X-One", "1")), body)

    head, read_body = as_h11_reads(request.wire(), h11.SERVER)

    assert (head.method, head.target, read_body) == (b"POST", b"/a?b=c", body)
    assert (b"x-one", b"1") in list(head.headers)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("body", [b"", b"x", b"y" * 5_000])
def test_a_response_is_read_by_h11_as_it_was_built(body: bytes, chunked: bool) -> None:
    head, read_body = as_h11_reads(Response(201, (("X-One", "1"),), body, chunked).wire(), h11.CLIENT)

    assert (head.status_code, read_body) == (201, body)


def test_a_204_has_no_framing_fields() -> None:
    head, body = as_h11_reads(Response(204, (), b"ignored", chunked=True).wire(), h11.CLIENT)

    assert body == b"" and not list(head.headers)


def read(octets: bytes, count: int = 1) -> list[SampleRequest | None]:
    async def main() -> list[SampleRequest | None]:
        reader = asyncio.StreamReader()
        reader.feed_data(octets)
        reader.feed_eof()
        return [await read_request(reader) for _ in range(count)]

    return asyncio.run(main())


def test_requests_on_one_connection_are_read_back_in_order() -> None:
    requests = [SampleRequest("POST", f"/{n}", (("Host", "h"),), b"z" * n) for n in range(3)]

    *found, end = read(b"".join(request.wire() for request in requests), 4)

    assert [(r.method, r.target, r.body) for r in found] == [(r.method, r.target, r.body) for r in requests]
    assert end is None


@pytest.mark.parametrize(
    "octets",
    [
        b"nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5_000,
    ],
    ids=["no request line", "huge body", "negative", "two lengths", "chunked", "huge head"],
)
def test_what_the_sample_api_does_not_take_raises(octets: bytes) -> None:
    with pytest.raises(MessageError):
        read(octets)


@pytest.mark.parametrize("chunked", [False, True])
def test_the_client_reads_exactly_one_response(chunked: bool) -> None:
    async def main() -> list[int]:
        reader = asyncio.StreamReader()
        for status in (200, 204, 404):
            reader.feed_data(Response(status, (), b"b" * 3_000, chunked).wire())
        return [await read_response(reader) for _ in range(3)]

    assert asyncio.run(main()) == [200, 204, 404]
