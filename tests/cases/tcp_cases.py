"""Cases about frames, packets and TCP byte streams."""

from __future__ import annotations

import struct

from tests.cases.case import Case, exchange, get, ok, post
from tests.helpers.conversation import Conversation, converse
from tests.helpers.mutations import drop, duplicate, forge, move, one_sided, resend
from tests.helpers.packets import (
    ACK,
    FIN,
    RST,
    SYN,
    Ends,
    Segment,
    capture_segments,
    captured,
    ethernet,
    frame,
    ip,
    ipv4,
    tcp,
)

GOREPLAY = "A defect of another capture program"
ANCESTOR = "A defect of an earlier sensor of this kind"


def ethernet_padding() -> Case:
    segments = converse([(True, get("/pad")), (False, b"HTTP/1.1 200 OK\r\n\r\n"), (False, b"x")])
    return Case(
        "ethernet-padding",
        "A body that ends with the connection comes in one-octet segments; Ethernet pads such frames to 60 "
        "octets. The padding lies outside the IP packet and never becomes body.",
        f"{GOREPLAY}: payload is not cut to the IP length.",
        capture_segments(segments),
        [exchange("/pad", "x")],
    )


def long_trailer() -> Case:
    """Octets behind the IP packet that are not zeros."""
    segments = converse([(True, get("/t")), (False, b"HTTP/1.1 200 OK\r\n\r\n"), (False, b"abc")])
    octets = [ethernet(ip(s, Ends()), pad=b"GET /evil HTTP/1.1\r\n\r\n") for s in segments]
    return Case(
        "frame-trailer",
        "Every frame carries further octets behind the IP packet (a switch's trailer); they look like HTTP.",
        "RFC 791: Total Length bounds the packet.",
        captured(octets),
        [exchange("/t", "abc")],
    )


def zero_payload() -> Case:
    zeros = b"\0" * 32
    return Case(
        "zero-payload",
        "A segment of zeros only is content like any other, in the request and in the response.",
        f"{GOREPLAY}: payload of zeros is taken for padding.",
        capture_segments(
            converse(
                [(True, post("/zeros", zeros)), (False, ok(zeros))],
                cuts=[[len(post("/zeros", zeros)) - 32], [len(ok(zeros)) - 32]],
            )
        ),
        [
            exchange(
                "/zeros",
                None,
                method="POST",
                request={"body_size": 32, "missing_bytes": 0},
                response={"body_size": 32, "body_encoding": "base64", "missing_bytes": 0},
            )
        ],
    )


def overlap_longer_retransmission() -> Case:
    answer = ok(b"0123456789" * 20)
    segments = converse([(True, get("/o")), (False, answer)], cuts=[[], [100, 150]])
    longer = resend(segments, False, 60, 70)
    pieces = [i for i, s in enumerate(segments) if not s.from_client and s.payload]
    return Case(
        "overlap-longer-retransmission",
        "The second segment of the response is lost; it comes again in a longer segment that starts inside "
        "the first and ends inside the third's place, before the third is seen.",
        f"{GOREPLAY}: only equal sequence numbers count as duplicates, so overlaps are joined twice.",
        capture_segments(
            [*segments[: pieces[1]], longer, *segments[pieces[1] :]],
        ),
        [exchange("/o", "0123456789" * 20)],
        {"gap_bytes": 0, "gaps": 0},
    )


def overlap_conflict() -> Case:
    answer = ok(b"AAAAAAAAAAAAAAAAAAAA")
    segments = converse([(True, get("/c")), (False, answer)], cuts=[[], [len(answer) - 10]])
    at = next(i for i, s in enumerate(segments) if s.payload.endswith(b"AAAAAAAAAA") and len(s.payload) == 10)
    return Case(
        "overlap-conflict",
        "The last segment comes a second time with other octets. The first copy is what the "
        "client was given.",
        "RFC 9293 section 3.10.7.4: octets received before are not replaced.",
        capture_segments([*segments[: at + 1], forge(segments[at], b"BBBBBBBBBB"), *segments[at + 1 :]]),
        [exchange("/c", "A" * 20)],
        {"payload_bytes_duplicate": 10},
    )


def duplicates_everywhere() -> Case:
    segments = converse([(True, get("/d1")), (False, ok(b"one")), (True, get("/d2")), (False, ok(b"two"))])
    return Case(
        "every-packet-twice",
        "Each packet is captured twice in a row, as on a bridge or the loopback interface.",
        f"{ANCESTOR}: bridged traffic is reported two or three times.",
        capture_segments([s for s in segments for _ in range(2)]),
        [exchange("/d1", "one"), exchange("/d2", "two")],
    )


