"""Secrets in every redactable place appear nowhere: not in an output, spool, log or metric, in no encoding.

One capture holds a secret of its own for each place; the sensor reads it with one configuration, and
everything that it wrote, sent or said is searched for each secret as it is, in base64 and URL-encoded.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import secrets
import subprocess
import sys
import threading
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

import brotli
import pytest
import zstandard

from levo.sensor.export.spool import Spool
from tests.cli.levo_command import environment, levo
from tests.helpers.collector import Collector
from tests.helpers.conversation import converse, exchanges_as_turns
from tests.helpers.packets import Ends, capture_segments
from tests.helpers.pcap import write_pcap

SETTINGS = """
redact:
  headers: [x-session]
  fields: [password, card number, ssn]
  patterns: ['zebra-[0-9a-f]{12}', 'secret\\+[0-9a-f]{12}@example\\.com']
"""


@dataclass
class Canaries:
    """Makes secrets and remembers them by place."""

    made: dict[str, str] = field(default_factory=dict)

    def __call__(self, place: str) -> str:
        """A secret that only its place gives away."""
        return self._keep(place, f"canary{secrets.token_hex(8)}")

    def zebra(self, place: str) -> str:
        """A secret that the first pattern matches."""
        return self._keep(place, f"zebra-{secrets.token_hex(6)}")

    def mail(self, place: str) -> str:
        """A secret that the second pattern matches; URL-encoding and JSON change how it looks."""
        return self._keep(place, f"secret+{secrets.token_hex(6)}@example.com")

    def _keep(self, place: str, secret: str) -> str:
        self.made[place] = secret
        return secret


def message(start: str, headers: list[tuple[str, str]], body: bytes = b"", *, framed: bool = True) -> bytes:
    lines = [start, *(f"{name}: {value}" for name, value in headers)]
    if framed:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def pairs(new: Canaries) -> list[tuple[bytes, bytes]]:
    """Exchanges with a secret in every place that can be redacted."""
    found: list[tuple[bytes, bytes]] = []

    def add(
        place: str,
        body: bytes,
        kind: str,
        *,
        coding: str = "",
        target: str = "/x",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        lines = [("Content-Type", kind), *([("Content-Encoding", coding)] if coding else []), *headers]
        ask = message(f"POST {target} HTTP/1.1", [("Host", "api.example"), *lines], body)
        found.append((ask, message("HTTP/1.1 200 OK", lines, body)))

    credentials = (
        ("Authorization", f"Bearer {new('bearer')}"),
        ("Proxy-Authorization", "Basic " + base64.b64encode(f"u:{new('basic')}".encode()).decode()),
        ("Cookie", f"sid={new('cookie')}; theme={new('second cookie')}"),
        ("X-Api-Key", new("api key")),
        ("X-Session", new("own header")),
        ("Referer", f"https://a/?password={new('referer')}&b=1"),
        ("X-Info", f'{{"ssn":"{new("json in a header")}"}}'),
        ("X-Trace", f"a {new.zebra('pattern in a header')} b"),
        ("Set-Cookie", f"sid={new('set-cookie')}; Path=/"),
        ("Location", f"/next?ssn={new('location')}"),
    )
    add("headers", b"", "text/plain", headers=credentials)
    query = urlencode(
        {"password": new("query"), "card number": new("query with a blank"), "q": new.mail("mail")}
    )
    add("query", b"", "text/plain", target=f"/u/{new.zebra('path')}/x?{query}&user%5Bssn%5D={new('nested')}")
    add("userinfo", b"", "text/plain", target=f"http://me:{new('userinfo')}@api.example/x")

    def document(place: str) -> bytes:
        return json.dumps(
            {
                "password": new(f"{place} member"),
                "deep": [{"a": {"ssn": {"x": [new(f"{place} object")], new(f"{place} name"): None}}}],
                "Card Number": new(f"{place} any case"),
                "note": new.zebra(f"{place} pattern"),
                "mail": new.mail(f"{place} mail"),
                "inner": json.dumps(
                    {"ssn": new(f"{place} embedded"), "b": json.dumps({"ssn": new(f"{place} twice")})}
                ),
            }
        ).encode()

    plain = document("json")
    add("json", plain, "application/json")
    add("json without type", document("untyped"), "application/octet-stream")
    add("cut json", document("cut")[:-40], "application/json")
    add("wide json", document("utf-16").decode().encode("utf-16-le"), "application/json")
    codings = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "br": brotli.compress,
        "zstd": zstandard.ZstdCompressor().compress,
    }
    for coding, compress in codings.items():
        add(coding, compress(document(coding)), "application/json", coding=coding)
    broken = gzip.compress(document("broken gzip"), 0)
    add("broken gzip", b"\x1f\x8b\x08\xff" + broken[10:], "application/json", coding="gzip")
    add(
        "unknown coding",
        bytes(range(128, 256)) + document("unknown coding"),
        "application/json",
        coding="x-own",
    )
    form = urlencode({"password": new("form"), "note": new.zebra("form pattern"), "m": new.mail("form mail")})
    add("form", form.encode(), "application/x-www-form-urlencoded")
    part = '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n{}\r\n--b--\r\n'
    add("multipart", part.format(new("multipart")).encode(), "multipart/form-data; boundary=b")
    add(
        "binary",
        b"\x00\x00\x00\x00\x20\x0a\x12" + new.zebra("grpc").encode() + b"\xff\xfe",
        "application/grpc",
    )
    number = str(10**15 + secrets.randbelow(10**15))
    new.made["number"] = number
    add("number", f'{{"ssn":{number},"b":1}}'.encode(), "application/json")
    ask = message("POST /t HTTP/1.1", [("Host", "a"), ("Transfer-Encoding", "chunked")], framed=False)
    trailers = f"X-Note: {new.zebra('trailer')}\r\nX-Session: {new('own trailer')}\r\n"
    ask += f"4\r\nbody\r\n0\r\n{trailers}\r\n".encode()
    found.append((ask, message("HTTP/1.1 204 No", [], framed=False)))
    return found


def spellings(secret: str) -> list[bytes]:
    """The secret as it is, URL-encoded both ways, escaped, and in base64 at each of its three offsets."""
    raw = secret.encode()
    found = [raw, quote(secret, safe="").encode(), quote(secret).encode(), raw.hex().encode()]
    found.append(secret.encode("utf-16-le"))
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        start = {0: 0, 1: 2, 2: 3}[shift]
        stop = (shift + len(raw)) * 8 // 6 - 1
        found += [whole[start:stop], whole[start:stop].replace(b"+", b"-").replace(b"/", b"_")]
    return found


def leaks(canaries: Canaries, written: dict[str, bytes]) -> list[str]:
    return [
        f"{place} in {where}"
        for place, secret in canaries.made.items()
        for where, octets in written.items()
        if any(spelling in octets for spelling in spellings(secret))
    ]


def base64_text_undone(lines: bytes) -> bytes:
    """Bodies that JSON lines hold in base64, as octets."""
    found = []
    for line in lines.splitlines():
        for side in ("request", "response"):
            part = json.loads(line)[side]
            if part and part.get("body_encoding") == "base64":
                found.append(base64.b64decode(part["body"]))
    return b"\n".join(found)


@pytest.fixture
def capture(tmp_path: Path) -> tuple[Path, Canaries]:
    canaries = Canaries()
    segments = converse(exchanges_as_turns(pairs(canaries)))
    return write_pcap(tmp_path / "secrets.pcap", capture_segments(segments, Ends())), canaries


@dataclass(frozen=True, slots=True)
class Written:
    """All that a sensor wrote, sent and said of one capture."""

    octets: dict[str, bytes]
    """By destination."""
    disk: bytes
    """The files of the spool as they lie on the disk."""
    log: str


def written_of(path: Path, settings: str, tmp_path: Path) -> Written:
    config = tmp_path / "config.yaml"
    config.write_text(settings)
    lines, har, spool = tmp_path / "out.jsonl", tmp_path / "out.har", tmp_path / "spool"
    base = (
        "apidump",
        "--config",
        str(config),
        "--read",
        str(path),
        "--log-level",
        "debug",
        "--rate-limit=0",
    )
    with Collector() as collector:
        url = f"--satellite-url={collector.url}"
        sent = levo(*base, url, "--output=otlp", f"--output=jsonl:{lines}", f"--output=har:{har}")
    spooling_log = stopped_once_spooled(base, spool)

    disk = b"".join(each.read_bytes() for each in spool.rglob("*") if each.is_file())
    written = {
        "otlp": b"".join(collector.bodies["traces"]),
        "metrics": b"".join(collector.bodies["metrics"]),
        "jsonl": lines.read_bytes() + base64_text_undone(lines.read_bytes()),
        "har": har.read_bytes(),
        "spool": b"".join(map(gunzipped, waiting(spool))),
        "logs": (sent.stdout + sent.stderr + spooling_log).encode(),
    }
    assert sent.returncode == 0, sent.stderr
    assert all(len(octets) > 1000 for octets in written.values()), {k: len(v) for k, v in written.items()}
    return Written(written, disk, sent.stderr)


def waiting(spool: Path) -> list[bytes]:
    """What a stopped sensor left in its spool, unsealed."""
    opened, found = Spool(spool), []
    while (lease := opened.lease()) is not None:
        found.append(bytes(lease.request.body))
        opened.settle(lease)
    opened.close()
    return found


def test_no_secret_leaves_by_any_way(capture: tuple[Path, Canaries], tmp_path: Path) -> None:
    path, canaries = capture
    written = written_of(path, SETTINGS, tmp_path)
    assert len(canaries.made) > 60
    assert leaks(canaries, written.octets) == []
    ledger = [json.loads(line) for line in written.log.splitlines()]
    counted = {entry["counter"]: entry["value"] for entry in ledger if "counter" in entry}
    assert counted["fields_masked"] > 40 and counted["patterns_masked"] > 20
    assert counted["credentials_masked"] >= 10 and counted["bodies_withheld"] >= 2
    assert b"levo.sensor.fields_masked" in written.octets["metrics"]


REQUEST_HEADERS = r"""Authorization: {}|Authorization: Bearer {}|AUTHORIZATION: Bearer {}
Authorization : Bearer {}|Authorization\t: Bearer {}|Authorization:\r\n Bearer {}
Authorization: Bearer\r\n\t{}|Authorization: Bearer, {}
X: y\nAuthorization: Bearer {}
Authorization: Digest username="u", response="{}"
Proxy-Authorization: Basic {}
Cookie: {}|Cookie: a={}|Cookie: a=b; {}|Cookie: a="x; y={}"|Cookie: ={}|Cookie: a=={}|Cookie2: a={}
X-Api-Key: {}|X-Auth-Token: {}|X-Amz-Security-Token: {}|X-Access-Token: {}|Api-Key: {}|X-CSRF-Token: {}
X-Session-Id: {}|Authentication: {}|X-Vault-Token: {}|Private-Token: {}|X-Goog-Iap-Jwt-Assertion: {}
X-Forwarded-Access-Token: {}|apikey: {}|token: {}|X-Token: {}|Ocp-Apim-Subscription-Key: {}
X-Gitlab-Token: {}|X-Shopify-Access-Token: {}|X-Hub-Signature: sha1={}|DPoP: {}
Sec-WebSocket-Protocol: bearer, {}|Sec-WebSocket-Protocol: chat, base64url.bearer.authorization.k8s.io.{}
Referer: http://h/?access_token={}|X-Original-Url: /?token={}|Origin: http://u:{}@h"""
RESPONSE_HEADERS = r"""Set-Cookie: {}|Set-Cookie: a={}; Path=/|Set-Cookie: ={}|Set-Cookie : a={}
Set-Cookie:\r\n a={}
X-Auth-Token: {}|X-Subject-Token: {}|Refresh-Token: {}|Location: http://u:{}@h/|Location: /cb?code={}
Location: /cb?state=x&code={}|Location: /cb#access_token={}|Content-Location: /a?sig={}"""
TARGETS = (
    "http://user:{}@h/p|/p?access_token={}|/p?api_key={}|/p?password={}|/cb?state=x&code={}|"
    "/p?X-Amz-Signature={}"
)
MEMBERS = "password client_secret refresh_token api_key otp"


