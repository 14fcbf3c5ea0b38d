"""Secrets for every input, exchanges that carry them, and the search for them in whatever was written."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.satellite.requests import Call

REPEATS = 8
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


@dataclass
class Secrets:
    """Makes secrets and remembers where each was put."""

    seed: int
    made: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    def __call__(self, place: str) -> str:
        """A random token of letters and digits, in base 62, hexadecimal or as a number, in turn."""
        alphabets = (string.ascii_letters + string.digits, "0123456789abcdef", "0123456789")
        return self._token(place, alphabets[len(self.made) % 3])

    def hexadecimal(self, place: str) -> str:
        """A random token of hexadecimal digits."""
        return self._token(place, "0123456789abcdef")

    def name(self, place: str) -> str:
        """A secret that reads like a name: letters only, which no classifier knows for a value."""
        syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
        return self._keep(place, "".join(self._rng.choices(syllables, k=6)).capitalize())

    def _token(self, place: str, alphabet: str) -> str:
        token = ""
        while sum(map(str.isdigit, token)) < 4 or token[0] == "0":
            token = "".join(self._rng.choices(alphabet, k=24))
        return self._keep(place, token)

    def _keep(self, place: str, secret: str) -> str:
        self.made[place] = secret
        return secret


def forms(secret: str) -> Iterator[tuple[str, bytes]]:
    """The octets that would give *secret* away, by the name of the encoding."""
    raw = secret.encode()
    yield "raw", raw
    yield "a part of it", raw[4:20]
    yield "reversed", raw[::-1]
    yield "URL-encoded", "".join(f"%{octet:02X}" for octet in raw).encode()
    yield "quoted", urllib.parse.quote(secret, safe="").encode()
    yield "hexadecimal", raw.hex().encode()
    yield "UTF-16", secret.encode("utf-16-le")
    for shift in range(3):
        inner = base64.b64encode(bytes(shift) + raw)[4:-4]
        yield "base64", inner
        yield "base64", inner.replace(b"+", b"-").replace(b"/", b"_")
    if secret.isalpha():
        return  # tokens stand in the same places, so their digests are looked for
    for name in ("md5", "sha1", "sha256", "sha512", "blake2b"):
        yield from _digest(name, hashlib.new(name, raw).digest())
    for size in (8, 16, 32):
        yield from _digest(f"blake2b-{size}", hashlib.blake2b(raw, digest_size=size).digest())


def _digest(name: str, digest: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, digest[:8]
    yield name, digest[:8].hex().encode()
    yield name, base64.b64encode(digest[:9])
    yield name, str(int.from_bytes(digest[:8])).encode()


def leaks(secrets: Secrets, written: dict[str, bytes]) -> list[str]:
    """What of *written* (by where it was found) holds which secret, in which form; letters of any case."""
    lowered = {where: octets.lower() for where, octets in written.items()}
    # Pages have most of their lines in common. Only a digest may have a line break.
    everything = b"\n".join({line for octets in lowered.values() for line in octets.split(b"\n")})
    return [
        f"{place}: {form} in {where}"
        for place, secret in secrets.made.items()
        for form, octets in forms(secret)
        if octets.lower() in everything or b"\n" in octets
        for where, found in lowered.items()
        if octets.lower() in found
    ]


def calls(new: Secrets) -> list[Call]:
    """Exchanges with a secret of its own in every place; each exchange comes several times."""
    made = [*_parameters(new), *_bodies(new), *_paths(new), *_failures(new)]
    return [call for call in made for _ in range(REPEATS)]


def har(new: Secrets) -> str:
    """The same places in a HAR document."""
    entries = [_entry(call) for call in calls(new)]
    for number, entry in enumerate(entries):
        if number % REPEATS == 0:
            entry["request"]["postData"] = entry["request"].get("postData") or {
                "mimeType": FORM,
                "params": [{"name": "field", "value": new(f"posted parameter {number}")}],
            }
            entry["comment"] = new(f"comment {number}")
            entry["serverIPAddress"] = new(f"server address {number}")
            entry["request"]["cookies"] = [{"name": "sid", "value": new(f"HAR cookie {number}")}]
            entry["request"]["queryString"] = [{"name": "q", "value": new(f"HAR query {number}")}]
            entry["pageref"] = new(f"page {number}")
    return json.dumps({"log": {"version": "1.2", "creator": {"name": new("creator")}, "entries": entries}})


def _entry(call: Call) -> dict[str, dict[str, object]]:
    more = {k: v.decode("latin-1") if isinstance(v, bytes) else v for k, v in call.more.items()}

    def headers(side: str) -> list[dict[str, str]]:
        start = f"http.{side}.header."
        return [{"name": k[len(start) :], "value": v} for k, v in more.items() if k.startswith(start)]

    query = more.get("url.query", "")
    request: dict[str, object] = {
        "method": call.method,
        "url": f"http://{call.host}:{call.port}{call.path}" + (f"?{query}#{query}" if query else ""),
        "headers": headers("request"),
    }
    if body := more.get("levo.http.request.body"):
        kind = more.get("http.request.header.content-type", "")
        request["postData"] = {"mimeType": kind, "text": body}
    response: dict[str, object] = {"status": call.status, "headers": headers("response")}
    if body := more.get("levo.http.response.body"):
        response["content"] = {"size": len(body), "text": body, "mimeType": JSON}
    return {
        "startedDateTime": "2026-01-01T00:00:00Z",  # type: ignore[dict-item]
        "time": 3,  # type: ignore[dict-item]
        "request": request,
        "response": response,
    }


def _parameters(new: Secrets) -> Iterator[Call]:
    names = ("q", "page", "status", "user_id", "email", "token")
    query = "&".join(f"{name}={new(f'query {name}')}" for name in names)
    yield Call(
        path="/v1/search",
        host=f"{new.hexadecimal('label of the host')}.shop.example",
        more={
            "url.query": f"{query}&{new('name of a query parameter')}=1&name={new.name('query, a name')}",
            "url.full": f"http://shop.example/?{new('full URL')}",
            "client.address": new("client address"),
            "user_agent.original": new("user agent"),
            "http.request.header.user-agent": f"Mozilla/5.0 ({new('user agent header')})",
            "http.request.header.referer": f"http://a/{new('referer')}",
            "http.request.header.authorization": f"Bearer {new('bearer')}",
            "http.request.header.cookie": f"sid={new('cookie')}; {new('name of a cookie')}=1",
            "http.request.header.x-request-id": new("request id"),
            "http.request.header.x-customer": new.name("header, a name"),
            f"http.request.header.x-{new('name of a header')}": "1",
            "http.request.header.x-api-key": new("API key"),
            "http.response.header.set-cookie": f"sid={new('set-cookie')}",
            "http.response.header.location": f"/next/{new('location')}",
            "http.response.header.etag": f'"{new("etag")}"',
            "http.response.header.x-out": new("response header"),
            "levo.http.request.trailer.x-sum": new("request trailer"),
            "levo.http.response.trailer.x-sum": new("response trailer"),
            "levo.anything": new("unknown attribute"),
        },
    )
    credentials = base64.b64encode(f"user:{new('basic')}".encode()).decode()
    claims = base64.urlsafe_b64encode(
        json.dumps({"iss": f"https://{new('issuer')}.example", "sub": new("subject")}).encode()
    ).decode()
    token = f"eyJhbGciOiJSUzI1NiJ9.{claims.rstrip('=')}.{new('signature')}"
    for number, value in enumerate(
        (f"Basic {credentials}", f"Bearer {token}", f"{new('scheme')} x", new("lone credential"))
    ):
        yield Call(path=f"/v1/account/{number}", more={"http.request.header.authorization": value})


def _document(new: Secrets, place: str) -> str:
    return json.dumps(
        {
            "id": new(f"{place}, id"),
            "status": new(f"{place}, status"),
            "type": new(f"{place}, type"),
            "number": 17,
            "name": new.name(f"{place}, name"),
            "items": [{"sku": new(f"{place}, item"), "note": f"see {new(f'{place}, inside a text')} there"}],
            "byId": {new(f"{place}, key"): {"x": new.name(f"{place}, below a key")}},
            "embedded": json.dumps({"password": new(f"{place}, embedded")}),
        }
    )


def _bodies(new: Secrets) -> Iterator[Call]:
    for kind, make in (
        (JSON, lambda p: _document(new, p)),
        ("application/problem+json", lambda p: _document(new, p)),
        (f"application/vnd.{new('media type')}+json", lambda p: _document(new, p)),
        (FORM, lambda p: f"user={new(p)}&{new(p + ', name')}=2&tags[]={new.name(p + ', a name')}"),
        ("application/xml", lambda p: _xml(new, p)),
        ("application/x-ndjson", lambda p: f"{_document(new, p)}\n{_document(new, p + ', second')}\n"),
        ("text/csv", lambda p: f"id,{new(p + ', column')}\n{new(p)},{new.name(p + ', a name')}\n"),
        ("text/plain", lambda p: f"hello {new(p)}"),
        ("text/html", lambda p: f"<html><body title='{new(p)}'>{new.name(p + ', a name')}</body></html>"),
        ("application/octet-stream", lambda p: f"\0\1{new(p)}"),
        ("application/grpc", lambda p: f"\0\0\0\0\x1a\n\x18{new(p)}"),
        ("image/png", lambda p: f"\x89PNG{new(p)}"),
        ("", lambda p: new(p)),
        (JSON, lambda p: '{"broken": "' + new(p)),
    ):
        place = kind or "no media type"
        yield Call(
            method="POST",
            path=f"/v1/bodies/{kind.partition('.')[0].replace('/', '-').replace('+', '-')}",
            more={
                "http.request.header.content-type": kind,
                "http.response.header.content-type": kind,
                "levo.http.request.body": make(f"request {place}").encode(),
                "levo.http.response.body": make(f"response {place}").encode(),
            },
        )
    boundary = new("boundary")
    parts = (
        f'name="field"\r\n\r\n{new("multipart field")}',
        f'name="{new("multipart name")}"\r\n\r\n1',
        f'name="file"; filename="{new("file name")}"\r\nContent-Type: text/plain\r\n\r\n{new("file")}',
    )
    body = "".join(f"--{boundary}\r\nContent-Disposition: form-data; {part}\r\n" for part in parts)
    yield Call(
        method="POST",
        path="/v1/upload",
        more={
            "http.request.header.content-type": f"multipart/form-data; boundary={boundary}",
            "levo.http.request.body": f"{body}--{boundary}--\r\n".encode(),
        },
    )
    yield Call(
        method="POST",
        path="/graphql",
        more={
            "http.request.header.content-type": JSON,
            "levo.http.request.body": json.dumps(
                {
                    "operationName": "CreateUser",
                    "query": f'mutation CreateUser {{ user(id: "{new("GraphQL literal")}", in: $a) }}',
                    "variables": {"a": {"email": new("GraphQL variable"), "name": new.name("GraphQL name")}},
                }
            ),
            "levo.http.response.body": json.dumps({"data": {"user": {"id": new("GraphQL answer")}}}),
        },
    )


def _xml(new: Secrets, place: str) -> str:
    return (
        f'<?xml version="1.0"?><order xmlns:a="urn:{new(place + ", namespace")}" id="{new(place + ", id")}">'
        f"<name>{new.name(place + ', a name')}</name><!-- {new(place + ', comment')} -->"
        f"<![CDATA[{new(place + ', CDATA')}]]></order>"
    )


def _paths(new: Secrets) -> Iterator[Call]:
    yield Call(path=f"/v1/files/{new('path segment')}")
    yield Call(path=f"/v1/files/{new('path before another')}/content/{new('second path segment')}.json")
    yield Call(path=f"/v1/files/a%20{new('URL-encoded path segment')}%2Fb")
    yield Call(path=f"/v1/files;version={new('path parameter')}/x")
    yield Call(path=f"/v1/odata({new('quoted key')})")
    yield Call(path=f"/{new('first segment')}/orders")


def named_paths(new: Secrets) -> list[Call]:
    """Exchanges whose paths hold names of customers, which the answers name as well."""
    made = []
    for number in range(40):
        name = new.name(f"name in a path {number}")
        answer = json.dumps({"id": number, "name": name}).encode()
        more = {"http.response.header.content-type": JSON, "levo.http.response.body": answer}
        made += [Call(path=f"/v1/customers/{name}/orders", more=more)] * 3
    return made


def _failures(new: Secrets) -> Iterator[Call]:
    for status in (301, 400, 401, 403, 404, 405, 422, 500, None):
        yield Call(
            method="PUT" if status != 404 else "GET",
            path=f"/v1/failing/{new(f'path of {status}')}",
            status=status,
            more={
                "url.query": f"q={new(f'query of {status}')}",
                "http.response.header.content-type": JSON,
                "levo.http.request.body": json.dumps({"a": new(f"request of {status}")}),
                "levo.http.response.body": json.dumps({"error": f"no {new(f'response of {status}')}"}),
            },
        )
    yield Call(path=f"/{new('scanner')}/wp-login.php", status=404)
    yield Call(method=new("method"), path="/v1/search")


def names(new: Secrets) -> list[Call]:
    """Exchanges with a secret of letters only wherever a name stands; each comes several times, as it is."""
    made = [
        *_named_parameters(new),
        *_named_fields(new),
        *_named_parts(new),
        *_named_formats(new),
        *_named_operations(new),
        *_named_choices(new),
        *_named_heads(new),
        *_named_words(new),
        *_named_paths(new),
    ]
    return [call for call in made for _ in range(REPEATS)]


def _posted(path: str, kind: str, body: str, answer: str = '{"ok":true}', answer_kind: str = JSON) -> Call:
    return Call(
        method="POST",
        path=path,
        more={
            "http.request.header.content-type": kind,
            "http.response.header.content-type": answer_kind,
            "levo.http.request.body": body.encode(),
            "levo.http.response.body": answer.encode(),
        },
    )


def _named_parameters(new: Secrets) -> Iterator[Call]:
    yield Call(path="/v1/unsubscribe", more={"url.query": new.name("query without =")})
    yield Call(path="/v1/unsubscribe", more={"url.query": f"{new.name('a')}.{new.name('b')}&page=1"})
    yield Call(path="/v1/search", more={"url.query": f"{new.name('query parameter')}=1&q=2"})
    yield Call(
        path="/v1/me",
        more={
            "http.request.header.cookie": (
                f"{new.name('cookie without =')}; {new.name('cookie')}=1; {new.name('session')}session=2"
            ),
            f"http.request.header.x-{new.name('header').lower()}": "1",
            f"http.request.header.{new.name('key header').lower()}-api-key": "1",
            f"http.response.header.x-{new.name('response header').lower()}": "1",
            "http.response.header.set-cookie": f"{new.name('set-cookie')}=1",
        },
    )


def _named_fields(new: Secrets) -> Iterator[Call]:
    """Names within the values of header fields and parameters, which standards define or extensions add."""
    fields = {
        "authorization": f"{new.name('authentication scheme')} {new.name('credential')}",
        "content-type": f"application/json; {new.name('media parameter')}=1; charset={new.name('charset')}",
        "accept": f"{new.name('accepted type')}/{new.name('accepted subtype')}",
        "accept-language": new.name("language"),
        "access-control-request-headers": new.name("header asked for"),
        "cache-control": f"{new.name('directive')}=1",
        "content-encoding": new.name("coding"),
        "expect": new.name("expectation"),
        "forwarded": f"{new.name('forwarded')}=1",
        "link": f'</next>; rel="{new.name("relation")}"',
        "origin": f"https://{new.name('origin').lower()}.example",
        "prefer": new.name("preference"),
        "range": f"{new.name('unit')}=1-2",
        "sec-websocket-protocol": new.name("subprotocol"),
        "soapaction": f'"urn:{new.name("SOAP action")}"',
        "traceparent": new.name("trace"),
        "tracestate": f"{new.name('trace state')}=1",
        "x-http-method-override": new.name("override").upper(),
    }
    yield Call(
        path="/v1/fields",
        more={f"http.request.header.{name}": value for name, value in fields.items()}
        | {
            "http.response.header.content-type": f"text/{new.name('answered type')}; a=1",
            "http.response.header.www-authenticate": f'{new.name("challenge")} realm="{new.name("realm")}"',
            "http.response.header.set-cookie": f"sid=1; {new.name('attribute of a cookie')}=2",
            "http.response.header.vary": new.name("varying header"),
            "http.response.header.trailer": new.name("trailer in a list"),
            "http.response.header.access-control-allow-methods": new.name("allowed method").upper(),
            f"levo.http.request.trailer.x-{new.name('request trailer').lower()}": "1",
            f"levo.http.response.trailer.x-{new.name('response trailer').lower()}": "1",
        },
    )
    yield Call(method=new.name("method").upper(), path="/v1/fields")
    for query in (
        f"filter[{new.name('key of a parameter')}]=1&page[{new.name('key of a page')}][x]=1",
        f"fields.{new.name('behind a dot')}=1;{new.name('behind a semicolon')}=2",
        f"%24{new.name('OData option')}=1&%40{new.name('OData alias')}=1",
        f"q=%7B%22{new.name('JSON in a parameter')}%22%3A1%7D",
        f"sort=-{new.name('sort key')}&include={new.name('included')}.{new.name('included too')}",
    ):
        yield Call(path="/v1/search", more={"url.query": query})


def _named_parts(new: Secrets) -> Iterator[Call]:
    def mapped(place: str) -> str:
        return json.dumps(
            {
                new.name(f"{place}, key"): {"diagnosis": "x"},
                f"{new.name(f'{place}, first word')}_{new.name(f'{place}, second word')}".lower(): {
                    "diagnosis": 1
                },
                "list": [{new.name(f"{place}, in a list"): 1}, {new.name(f"{place}, in a list again"): 1}],
            }
        )

    yield _posted("/v1/patients", JSON, mapped("request"), mapped("response"))
    refused = _posted("/v1/refused", JSON, "{}", mapped("refusal"))
    yield Call(method="POST", path="/v1/refused", status=422, more=refused.more)
    yield _posted("/v1/form", FORM, new.name("form without ="))
    yield _posted("/v1/form", FORM, f"{new.name('form field')}=1&{new.name('form array')}[]=2")
    for kind in ("text/csv", "text/csv; header=present"):
        rows = [",".join(new.name(f"{kind}, cell {row} {column}") for column in range(3)) for row in range(4)]
        yield _posted("/v1/table", kind, "\n".join(rows), "\n".join(rows), "text/csv")
    yield _posted(
        "/v1/xml",
        "application/xml",
        f'<{new.name("broken XML")} {new.name("broken attribute")}="1"><{new.name("unclosed")}>',
    )
    element, inner = new.name("element"), new.name("inner element")
    yield _posted(
        "/v1/xml", "text/xml", f'<{element} {new.name("attribute")}="1"><{inner}>2</{inner}></{element}>'
    )
    subtype = f"application/vnd.{new.name('media subtype').lower()}+json"
    yield _posted(
        "/v1/media", subtype, "{}", "{}", f"application/{new.name('subtype of the answer').lower()}"
    )
    boundary = "boundary"
    parts = (
        f'form-data; name="{new.name("part")}"\r\n\r\n1',
        f'form-data; filename="a; name={new.name("in a file name")}"\r\n\r\n1',
        f'form-data; name="file"; filename="b; name={new.name("in another file name")}.txt"\r\n\r\n1',
        f'form-data; filename="c\\"; name={new.name("behind a quote")}"; name="file"\r\n\r\n1',
    )
    body = "".join(f"--{boundary}\r\nContent-Disposition: {part}\r\n" for part in parts)
    yield _posted("/v1/upload", f"multipart/form-data; boundary={boundary}", f"{body}--{boundary}--\r\n")


def _named_formats(new: Secrets) -> Iterator[Call]:
    """Names where a format of its own has them: annotations, links, events, columns, envelopes."""

    def document(place: str) -> str:
        return json.dumps(
            {
                f"@{new.name(f'{place}, annotation')}.{new.name(f'{place}, its term')}": 1,
                f"name@{new.name(f'{place}, of a property')}.type": "x",
                f"${new.name(f'{place}, with a dollar')}": 1,
                "_links": {new.name(f"{place}, link"): {"href": "/x"}},
                "@context": {new.name(f"{place}, term of a context"): "http://schema.org/name"},
                "data": [{"type": new.name(f"{place}, type"), "attributes": {}, "relationships": {}}],
                "inner": json.dumps({new.name(f"{place}, in a text"): 1}),
            }
        )

    yield _posted("/v1/formats", JSON, document("request"), document("response"))
    lines = [json.dumps({new.name(f"line {number}"): 1}) for number in range(2)]
    yield _posted(
        "/v1/lines", "application/x-ndjson", "\n".join(lines), "\n".join(lines), "application/jsonl"
    )
    events = f'event: {new.name("event")}\nid: 1\ndata: {{"{new.name("in an event")}": 1}}\n\n'
    yield _posted("/v1/events", JSON, "{}", events, "text/event-stream")
    yield _posted("/v1/form", FORM, f"a[{new.name('form key')}]=1&b.{new.name('form member')}=2")
    yield _posted("/v1/form", FORM, f"a=%7B%22{new.name('JSON in a form')}%22%3A1%7D")
    table = f"{new.name('tab column')}\t{new.name('another tab column')}\n1\t2\n"
    yield _posted("/v1/table", "text/tab-separated-values", table, table, "text/tab-separated-values")
    yield _posted("/v1/yaml", "application/yaml", f"{new.name('YAML key')}: 1\n")
    yield _posted("/v1/plain", "text/plain", f"{new.name('plain text')}: {new.name('its value')}\n")
    yield _posted("/v1/none", "", json.dumps({new.name("without a media type"): 1}))
    element, prefix = new.name("SOAP element"), new.name("prefix")
    yield _posted(
        "/v1/soap",
        "application/soap+xml",
        f"<?{new.name('instruction')} x?><!DOCTYPE {new.name('document type')}>"
        f'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:{prefix}="urn:x">'
        f"<e:Body><{prefix}:{element}/></e:Body></e:Envelope>",
    )
    boundary = "boundary"
    part = (
        f"--{boundary}\r\nContent-Type: text/{new.name('type of a part')}\r\n"
        f"X-{new.name('header of a part')}: 1\r\nContent-ID: <{new.name('id of a part')}>\r\n\r\n1\r\n"
        f"--{boundary}--\r\n"
    )
    for kind in ("form-data", "mixed", "related"):
        yield _posted("/v1/parts", f"multipart/{kind}; boundary={boundary}", part)


def _named_operations(new: Secrets) -> Iterator[Call]:
    for query in (
        f"query {new.name('GraphQL operation')} {{ user {{ id }} }}",
        f"{{ {new.name('GraphQL field')} {{ id }} }}",
        f"mutation ($a: {new.name('GraphQL type')}) {{"
        f" {new.name('alias')}: {new.name('other field')}(in: $a) {{ id }} }}",
    ):
        body = json.dumps({"query": query, "variables": {new.name("GraphQL variable"): 1}})
        yield _posted("/graphql", JSON, body, json.dumps({"data": {new.name("GraphQL answer"): {"id": 1}}}))
    yield _posted(
        "/graphql", JSON, json.dumps([{"query": f"{{ {new.name(f'batch {n}')} }}"} for n in range(2)])
    )
    yield Call(path="/graphql", more={"url.query": f"query=%7B{new.name('GraphQL in a query')}%7D"})
    query = f"query Known @{new.name('directive')} {{ ...{new.name('fragment')} a(b: {new.name('enum')}) }}"
    persisted = {"operationName": new.name("other operation"), "id": new.name("persisted id")}
    yield _posted("/graphql", JSON, json.dumps({"query": query, **persisted}))
    yield _posted("/graphql", JSON, json.dumps({"documentId": new.name("document"), **persisted}))
    for call in (
        {"method": new.name("JSON-RPC method"), "params": {new.name("JSON-RPC parameter"): 1}},
        {"method": f"{new.name('JSON-RPC space')}.{new.name('JSON-RPC member')}", "params": []},
    ):
        answer = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {new.name(f"result {len(new.made)}"): 1}})
        yield _posted("/rpc", JSON, json.dumps({"jsonrpc": "2.0", "id": 1, **call}), answer)
    service, method = new.name("gRPC service"), new.name("gRPC method")
    yield Call(
        method="POST",
        path=f"/shop.{service}/{method}",
        more={"http.request.header.content-type": "application/grpc", "rpc.system": "grpc"},
    )


def _named_choices(new: Secrets) -> Iterator[Call]:
    """Operations that a parameter, a header or an element chooses."""
    for path, query in (
        ("/admin-ajax.php", f"action={new.name('action of a program')}"),
        ("/aws", f"Action={new.name('action of AWS')}&Version=2011-01-01"),
        ("/ows", f"service=WMS&request={new.name('request of OGC')}"),
        ("/webhdfs/v1/x", f"op={new.name('operation of WebHDFS').upper()}"),
        ("/x.cgi", f"cmd={new.name('command')}&op={new.name('operation beside it')}"),
        (
            "/graphql",
            f"operationName={new.name('operation in a query')}"
            "&extensions=%7B%22persistedQuery%22%3A%7B%7D%7D",
        ),
    ):
        yield Call(path=path, more={"url.query": query})
        yield _posted(path, FORM, query)
    persisted = {"operationName": new.name("persisted operation"), "extensions": {"persistedQuery": {}}}
    yield _posted("/graphql", JSON, json.dumps(persisted))
    subscription = {"query": f"subscription {new.name('subscription')} {{ a }}"}
    yield _posted("/graphql", JSON, json.dumps(subscription))
    document = f"query {new.name('GraphQL as a media type')} {{ {new.name('its field')} }}"
    yield _posted("/graphql", "application/graphql", document)
    batch = [{"jsonrpc": "2.0", "id": n, "method": new.name(f"JSON-RPC in a batch {n}")} for n in range(2)]
    yield _posted("/rpc", JSON, json.dumps(batch))
    yield _posted("/soap", "text/xml", f"<Envelope><Body><{new.name('element of SOAP')}/></Body></Envelope>")
    action = f'application/soap+xml; action="urn:{new.name("action of SOAP 1.2")}"'
    yield _posted("/soap", action, "<Envelope><Body/></Envelope>")
    path = f"/shop.{new.name('service of gRPC-Web')}/{new.name('method of gRPC-Web')}"
    yield _posted(path, "application/grpc-web+proto", "\0\0\0\0\0", "", "application/grpc-web+proto")


def _named_heads(new: Secrets) -> Iterator[Call]:
    """Words in header fields, trailers, hosts and attributes of a span."""
    yield Call(path="/v1/head", more={"http.request.header.authorization": f"{new.name('scheme')} x"})
    yield Call(path="/v1/head", more={"http.request.header.authorization": new.name("credential alone")})
    challenge = f'{new.name("challenge")} realm="{new.name("realm")}"'
    yield Call(path="/v1/head", status=401, more={"http.response.header.www-authenticate": challenge})
    yield Call(
        path="/v1/head",
        more={
            "http.request.header.sec-websocket-protocol": new.name("protocol of a WebSocket"),
            "http.request.header.x-forwarded-for": new.name("forwarded for"),
            "http.response.header.link": f'</x>; rel="{new.name("relation")}"',
            "http.response.header.deprecation": new.name("deprecation"),
            "http.response.header.ratelimit-policy": new.name("policy"),
            f"levo.http.request.trailer.x-{new.name('trailer').lower()}": "1",
            f"levo.http.response.trailer.x-{new.name('trailer of an answer').lower()}": "1",
        },
    )
    yield _posted("/v1/head", f"{new.name('type').lower()}/{new.name('its subtype').lower()}", "x")
    yield _posted("/v1/head", f"{JSON}; {new.name('parameter of a type')}={new.name('its value')}", "{}")
    attributes = (
        "network.protocol.name", "network.protocol.version", "error.type", "http.route",
        "http.request.method_original", "rpc.method", "rpc.service", "client.address",
        "network.peer.address", "tls.server.name", "graphql.operation.name", "levo.anomalies",
    )  # fmt: skip
    yield Call(path="/v1/head", more={each: new.name(f"attribute {each}") for each in attributes})
    yield Call(path="/v1/head", host=f"{new.name('user of a host').lower()}@shop.example")
    yield Call(path="/v1/head", host=f"{new.name('label of a host').lower()}.example")


def _named_words(new: Secrets) -> Iterator[Call]:
    """Values of properties that often have public words, and names in what is refused."""

    def document(place: str) -> str:
        keys = ("@type", "__typename", "$schema", "kind", "status", "state", "currency", "lang", "role")
        return json.dumps(
            {
                **{key: new.name(f"{place}, {key}") for key in keys},
                "enum": [new.name(f"{place}, one of a list") for _ in range(2)],
                "errors": [{"code": new.name(f"{place}, code"), "field": new.name(f"{place}, field")}],
            }
        )

    yield _posted("/v1/words", JSON, document("request"), document("response"))
    for status in (302, 401, 404, 500):
        made = _posted(
            "/v1/failed",
            JSON,
            json.dumps({new.name(f"request of {status}"): 1}),
            json.dumps({new.name(f"answer of {status}"): 1}),
        )
        yield Call(method="POST", path="/v1/failed", status=status, more=made.more)
    parts = (
        f"name*=utf-8''{new.name('extended name')}\r\n\r\n1",
        f"name={new.name('name without quotes')}\r\n\r\n1",
        f"name=\"x\"; filename*=utf-8''{new.name('extended file name')}\r\n\r\n1",
    )
    body = "".join(f"--b\r\nContent-Disposition: form-data; {part}\r\n" for part in parts)
    yield _posted("/v1/parts", "multipart/form-data; boundary=b", f"{body}--b--\r\n")
    for query in (
        f"a[{new.name('bracket')}][{new.name('inner bracket')}]=1&%5B{new.name('escaped bracket')}%5D=1",
        f"filter=({new.name('name of RSQL')}%3D%3D1)&$filter={new.name('name of OData')}%20eq%201",
    ):
        yield Call(path="/v1/words", more={"url.query": query})


def _named_paths(new: Secrets) -> Iterator[Call]:
    yield Call(path=f"/v1/orders/17:{new.name('verb').lower()}")
    yield Call(path=f"/odata/Orders({new.name('OData key')}='{new.name('OData value')}')")
    yield Call(path=f"/odata/{new.name('OData name')}(17)")


def as_messages(call: Call) -> tuple[bytes, bytes]:
    """Request and response of *call* as HTTP/1.1 writes them."""
    more = {key: value.encode() if isinstance(value, str) else value for key, value in call.more.items()}
    query = more.get("url.query", b"")
    target = call.path.encode() + (b"?" + query if query else b"")

    def message(start: bytes, side: str) -> bytes:
        prefix = f"http.{side}.header."
        body = more.get(f"levo.http.{side}.body", b"")
        lines = [
            start,
            *(f"{k[len(prefix) :]}: ".encode() + v for k, v in more.items() if k.startswith(prefix)),
        ]
        if side == "request":
            lines.append(f"Host: {call.host}".encode())
        return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", b""]) + body

    return (
        message(b"%s %s HTTP/1.1" % (call.method.encode(), target), "request"),
        message(b"HTTP/1.1 %d X" % (call.status or 200), "response"),
    )