def wrap_in_head() -> Case:
    return Case(
        "sequence-wrap",
        "Both directions pass 2**32 inside a message, with segments out of order across the wrap.",
        f"{GOREPLAY}: sequence numbers are compared without wrap.",
        capture_segments(
            move(
                converse(
                    [(True, get("/wrap")), (False, ok(b"w" * 200))],
                    client_isn=2**32 - 20,
                    server_isn=2**32 - 100,
                    mss=40,
                ),
                4,
                1,
            )
        ),
        [exchange("/wrap", "w" * 200)],
    )


def out_of_order_start() -> Case:
    segments = converse([(True, get("/order")), (False, ok(b"abc"))], cuts=[[10, 20]])
    return Case(
        "first-segments-out-of-order",
        "The first three segments of the request arrive as 2, 1, 3.",
        f"{ANCESTOR}: octets before the first sequence number seen are lost, '2 1 3' is read as '2 3'.",
        capture_segments(move(segments, 3, 1)),
        [exchange("/order", "abc")],
    )


def mid_stream_out_of_order() -> Case:
    talk = Conversation().start_mid_stream()
    talk.client(get("/mid"), [10, 20]).server(ok(b"abc")).client(get("/next")).server(ok(b"next")).close()
    return Case(
        "mid-stream-out-of-order",
        "No handshake was captured and the first three segments arrive as 2, 1, 3.",
        f"{ANCESTOR}: the same, without a handshake to tell where the stream starts.",
        capture_segments(move(talk.segments, 0, 1)),
        [exchange("/mid", "abc"), exchange("/next", "next")],
    )


def fin_before_data() -> Case:
    segments = converse([(True, get("/fin")), (False, ok(b"late"))])
    at = next(i for i, s in enumerate(segments) if s.payload.startswith(b"HTTP"))
    return Case(
        "data-behind-fin",
        "The server's FIN is captured before the data segment it follows.",
        "A defect of a packet library: data after an early FIN is lost.",
        capture_segments(move(segments, at, 1)),
        [exchange("/fin", "late")],
        {"gap_bytes": 0},
    )


def port_reuse() -> Case:
    first = converse([(True, get("/first")), (False, ok(b"1"))], close=False)
    second = converse(
        [(True, get("/second")), (False, ok(b"2"))], client_isn=700_000, server_isn=900_000, close=False
    )
    third = converse([(True, get("/third")), (False, ok(b"3"))], client_isn=500, server_isn=400)
    return Case(
        "port-reuse",
        "Three connections use the same addresses and ports; the first two end without FIN or RST, the "
        "third starts at lower sequence numbers.",
        "RFC 9293 section 3.6.1: a new SYN starts a new connection.",
        capture_segments(first + second + third),
        [exchange("/first", "1"), exchange("/second", "2"), exchange("/third", "3")],
        {"connections_opened": 3},
    )


def reset_in_response() -> Case:
    talk = Conversation().handshake().client(get("/whole")).server(ok(b"whole"))
    talk.client(get("/reset")).server(ok(b"0123456789")[:-4]).rst(False)
    return Case(
        "reset-inside-a-response",
        "The server resets the connection four octets before the end of a response.",
        "RFC 9293 section 3.5.3.",
        capture_segments(talk.segments),
        [
            exchange("/whole", "whole"),
            exchange("/reset", "012345", incomplete="response_cut"),
        ],
    )


def blind_reset() -> Case:
    segments = converse([(True, get("/a")), (False, ok(b"a")), (True, get("/b")), (False, ok(b"b"))])
    forged = Segment(True, segments[3].seq + 2**30, 0, RST)
    return Case(
        "reset-outside-the-window",
        "A reset whose sequence number is far from the window is ignored, as both ends would.",
        "RFC 9293 section 3.10.7.4 (and RFC 5961).",
        capture_segments([*segments[:5], forged, *segments[5:]]),
        [exchange("/a", "a"), exchange("/b", "b")],
    )


def keep_alive_probe() -> Case:
    segments = converse([(True, get("/k1")), (False, ok(b"k1")), (True, get("/k2")), (False, ok(b"k2"))])
    at = next(i for i, s in enumerate(segments) if s.payload.startswith(b"GET /k2"))
    probe = Segment(True, segments[at].seq - 1, segments[at].ack, ACK, b"\0")
    reply = Segment(False, segments[at].ack, segments[at].seq, ACK)
    return Case(
        "keep-alive-probe",
        "A TCP keep-alive probe repeats the last sequence number with one garbage octet.",
        "RFC 9293 section 3.8.4.",
        capture_segments([*segments[:at], probe, reply, probe, reply, *segments[at:]]),
        [exchange("/k1", "k1"), exchange("/k2", "k2")],
    )


