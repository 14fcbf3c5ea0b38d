"""An HTTP exchange as a frozen Python value: the form that crosses folder boundaries.

The engine works on C records; these values are made from them on demand (``Batch.exchanges``) and can be
turned back (``Batch.build``). ``to_json`` and ``from_json`` are the JSON Lines form of the specification.

How octets become text, everywhere the same (these values, JSON Lines, OTLP):

* Names, values, targets, hosts and reason phrases are decoded as UTF-8; where they are not valid UTF-8, each
  octet becomes the character of its number (ISO-8859-1, RFC 9110 section 5.5). Nothing is lost or replaced.
* A body is text when it is valid UTF-8 and holds no control octets apart from TAB, LF, VT, FF, CR and ESC;
  otherwise it is binary. Where a body was cut, an incomplete last character is left out of its text.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Any

INCOMPLETE_REASONS = (
    "no_request",
    "no_response",
    "request_gap",
    "response_gap",
    "request_cut",
    "response_cut",
    "ambiguous",
    "evicted",
    "unsampled_body",
    "mid_stream",
    "reset_stream",
    "still_open",
)
"""Why an exchange is not whole; position + 1 is the engine's number (``Incomplete`` in ``types.pxd``)."""

ANOMALIES = (
    "length_and_chunked",
    "lengths_differ",
    "bad_length",
    "bad_chunk",
    "bare_lf",
    "folded",
    "bad_field",
    "bad_transfer_coding",
    "bad_status",
    "head_cut",
)
"""Anomalies of a message's framing and status line, and a head that was not captured whole (``head_cut``).
The position is the bit in the engine (``Anomaly`` in ``types.pxd``)."""

GRPC_STREAMING = ("", "client", "server", "bidirectional")
"""Sides of a gRPC call that sent more than one message; the position is the engine's two bits for it."""

HOPS = ("", "inner", "outer")
"""Which side of a proxy an exchange is; the position is the engine's number (``HopSide``)."""

DIRECTIONS = ("", "inbound", "outbound", "")
"""Who opened the connection, seen from the sensor's host; the position is the engine's number (``Heading``).
Both ends on that host are neither."""