def credentials(new: Canaries) -> list[tuple[bytes, bytes]]:
    """Exchanges with a credential where the systems of the world put one; no setting names any."""
    answer = message("HTTP/1.1 200 OK", [], b"ok")
    found = []
    for line in REQUEST_HEADERS.replace("\n", "|").split("|"):
        line = line.replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t")
        found.append(
            (f"GET /m HTTP/1.1\r\nHost: h\r\n{line.format(new(line))}\r\nZ: 1\r\n\r\n".encode(), answer)
        )
    for line in RESPONSE_HEADERS.replace("\n", "|").split("|"):
        line = line.replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t")
        head = f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n{line.format(new('response: ' + line))}\r\n\r\n"
        found.append((message("GET /m HTTP/1.1", [("Host", "h")]), head.encode()))
    for target in TARGETS.split("|"):
        found.append((message(f"GET {target.format(new(target))} HTTP/1.1", [("Host", "h")]), answer))
    found.append((message("GET /p HTTP/1.1", [("Host", f"user:{new('host')}@h")]), answer))
    for name in MEMBERS.split():
        for kind, body in (
            ("application/json", json.dumps({"a": [{name: new(f"json {name}")}]})),
            ("application/x-www-form-urlencoded", f"a=1&{name}={new(f'form {name}')}"),
        ):
            found.append(
                (message("POST /p HTTP/1.1", [("Host", "h"), ("Content-Type", kind)], body.encode()), answer)
            )
    twice = [("Host", "h"), ("Authorization", f"Bearer {new('first')}"), ("Authorization", new("second"))]
    found.append((message("GET /p HTTP/1.1", twice), answer))
    return found