def missed_handshake() -> Case:
    segments = converse([(True, get("/js")), (False, ok(b"js"))])
    return Case(
        "syn-ack-first",
        "Only the SYN-ACK of the handshake was captured, and it comes first: client and "
        "server are not swapped.",
        "A capture that starts inside a handshake.",
        capture_segments(drop(segments, 0, 2)),
        [
            exchange(
                "/js",
                "js",
                client={"address": "10.0.0.1", "port": 40001},
                server={"address": "10.0.0.2", "port": 8080},
            )
        ],
    )


def repeated_handshake() -> Case:
    segments = converse([(True, get("/syn")), (False, ok(b"syn"))])
    return Case(
        "handshake-repeated",
        "SYN and SYN-ACK are retransmitted; that is one connection.",
        "RFC 9293 section 3.5.",
        capture_segments([segments[0], segments[0], segments[1], segments[0], segments[1], *segments[2:]]),
        [exchange("/syn", "syn")],
        {"connections_opened": 1},
    )


def late_syn() -> Case:
    segments = converse([(True, get("/s1")), (False, ok(b"s1")), (True, get("/s2")), (False, ok(b"s2"))])
    return Case(
        "syn-behind-data",
        "The client's SYN is captured behind the first request and its answer: still one connection.",
        "Reordering at the start of a connection must not look like port reuse.",
        capture_segments(move(segments, 0, 5)),
        [exchange("/s1", "s1"), exchange("/s2", "s2")],
        {"connections_opened": 1},
    )


def late_syn_ack() -> Case:
    answer = ok(b"s" * 60)
    segments = converse([(True, get("/s1")), (False, answer), (True, get("/s2")), (False, ok(b"s2"))], mss=50)
    return Case(
        "syn-ack-inside-a-response",
        "The server's SYN-ACK is captured between two segments of its first response.",
        "Reordering at the start of a connection must not look like port reuse.",
        capture_segments(move(segments, 1, 4)),
        [exchange("/s1", "s" * 60), exchange("/s2", "s2")],
        {"connections_opened": 1},
    )


def data_in_syn() -> Case:
    request = get("/fast")
    talk = Conversation()
    talk.segments.append(Segment(True, 1000, 0, SYN, request))
    rest = Conversation().handshake().skip(True, len(request))
    rest.server(ok(b"open")).close()
    return Case(
        "data-in-syn",
        "The request lies in the SYN segment (TCP Fast Open).",
        "RFC 7413.",
        capture_segments(talk.segments + rest.segments[1:]),
        [exchange("/fast", "open")],
    )


def same_low_ipv6() -> Case:
    one = Ends("2001:db8:1::1:2", 40001, "2001:db8:1::80", 80)
    two = Ends("2001:db8:2::1:2", 40001, "2001:db8:2::80", 80)
    first = converse([(True, get("/net-one")), (False, ok(b"one"))], mss=30)
    second = converse([(True, get("/net-two")), (False, ok(b"two"))], mss=30)
    octets = [f for a, b in zip(first, second, strict=True) for f in (frame(a, one), frame(b, two))]
    return Case(
        "ipv6-same-low-bits",
        "Two connections differ only in the upper half of their IPv6 addresses, all numbers "
        "equal, interleaved.",
        f"{GOREPLAY}: an IPv6 address is keyed by its last 32 bits.",
        captured(octets),
        [
            exchange("/net-one", "one", client={"address": "2001:db8:1::1:2", "port": 40001}),
            exchange("/net-two", "two", client={"address": "2001:db8:2::1:2", "port": 40001}),
        ],
    )


def colliding_sums() -> Case:
    one = Ends("10.0.0.1", 40001, "10.0.0.4", 80)
    two = Ends("10.0.0.2", 40001, "10.0.0.3", 80)
    first = converse([(True, post("/sum-one", b"1" * 90)), (False, ok(b"one"))], mss=60)
    second = converse([(True, post("/sum-two", b"2" * 90)), (False, ok(b"two"))], mss=60)
    octets = [f for a, b in zip(first, second, strict=True) for f in (frame(a, one), frame(b, two))]
    return Case(
        "colliding-address-sums",
        "Two connections with the same ports and numbers whose addresses have the same sum.",
        f"{GOREPLAY}: a message is keyed by ports and the sum of addresses and acknowledgment.",
        captured(octets),
        [
            exchange("/sum-one", "one", method="POST", request={"body": "1" * 90}),
            exchange("/sum-two", "two", method="POST", request={"body": "2" * 90}),
        ],
    )


