"""HTTP/1.1 messages of the demo: built, written to octets, and read back from an asyncio stream."""

from asyncio import StreamReader
from dataclasses import dataclass, field

from levo.errors import LevoError

MAX_HEAD_BYTES = 16_384
MAX_BODY_BYTES = 1_000_000
CHUNK_BYTES = 1_200

REASONS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    303: "See Other",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    500: "Internal Server Error",
}

Headers = tuple[tuple[str, str], ...]


class MessageError(LevoError):
    """A message that the sample API does not understand; it answers 400 and closes."""


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """One request, framed by Content-Length whenever it has a body."""

    method: str
    target: str
    """Origin form: path and query (RFC 9112 section 3.2.1)."""
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str:
        """First value of *name* (any case), or the empty string."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")

    def wire(self) -> bytes:
        head = [
            f"{self.method} {self.target} HTTP/1.1",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        if self.body:
            head.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + self.body


@dataclass(frozen=True, slots=True)
class Response:
    """One final response; ``chunked`` chooses the framing of the body."""

    status: int
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    chunked: bool = False

    def wire(self) -> bytes:
        head = [
            f"HTTP/1.1 {self.status} {REASONS[self.status]}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        bodiless = self.status in (204, 304)
        chunked = self.chunked and not bodiless
        if chunked:
            head.append("Transfer-Encoding: chunked")
        elif not bodiless:
            head.append(f"Content-Length: {len(self.body)}")
        return (
            "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + (_chunks(self.body) if chunked else self.body)
        )


def _chunks(body: bytes) -> bytes:
    """The chunked coding of *body* (RFC 9112 section 7.1)."""
    pieces = [body[at : at + CHUNK_BYTES] for at in range(0, len(body), CHUNK_BYTES)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


async def read_request(reader: StreamReader) -> SampleRequest | None:
    """The next request on a keep-alive connection; None at its end.

    Raises:
        MessageError: no request line, a head or body above the limits.
    """
    head = await _read_head(reader)
    if head is None:
        return None
    start, headers = head
    parts = start.split(" ")
    if len(parts) != 3:
        raise MessageError("sample API: not a request line")
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    if any(name.lower() == "transfer-encoding" for name, _ in headers) or len(lengths) > 1:
        raise MessageError("sample API: request bodies need one Content-Length")
    body = await reader.readexactly(_length(lengths[0])) if lengths else b""
    return SampleRequest(parts[0], parts[1], headers, body)


async def read_response(reader: StreamReader) -> int:
    """Read one response of the sample API to its end and return its status.

    Raises:
        MessageError: the connection ended early, or the response is none of ours.
    """
    head = await _read_head(reader)
    if head is None:
        raise MessageError("traffic: the sample API closed the connection")
    start, headers = head
    status = int(start.split(" ")[1])
    fields = {name.lower(): value for name, value in headers}
    if fields.get("transfer-encoding") == "chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    elif "content-length" in fields:
        await reader.readexactly(_length(fields["content-length"]))
    return status


async def _read_head(reader: StreamReader) -> tuple[str, Headers] | None:
    first = await reader.readline()
    if not first:
        return None
    lines, size = [first], len(first)
    while lines[-1] not in (b"\r\n", b"\n", b""):
        lines.append(await reader.readline())
        size += len(lines[-1])
        if size > MAX_HEAD_BYTES:
            raise MessageError(f"sample API: more than {MAX_HEAD_BYTES} octets of header")
    start, *rest = [line.decode("latin-1").rstrip("\r\n") for line in lines]
    pairs = (line.partition(":") for line in rest if line)
    return start, tuple((name, value.strip()) for name, _, value in pairs)


def _length(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > MAX_BODY_BYTES:
        raise MessageError(f"sample API: Content-Length must be a number up to {MAX_BODY_BYTES}")
    return int(text)
