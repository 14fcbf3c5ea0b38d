"""Where the engine and another tool differ, and the engine is right. ``docs/captures.md`` tells why.

Keys are (capture, voter); a value holds the differences, to the letter, that the voter must report. An entry
that is no longer true fails its test.
"""

from __future__ import annotations


def _logged(
    method: str, uri: str, version: str, status: int, octets: int, host: str = "www.google.com"
) -> str:
    """A line of Zeek's http.log as the voter writes it."""
    columns = {
        "host": host,
        "method": method,
        "request_body_len": "0",
        "response_body_len": str(octets),
        "status_code": str(status),
        "uri": uri,
        "version": version,
    }
    return f"1 x {tuple(sorted(columns.items()))}"


NO_VERSION = {
    "CCM_POST": (1068, 400, 925),
    "CONNECT": (1068, 400, 925),
    "DELETE": (1068, 400, 925),
    "GET": (1349, 403, 1207),
    "HEAD": (143, 400, 0),
    "POST": (1081, 411, 934),
    "PUT": (1081, 411, 934),
    "TRACE": (1068, 400, 925),
}
"""Method of a request line without a version -> (octets Zeek counts, status, octets of content)."""

DISAGREEMENTS: dict[tuple[str, str], list[str]] = {
    ("arkime__tcp-reassembly-synthetic", "tshark"): ["found besides 7 x 0"],
    ("arkime__tcp-reassembly-synthetic", "arkime"): ["found besides 1 x 0"],
    ("arkime__gre-erspan-vxlan", "tshark"): [
        "not found 1 x ('GET', '/Hello', '')",
        "found besides 1 x ('GET', '/Hello Arkime', '')",
    ],
    ("pcapplusplus__unidirectional_tcp_stream_with_missing_packet", "tshark"): [
        "found besides 2 x ('POST', '/GetSearchMultipleSuggestions.ashx', 'service.zap.co.il')",
    ],
    ("suricata-verify__http-gap-double", "suricata"): [
        "fileinfo {'fileinfo.size': 14, 'fileinfo.state': 'CLOSED', 'fileinfo.gaps': False}: wanted 2, "
        "found 0",
    ],
    ("suricata-verify__http-gap-double", "tshark"): ["found besides 2 x 200"],
    ("suricata-verify__http-gap-simple", "suricata"): [
        "fileinfo {'fileinfo.size': 14, 'fileinfo.state': 'CLOSED', 'fileinfo.gaps': False}: wanted 2, "
        "found 0",
    ],
    ("suricata-verify__http-gap-simple", "tshark"): ["found besides 2 x 200"],
    ("suricata-verify__http-multiple100", "suricata"): [
        "fileinfo {'fileinfo.size': 34293}: wanted 1, found 0",
    ],
    ("suricata-verify__http-pipeline-files-with-gap", "tshark"): ["found besides 2 x 200"],
    ("suricata-verify__tcp-urgp-01-oob__tcp-urgent1", "tshark"): [
        "found besides 1 x ('GET', '/malicious', '10.10.10.55:9090')",
    ],
    ("zeek__http__methods", "tshark"): ["not found 1 x ('OPTIONS', 'HTTP/1.1', 'www.google.com')"],
    ("zeek__http__methods", "zeek"): [
        *sorted(
            [
                *(f"not found {_logged(m, '/HTTP/1.1', '0.9', 0, o)}" for m, (o, _, _) in NO_VERSION.items()),
                f"not found {_logged('OPTIONS', '(empty)', '1.0', 400, 925)}",
            ]
        ),
        *sorted(
            [
                *(
                    f"found besides {_logged(m, '/HTTP/1.1', '1.0', status, o)}"
                    for m, (_, status, o) in NO_VERSION.items()
                ),
                f"found besides {_logged('-', '-', '1.0', 400, 925, host='-')}",
            ]
        ),
    ],
    ("zeek__http__zero-length-bodies-with-drops", "tshark"): [
        "found besides 1 x ('GET', '/ad/l/1?kv=&ct=0&init=1&s=c002&t=1300991986412134&cn=videoView&et=i"
        "&uxnw=&uxss=&uxct=', '140cc.v.fwmrm.net')",
        "found besides 1 x ('GET', '/ad/l/1?kv=&ct=300&init=0&s=b019&t=1300988780203466&cn=videoView&et=i"
        "&uxnw=&uxss=&uxct=', '140cc.v.fwmrm.net')",
        "found besides 1 x ('GET', '/ad/l/1?kv=&ct=60&init=0&s=c002&t=1300991986412134&cn=videoView&et=i"
        "&uxnw=&uxss=&uxct=', '140cc.v.fwmrm.net')",
        "found besides 1 x ('GET', '/ad/l/1?kv=additional%3DvastURL%253Dhttp%253A%252F%252Fapp.Scanscout.com"
        "%252Fssframework%252FadStreamJSController.xml%253Fa%253Dgetadscheduleforcontent%2526format%253Dvast"
        "%2526fetchads%253Doverlay%2526ss_partnerId%253D57760%2526ss_mediaId%253Dmgid%25253Auma%25253Avideolis"
        "t%25253Amtv.com%25253A166040', '140cc.v.fwmrm.net')",
        "found besides 5 x 200",
    ],
    ("zeek__tls__tls12-decryption", "zeek"): [
        "not found " + _logged("GET", "/", "1.1", 301, 229, "heise.de"),
    ],
}