def ack_changes_in_request() -> Case:
    request = post("/ack", b"first half, second half", "Expect: 100-continue")
    talk = Conversation().handshake().client(request[:-23])
    talk.server(b"HTTP/1.1 100 Continue\r\n\r\n").client(request[-23:-12])
    talk.server(b"HTTP/1.1 102 Processing\r\n\r\n").client(request[-12:]).server(ok(b"done")).close()
    return Case(
        "acknowledgment-changes-inside-a-request",
        "Interim responses arrive while the request is sent, so its segments carry three acknowledgments.",
        f"{GOREPLAY}: a request across a change of the acknowledgment is split.",
        capture_segments(talk.segments),
        [exchange("/ack", "done", method="POST", request={"body": "first half, second half"})],
    )


def ipv4_fragments() -> Case:
    segments = converse([(True, get("/fragments", "X-Long: " + "f" * 400)), (False, ok(b"joined"))])
    octets = []
    for i, segment in enumerate(segments):
        if not segment.payload.startswith(b"GET"):
            octets.append(frame(segment, Ends()))
            continue
        data = tcp(segment, Ends())
        parts = [(0, data[:160], 0x2000), (20, data[160:320], 0x2000), (40, data[320:], 0)]
        for offset, part, more in (parts[2], parts[0], parts[1]):
            packet = ipv4("10.0.0.1", "10.0.0.2", part, fragment=more | offset, ident=77 + i)
            octets.append(ethernet(packet))
    return Case(
        "ipv4-fragments",
        "The request's packet is in three IPv4 fragments that arrive as 3, 1, 2.",
        f"{GOREPLAY}: the fragment offset is never read.",
        captured(octets),
        [exchange("/fragments", "joined")],
    )


def lost_fragment() -> Case:
    segments = converse([(True, get("/a")), (False, ok(b"a")), (True, get("/b")), (False, ok(b"b" * 300))])
    octets = []
    for segment in segments:
        if b"b" * 300 not in segment.payload:
            octets.append(frame(segment, Ends()))
            continue
        data = tcp(segment, Ends())
        octets.append(ethernet(ipv4("10.0.0.2", "10.0.0.1", data[:200], fragment=0x2000, ident=5)))
    return Case(
        "ipv4-fragment-lost",
        "The second fragment of a response's packet was never captured; the first is counted "
        "as lost with it.",
        "RFC 791; every frame ends in one counted state.",
        captured(octets),
        [exchange("/a", "a"), exchange("/b", status=None, incomplete="response_gap")],
        {"frames_fragment_lost": 1},
    )


def large_segment() -> Case:
    content = b"0123456789abcdef" * 4000
    return Case(
        "segment-of-64-kib",
        "One frame of nearly 64 KiB, as segmentation offload and the loopback interface produce them.",
        "A defect of several capture programs: frames above the MTU are cut or dropped.",
        capture_segments(converse([(True, get("/big")), (False, ok(content))], mss=65000)),
        [exchange("/big", None, response={"body_size": 64000, "missing_bytes": 0, "truncated": False})],
    )


def snap_length() -> Case:
    segments = converse(
        [(True, get("/cut")), (False, ok(b"c" * 500)), (True, get("/next")), (False, ok(b"next"))]
    )
    frames = [(t, octets[:200], length) for t, octets, length in capture_segments(segments)]
    kept = 200 - 14 - 20 - 20 - (len(ok(b"c" * 500)) - 500)
    return Case(
        "snap-length",
        "The capture kept 200 octets of each frame: what is missing is counted, and framing goes on.",
        "pcap: captured length below the length on the wire.",
        frames,
        [
            exchange(
                "/cut",
                "c" * kept,
                incomplete="response_gap",
                response={"missing_bytes": 500 - kept, "wire_body_size": 500},
            ),
            exchange("/next", "next"),
        ],
    )


def vlan_tags() -> Case:
    plain = converse([(True, get("/vlan")), (False, ok(b"tagged"))])
    octets = [frame(s, Ends(), vlans=(7,) if s.from_client else (9, 12)) for s in plain]
    return Case(
        "vlan-tags",
        "Requests carry one VLAN tag and responses two: one connection all the same.",
        "IEEE 802.1Q; a mirror port shows the two directions with their own tags.",
        captured(octets),
        [exchange("/vlan", "tagged")],
    )