def test_no_credential_of_common_systems_leaves_unless_it_is_kept(tmp_path: Path) -> None:
    """In JSON lines, HAR, OTLP and the spool, which holds nothing readable on the disk besides."""
    canaries = Canaries()
    segments = converse(exchanges_as_turns(credentials(canaries)))
    path = write_pcap(tmp_path / "credentials.pcap", capture_segments(segments, Ends()))

    written = written_of(path, "rate-limit: 0\n", tmp_path)

    assert len(canaries.made) > 70
    assert leaks(canaries, written.octets) == []
    assert b"service.name" not in written.disk and b"\x1f\x8b\x08\x00" not in written.disk, "sealed"


def stopped_once_spooled(base: tuple[str, ...], spool: Path) -> str:
    """Run the sensor with a Satellite that is not there until its spool holds something; what it logged."""
    argv = [sys.executable, "-m", "levo", *base, "--satellite-url=http://127.0.0.1:9", f"--spool-dir={spool}"]
    with subprocess.Popen(argv, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 90
        while process.poll() is None and time.monotonic() < deadline:
            if sum(each.stat().st_size for each in spool.glob("*.spool")) > 1000:
                process.terminate()
                break
            time.sleep(0.05)
        watchdog = threading.Timer(90, process.kill)
        watchdog.start()
        log = process.communicate()[1]
        watchdog.cancel()
    return log


def gunzipped(octets: bytes) -> bytes:
    """*octets*, and all gzip streams in them undone."""
    found, at = [octets], octets.find(b"\x1f\x8b\x08")
    while at >= 0:
        stream = zlib.decompressobj(31)
        with contextlib.suppress(zlib.error):
            found.append(stream.decompress(octets[at:]))
        at = octets.find(b"\x1f\x8b\x08", at + 3)
    return b"".join(found)


def test_the_search_would_find_them(capture: tuple[Path, Canaries], tmp_path: Path) -> None:
    """Without redaction every secret is found: the test above can fail."""
    path, canaries = capture
    lines = tmp_path / "out.jsonl"
    done = levo(
        "apidump",
        "--config=/dev/null",
        "--read",
        str(path),
        f"--output=jsonl:{lines}",
        "--no-redact",
        "--rate-limit=0",
    )

    seen = {"jsonl": lines.read_bytes() + base64_text_undone(lines.read_bytes())}

    assert done.returncode == 0, done.stderr
    missing = set(canaries.made) - {leak.removesuffix(" in jsonl") for leak in leaks(canaries, seen)}
    assert not {place for place in missing if not place.startswith(("broken gzip", "basic", "cut twice"))}