_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def text_of(octets: bytes) -> str:
    """Decode the octets of a name, value or target: UTF-8 where valid, else ISO-8859-1. Never fails."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def body_text_of(body: bytes, cut: bool = False) -> str | None:
    """The text of a body by the rule above, or None when it is binary. *cut*: its end may be missing."""
    if _CONTROL.search(body):
        return None
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        if cut and error.reason == "unexpected end of data":
            return body[: error.start].decode("utf-8")
        return None


@dataclass(frozen=True, slots=True)
class Address:
    """One end of a connection."""

    address: str = ""
    """IPv4 or IPv6 in text form (RFC 5952), never a name."""
    port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What requests and responses share."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """(name as sent, value) in wire order, repeats kept; HTTP/2 pseudo-header fields are not among them."""
    trailers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Trailer section, in the same form."""
    body: bytes = field(default=b"", repr=False)
    """Content as far as it was captured and kept; transfer codings undone, content codings if ``decoded``."""
    body_size: int = -1
    """Octets of content after decoding: the length of ``body`` if ``decoded``, else ``wire_body_size``;
    filled in when not given."""
    wire_body_size: int = -1
    """Octets of content as framed, seen or not, before content decoding. Not given: body + missing octets."""
    truncated: bool = False
    """``body`` ends early: cut at a size limit, for memory, or where a content coding broke off."""
    missing_bytes: int = 0
    """Octets of content (as framed) that the capture never saw."""
    decoded: bool = False
    """At least one content coding was undone."""
    complete: bool = True
    """The message ended as its framing says."""
    version: str = "1.1"
    """HTTP version: ``1.0``, ``1.1``, ``2``, ``0.9`` ..."""
    start_ns: int = 0
    """Capture time of the first octet, nanoseconds since the Unix epoch."""
    head_ns: int = 0
    """Capture time of the octet that completed the head."""
    end_ns: int = 0
    """Capture time of the last octet seen."""
    data_messages: int = 0
    """gRPC or WebSocket messages counted in this direction."""
    data_message_bytes: int = 0
    """Octets in them."""
    text_messages: int = 0
    """WebSocket: those of ``data_messages`` that are text."""
    control_frames: int = 0
    """WebSocket: pings, pongs and closes."""
    anomalies: tuple[str, ...] = ()
    """Members of ``ANOMALIES``, in that order."""

    def __post_init__(self) -> None:
        if self.wire_body_size < 0:
            object.__setattr__(self, "wire_body_size", len(self.body) + self.missing_bytes)
        if self.body_size < 0:
            object.__setattr__(self, "body_size", len(self.body) if self.decoded else self.wire_body_size)

    @property
    def body_text(self) -> str | None:
        """The body as text, or None when it is binary."""
        return body_text_of(self.body, self.truncated or self.missing_bytes > 0)

    def header(self, name: str) -> str | None:
        """Value of the first header field of that name (any case), or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def _json(self) -> dict[str, object]:
        text = self.body_text
        out: dict[str, object] = {"headers": [list(line) for line in self.headers]}
        if text is None:
            out |= {"body": base64.b64encode(self.body).decode("ascii"), "body_encoding": "base64"}
        else:
            out["body"] = text
        out |= {
            "body_size": self.body_size,
            "wire_body_size": self.wire_body_size,
            "truncated": self.truncated,
            "missing_bytes": self.missing_bytes,
        }
        if self.trailers:
            out["trailers"] = [list(line) for line in self.trailers]
        if self.data_messages:
            out |= {"data_messages": self.data_messages, "data_message_bytes": self.data_message_bytes}
        if self.text_messages or self.control_frames:
            out |= {"text_messages": self.text_messages, "control_frames": self.control_frames}
        if self.anomalies:
            out["anomalies"] = list(self.anomalies)
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Message):
    """A request. ``scheme``, ``host``, ``path`` and ``query`` are derived from target and fields."""

    method: str = "GET"
    """As sent; case-sensitive (RFC 9110 section 9.1)."""
    target: str = field(default="/", repr=False)
    """Request target as sent, in any of its four forms (RFC 9112 section 3.2); HTTP/2: the ``:path``."""
    scheme: str = "http"
    """HTTP/2's ``:scheme``, else of an absolute-form target, else how it was carried: ``http``, ``https``."""
    host: str = ""
    """Host, with port where sent: HTTP/2's ``:authority``, else of the target, else the Host field."""
    path: str = field(default="/", repr=False)
    """Path of the target without the query; empty for the authority-form of CONNECT."""
    query: str = field(default="", repr=False)
    """Behind the first ``?`` of the target; empty when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response(Message):
    """A final response (or the last interim one when no final response came)."""

    status: int = 200
    """100 to 599, or 0 without a valid status code: anomaly ``bad_status``, or HTTP/0.9, which has none."""
    reason: str = ""
    """Reason phrase; empty in HTTP/2. With ``bad_status``, what stands in the place of the status code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its final response."""

    client: Address = Address()
    server: Address = Address()
    request: Request | None = None
    response: Response | None = None
    start_ns: int = 0
    """Capture time of the first octet of the earlier message, nanoseconds since the Unix epoch."""
    end_ns: int = 0
    """Capture time of the last octet of the later message; never before ``start_ns``."""
    protocol: str = "http/1.1"
    """``http/`` and the version of the request (else of the response), ``websocket``."""
    weight: float = 1.0
    """How many exchanges this one stands for."""
    incomplete: str | None = None
    """A member of ``INCOMPLETE_REASONS``, or None when the exchange is whole."""
    stream_id: int = 0
    """HTTP/2 stream; 0 elsewhere."""
    interim: int = 0
    """Interim (1xx) responses seen before the final one."""
    grpc: bool = False
    """A gRPC call."""
    grpc_streaming: str = ""
    """Which sides of it sent more than one message: ``client``, ``server``, ``bidirectional`` or empty."""
    grpc_compressed: bool = False
    """At least one of its messages had the compressed flag set."""
    peer: Address | None = None
    """Who sent the packets for ``client``, where a PROXY header named that one: a load balancer."""
    direction: str = ""
    """``inbound`` or ``outbound``, seen from the sensor's host; empty when that is not known."""
    hop: str = ""
    """``outer`` or ``inner``, where the same request was seen on the other side of a proxy; else empty."""
    hops_merged: int = 0
    """Exchanges on the other side of proxies that were merged into this one."""

    def to_json(self) -> dict[str, object]:
        """The object of one line of ``--output jsonl``.

        Members beyond the specification stand only where they say something: ``peer``, ``direction``,
        ``hop``, ``hops_merged``, ``stream_id``, ``interim``, ``grpc`` with ``grpc_streaming`` and
        ``grpc_compressed``, and per message ``trailers``, ``data_messages`` with ``data_message_bytes``,
        ``anomalies``.
        """
        request = response = None
        if self.request is not None:
            r = self.request
            request = {
                "method": r.method,
                "target": r.target,
                "scheme": r.scheme,
                "host": r.host,
                "path": r.path,
                "query": r.query,
                "version": r.version,
            } | r._json()
        if self.response is not None:
            s = self.response
            response = {"status": s.status, "reason": s.reason, "version": s.version} | s._json()
        out: dict[str, object] = {
            "start_ns": self.start_ns,
            "end_ns": self.end_ns,
            "protocol": self.protocol,
            "client": {"address": self.client.address, "port": self.client.port},
            "server": {"address": self.server.address, "port": self.server.port},
            "request": request,
            "response": response,
            "weight": self.weight,
            "incomplete": self.incomplete,
        }
        if self.peer is not None:
            out["peer"] = {"address": self.peer.address, "port": self.peer.port}
        if self.direction:
            out["direction"] = self.direction
        if self.hop:
            out["hop"] = self.hop
        if self.hops_merged:
            out["hops_merged"] = self.hops_merged
        if self.stream_id:
            out["stream_id"] = self.stream_id
        if self.interim:
            out["interim"] = self.interim
        if self.grpc:
            out["grpc"] = True
        if self.grpc_streaming:
            out["grpc_streaming"] = self.grpc_streaming
        if self.grpc_compressed:
            out["grpc_compressed"] = True
        return out

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> Exchange:
        """The exchange of one JSON Lines object; what that form does not hold keeps its default.

        Raises:
            KeyError, TypeError, ValueError: *line* is not such an object.
        """
        request = response = None
        start_ns, end_ns = int(line["start_ns"]), int(line["end_ns"])
        if line["request"] is not None:
            m = line["request"]
            request = Request(
                method=str(m["method"]),
                target=str(m["target"]),
                scheme=str(m["scheme"]),
                host=str(m["host"]),
                path=str(m["path"]),
                query=str(m["query"]),
                version=str(m["version"]),
                **_message_arguments(m, start_ns, end_ns),
            )
        if line["response"] is not None:
            m = line["response"]
            response = Response(
                status=int(m["status"]),
                reason=str(m["reason"]),
                version=str(m["version"]),
                **_message_arguments(m, start_ns, end_ns),
            )
        return cls(
            client=_address(line["client"]),
            server=_address(line["server"]),
            request=request,
            response=response,
            start_ns=start_ns,
            end_ns=end_ns,
            protocol=str(line["protocol"]),
            weight=float(line["weight"]),
            incomplete=line["incomplete"],
            hop=str(line.get("hop", "")),
            hops_merged=int(line.get("hops_merged", 0)),
            stream_id=int(line.get("stream_id", 0)),
            interim=int(line.get("interim", 0)),
            grpc=bool(line.get("grpc", False)),
            grpc_streaming=str(line.get("grpc_streaming", "")),
            grpc_compressed=bool(line.get("grpc_compressed", False)),
            peer=_address(line["peer"]) if "peer" in line else None,
            direction=str(line.get("direction", "")),
        )


def _address(value: dict[str, Any]) -> Address:
    return Address(str(value["address"]), int(value["port"]))


def _message_arguments(message: dict[str, Any], start_ns: int, end_ns: int) -> dict[str, Any]:
    body: str = message["body"]
    binary = message.get("body_encoding") == "base64"
    return {
        "headers": tuple((str(name), str(value)) for name, value in message["headers"]),
        "trailers": tuple((str(name), str(value)) for name, value in message.get("trailers", ())),
        "body": base64.b64decode(body, validate=True) if binary else body.encode("utf-8"),
        "body_size": int(message["body_size"]),
        "wire_body_size": int(message["wire_body_size"]),
        "truncated": bool(message["truncated"]),
        "missing_bytes": int(message["missing_bytes"]),
        "decoded": message["body_size"] != message["wire_body_size"],
        "data_messages": int(message.get("data_messages", 0)),
        "data_message_bytes": int(message.get("data_message_bytes", 0)),
        "text_messages": int(message.get("text_messages", 0)),
        "control_frames": int(message.get("control_frames", 0)),
        "anomalies": tuple(message.get("anomalies", ())),
        "start_ns": start_ns,
        "head_ns": start_ns,
        "end_ns": end_ns,
    }
