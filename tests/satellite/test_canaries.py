"""Secrets through every input of a running Satellite and of ``levo learn`` are nowhere in what they write."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.cli.levo_command import levo
from tests.helpers.conversation import converse, exchanges_as_turns
from tests.helpers.packets import Ends, capture_segments
from tests.helpers.pcap import write_pcap
from tests.satellite import canaries
from tests.satellite.canaries import Secrets
from tests.satellite.requests import Call, traces
from tests.satellite.running import RunningSatellite

PROTOBUF = {"content_type": "application/x-protobuf"}
PLACE = "application=shop&environment=staging"
STARTS = (
    *[
        "/",
        "/catalog",
        "/sensors",
        "/sensitive",
        "/changes",
        "/encrypted",
        "/reference",
        "/settings",
        "/metrics",
        "/api",
    ],
    *["/api/summary", "/api/endpoints?limit=1000", "/api/applications", "/api/sensors", "/api/events"],
    *["/api/sensitive", "/api/findings", "/api/changes", "/api/endpoints?format=csv", "/api/doesnotexist"],
    *(
        f"/api/openapi?{PLACE}&version={version}{more}"
        for version in ("3.0", "3.1")
        for more in ("", "&plain=1", "&format=yaml")
    ),
)


def pages(satellite: RunningSatellite) -> dict[str, bytes]:
    """Every page and document that can be reached, with its headers."""
    found: dict[str, bytes] = {}
    left = [*STARTS, *(f"/api/endpoints/{row['id']}" for row in satellite.endpoints("?limit=1000"))]
    while left:
        place = left.pop()
        if place in found:
            continue
        answer = satellite.get(place)
        found[place] = repr(sorted(answer.headers.items())).encode() + answer.body
        if "html" in answer.headers.get("content-type", ""):
            for link in re.findall(rb'(?:href|src|action)="(/[^"#]*)"', answer.body):
                target = link.decode().replace("&amp;", "&")
                if not target.startswith(("/static", "/live", "/logout")):
                    left.append(target)
    return found


def files(*folders: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for folder in folders
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_a_satellite_keeps_no_secret_of_any_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = Secrets(int.from_bytes(os.urandom(8)))
    data, temporary = tmp_path / "data", tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    calls = canaries.calls(new)
    request = traces(calls)
    for span in request.resource_spans[0].scope_spans[0].spans:
        span.name = f"GET {new('name of a span')}" if "name of a span" not in new.made else "GET"
        span.status.message = new.made["name of a span"]
        span.trace_state = f"a={new.made['name of a span']}"
        event = span.events.add(name=new.made["name of a span"])
        event.attributes.add(key="exception.message").value.string_value = new.made["name of a span"]
    octets = request.SerializeToString()
    with RunningSatellite(data, proof=True) as satellite:
        assert satellite.post("/v1/traces", octets, **PROTOBUF).status == 200
        summary = satellite.until_learned(len(calls))
        assert summary["counters"]["learned_traces"] == len(calls)
        # The same in JSON, broken, and to a place that does not exist: errors must not repeat what they got.
        broken = {"damaged": octets[:-7], "no text": octets.replace(b"shop.example", b"\xff\xfeop.example")}
        for body in broken.values():
            satellite.post("/v1/traces", body, **PROTOBUF)
        satellite.post("/v1/traces", octets[:1000], content_type="application/json")
        satellite.post(f"/v1/{new('place of a request')}", octets[:100], **PROTOBUF)
        satellite.get(f"/catalog?q={new('search')}")
        exported = levo("openapi", "export", "shop", "--environment", "staging", "--satellite", satellite.web)
        while_running = files(data, temporary) | pages(satellite)
        assert satellite.terminate() == 0
        written = while_running | {f"{name} at the end": o for name, o in files(data, temporary).items()}
    written["standard error"] = satellite.errors.encode()
    written["levo openapi export"] = (exported.stdout + exported.stderr).encode()

    assert exported.returncode == 0 and "/v1/bodies" in exported.stdout
    assert len(written) > 60
    assert not (found := canaries.leaks(new, written)), "\n".join(found)


def test_names_in_paths_are_neither_shown_nor_kept(tmp_path: Path) -> None:
    new = Secrets(3)
    calls = canaries.named_paths(new)
    with RunningSatellite(tmp_path) as satellite:
        assert satellite.post("/v1/traces", traces(calls).SerializeToString(), **PROTOBUF).status == 200
        satellite.until_learned(len(calls))
        assert any(row["path"].startswith("/v1/customers/{") for row in satellite.endpoints())
        written = pages(satellite)
        assert satellite.terminate() == 0

    assert not (found := canaries.leaks(new, written | files(tmp_path))), "\n".join(found)


def ordinary(count: int) -> list[Call]:
    """Requests of two clients that prove their names."""
    return [
        Call(
            path="/v1/proven",
            more={
                "client.address": f"10.0.0.{number % 2 + 1}",
                "url.query": f"provenparameter={number}",
                "http.response.header.content-type": "application/json",
                "levo.http.response.body": json.dumps({"provenProperty": number}),
            },
        )
        for number in range(count)
    ]


def kept_names(satellite: RunningSatellite, data: Path) -> dict[str, bytes]:
    """All that a Satellite shows, says and leaves behind, once it has ended."""
    exported = levo("openapi", "export", "shop", "--environment", "staging", "--satellite", satellite.web)
    assert (
        exported.returncode == 0
        and "provenparameter" in exported.stdout
        and "provenProperty" in exported.stdout
    )
    written = pages(satellite) | files(data)
    assert satellite.terminate() == 0
    written |= {f"{name} at the end": octets for name, octets in files(data).items()}
    written["standard error"] = satellite.errors.encode()
    written["levo openapi export"] = (exported.stdout + exported.stderr).encode()
    return written


def test_no_value_that_stands_where_a_name_is_expected_is_kept(tmp_path: Path) -> None:
    """Letters only, each of them eight times from one client."""
    new = Secrets(int.from_bytes(os.urandom(8)))
    calls = [*canaries.names(new), *ordinary(6)]
    with RunningSatellite(tmp_path, "--host-names", "proven", proof=True) as satellite:
        assert satellite.post("/v1/traces", traces(calls).SerializeToString(), **PROTOBUF).status == 200
        satellite.until_learned(len(calls))
        written = kept_names(satellite, tmp_path)

    assert len(new.made) > 150
    assert not (found := canaries.leaks(new, written)), "\n".join(found)


def test_nor_does_a_sensor_hand_on_one_that_is_kept(tmp_path: Path) -> None:
    """As packets that a sensor reads. gRPC needs HTTP/2: here its names would be words in paths."""
    new = Secrets(int.from_bytes(os.urandom(8)))
    calls = [call for call in canaries.names(new) if "rpc.system" not in call.more]
    segments = converse(exchanges_as_turns([canaries.as_messages(call) for call in calls]))
    capture = write_pcap(tmp_path / "names.pcap", capture_segments(segments, Ends()))
    data = tmp_path / "data"
    with RunningSatellite(data, "--host-names", "proven", proof=True) as satellite:
        proven = ordinary(6)
        assert satellite.post("/v1/traces", traces(proven).SerializeToString(), **PROTOBUF).status == 200
        url = f"--satellite-url={satellite.web}"
        options = ("--service-name=shop", "--levo-env=staging", "--rate-limit=0", "--output=otlp")
        done = levo("apidump", "--config=/dev/null", "--read", str(capture), url, *options)
        assert done.returncode == 0, done.stderr
        satellite.until_learned(len(calls) + len(proven))
        written = kept_names(satellite, data)

    written["output of the sensor"] = (done.stdout + done.stderr).encode()
    assert not (found := canaries.leaks(new, written)), "\n".join(found)


def test_levo_learn_shows_what_recurs_in_as_many_objects_as_it_is_told(tmp_path: Path) -> None:
    entries = [
        {
            "startedDateTime": "2026-01-01T00:00:00Z",
            "time": 3,
            "request": {
                "method": "GET",
                "url": f"http://shop.example/things?always={n}&once{n}a=1",
                "headers": [],
            },
            "response": {"status": 200, "headers": []},
        }
        for n in range(3)
    ]
    file = tmp_path / "calls.har"
    file.write_text(json.dumps({"log": {"version": "1.2", "creator": {"name": "x"}, "entries": entries}}))

    assert '"once0a"' in levo("learn", str(file)).stdout
    done = levo("learn", str(file), "--min-objects", "3")
    assert '"always"' in done.stdout and "once" not in done.stdout
    assert "3 names not yet proven" in done.stderr


def test_without_a_rule_the_values_would_be_kept(tmp_path: Path) -> None:
    """The test above can fail."""
    new = Secrets(5)
    calls = canaries.names(new)
    with RunningSatellite(tmp_path) as satellite:
        assert satellite.post("/v1/traces", traces(calls).SerializeToString(), **PROTOBUF).status == 200
        satellite.until_learned(len(calls))
        assert satellite.terminate() == 0

    found = {leak.partition(":")[0] for leak in canaries.leaks(new, files(tmp_path))}
    assert len(found) > 30


def test_what_recurs_is_a_name(tmp_path: Path) -> None:
    """In three different objects and, where clients choose it, from two of them."""
    new = Secrets(6)
    alone, asked, answered, twice = (
        new.name(each).lower() for each in ("alone", "asked", "answered", "twice")
    )

    def call(number: int) -> Call:
        client = f"10.0.0.{number % 2 + 1}"
        mine = f"&{alone}={number}" if number % 2 else ""
        rare = f"&{twice}={number}" if number < 2 else ""
        return Call(
            path="/v1/things",
            more={
                "client.address": client,
                "url.query": f"{asked}={number}{mine}{rare}",
                "http.response.header.content-type": "application/json",
                "levo.http.response.body": json.dumps({answered: number}),
            },
        )

    with RunningSatellite(tmp_path, proof=True) as satellite:
        calls = [call(number) for number in range(8)]
        for each in calls:
            assert satellite.post("/v1/traces", traces([each]).SerializeToString(), **PROTOBUF).status == 200
        satellite.until_learned(len(calls))
        document = satellite.get(f"/api/openapi?{PLACE}").body.decode()

    assert asked in document and answered in document
    assert alone not in document and twice not in document
    assert '"x-levo-unproven-names":2' in document.replace(" ", "")


@pytest.mark.parametrize("version", ["3.0", "3.1"])
def test_levo_learn_shows_no_secret_of_a_har(tmp_path: Path, version: str) -> None:
    new = Secrets(int.from_bytes(os.urandom(8)))
    file = tmp_path / "calls.har"
    file.write_text(canaries.har(new))

    done = levo("learn", str(file), "--openapi", version)

    assert done.returncode == 0 and "/v1/bodies" in done.stdout
    assert not (
        found := canaries.leaks(new, {"output": done.stdout.encode(), "messages": done.stderr.encode()})
    ), "\n".join(found)


def test_the_search_finds_what_is_there() -> None:
    new = Secrets(1)
    secret = new("somewhere")

    for form, octets in canaries.forms(secret):
        assert f"somewhere: {form} in file" in canaries.leaks(new, {"file": b"before" + octets + b"after"})
    assert not (found := canaries.leaks(new, {"file": b"nothing"})), "\n".join(found)
    assert len(canaries.calls(Secrets(2))) > 100 and isinstance(canaries.calls(Secrets(2))[0], Call)