def ipv6_extension_headers() -> Case:
    ends = Ends("2001:db8::1", 40001, "2001:db8::2", 80)
    octets = []
    for segment in converse([(True, get("/ext")), (False, ok(b"ext"))]):
        plain = ip(segment, ends)
        options = struct.pack("!BBBBI", 60, 0, 1, 4, 0)
        destination = struct.pack("!BBBBI", 6, 0, 1, 4, 0)
        body = options + destination + plain[40:]
        packet = plain[:4] + struct.pack("!HB", len(body), 0) + plain[7:40] + body
        octets.append(ethernet(packet))
    return Case(
        "ipv6-extension-headers",
        "Hop-by-hop and destination options stand between the IPv6 header and TCP.",
        "RFC 8200 section 4.",
        captured(octets),
        [exchange("/ext", "ext")],
    )


def tcp_options() -> Case:
    segments = []
    for s in converse([(True, get("/options")), (False, ok(b"options"))]):
        stamp = b"\x01\x01\x08\x0a" + struct.pack("!II", 1, 2)
        segments.append(Segment(s.from_client, s.seq, s.ack, s.flags, s.payload, stamp))
    return Case(
        "tcp-options",
        "Every segment carries the timestamp option.",
        "RFC 7323; the data offset says where the payload starts.",
        capture_segments(segments),
        [exchange("/options", "options")],
    )


def client_only() -> Case:
    segments = converse(
        [(True, get("/one")), (False, ok(b"1")), (True, post("/two", b"22")), (False, ok(b"2"))]
    )
    return Case(
        "one-sided-requests",
        "Only the client's packets were captured: each request is reported, without a response.",
        "An asymmetric path.",
        capture_segments(one_sided(segments, True)),
        [
            exchange("/one", status=None, incomplete="no_response"),
            exchange("/two", method="POST", status=None, incomplete="no_response", request={"body": "22"}),
        ],
    )


def server_only() -> Case:
    segments = converse([(True, get("/one")), (False, ok(b"1")), (True, get("/two")), (False, ok(b"2"))])
    return Case(
        "one-sided-responses",
        "Only the server's packets were captured: each response is reported, without a request.",
        "An asymmetric path.",
        capture_segments(one_sided(segments, False)),
        [exchange(None, "1", incomplete="no_request"), exchange(None, "2", incomplete="no_request")],
    )


def response_captured_first() -> Case:
    segments = converse([(True, get("/tap")), (False, ok(b"tap")), (True, get("/two")), (False, ok(b"two"))])
    return Case(
        "response-captured-before-its-request",
        "A tap with a queue for each direction hands over the response first.",
        f"{ANCESTOR}: half of such exchanges is reported alone.",
        capture_segments(move(segments, 3, 1)),
        [exchange("/tap", "tap"), exchange("/two", "two")],
    )


def half_closed() -> Case:
    talk = Conversation().handshake().client(get("/half", "Connection: close")).fin(True)
    talk.server(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nstill here").fin(False).ack(True)
    return Case(
        "half-closed",
        "The client sends FIN behind its request and the server answers afterwards.",
        "RFC 9293 section 3.6: a half-closed connection still carries data.",
        capture_segments(talk.segments),
        [exchange("/half", "still here")],
    )


def fin_with_data() -> Case:
    segments = converse([(True, get("/f")), (False, b"HTTP/1.1 200 OK\r\n\r\nwith fin")], close=False)
    last = segments[-1]
    segments[-1] = Segment(False, last.seq, last.ack, last.flags | FIN, last.payload)
    again = duplicate(segments, len(segments) - 1)
    return Case(
        "fin-with-data",
        "FIN lies in the last data segment, which is also sent twice.",
        "RFC 9293 section 3.6.",
        capture_segments(again),
        [exchange("/f", "with fin")],
    )


MAKERS = [
    ethernet_padding,
    long_trailer,
    zero_payload,
    overlap_longer_retransmission,
    overlap_conflict,
    duplicates_everywhere,
    wrap_in_head,
    out_of_order_start,
    mid_stream_out_of_order,
    fin_before_data,
    port_reuse,
    reset_in_response,
    blind_reset,
    keep_alive_probe,
    missed_handshake,
    repeated_handshake,
    late_syn,
    late_syn_ack,
    data_in_syn,
    same_low_ipv6,
    colliding_sums,
    ack_changes_in_request,
    ipv4_fragments,
    lost_fragment,
    large_segment,
    snap_length,
    vlan_tags,
    ipv6_extension_headers,
    tcp_options,
    client_only,
    server_only,
    response_captured_first,
    half_closed,
    fin_with_data,
]
