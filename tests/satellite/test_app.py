"""The whole Satellite as a process: durable, restartable, one at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import grpc

from tests.satellite.requests import RESOURCE, Call, metrics, traces
from tests.satellite.running import RunningSatellite, fetch, until
from tests.satellite.store.earlier import restore_earlier

PROTOBUF = {"content_type": "application/x-protobuf"}
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def learners_of(satellite: RunningSatellite) -> list[int]:
    children = Path(f"/proc/{satellite.process.pid}/task/{satellite.process.pid}/children").read_text()
    return [
        int(child)
        for child in children.split()
        if b"levo.satellite.learner" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def learner_of(satellite: RunningSatellite) -> int:
    (learner,) = learners_of(satellite)
    return learner


def send_until_failure(satellite: RunningSatellite, acknowledged: list[int], sent: list[int]) -> None:
    """Export batches over one connection; count spans sent, and spans acknowledged."""
    with grpc.insecure_channel(satellite.grpc) as channel:
        export = channel.unary_unary(EXPORT)
        while True:
            calls = [Call(path=f"/orders/{number}", weight=2) for number in range(7)]
            sent.append(len(calls))
            try:
                export(traces(calls).SerializeToString(), timeout=90)
            except grpc.RpcError:
                return
            acknowledged.append(len(calls))


def test_a_killed_satellite_loses_no_acknowledged_trace_and_learns_none_twice(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    sent: list[int] = []
    for _ in range(2):
        with RunningSatellite(tmp_path) as satellite:
            before = len(acknowledged)
            senders = [
                threading.Thread(target=send_until_failure, args=(satellite, acknowledged, sent))
                for _ in range(4)
            ]
            for sender in senders:
                sender.start()
            until(lambda before=before: len(acknowledged) - before > 400)  # type: ignore[misc]
            satellite.kill()
            for sender in senders:
                sender.join()

    with RunningSatellite(tmp_path) as satellite:
        summary = satellite.until_idle()

        assert sum(acknowledged) <= summary["counters"]["learned_traces"] <= sum(sent)
        assert summary["count"] == 2 * summary["counters"]["learned_traces"]
        assert satellite.metric("levo_satellite_journal_damaged_total") == 0


def test_a_killed_learner_is_replaced_and_each_trace_learned_exactly_once(tmp_path: Path) -> None:
    with RunningSatellite(tmp_path) as satellite:
        accepted = 0
        for _ in range(3):
            learner = learner_of(satellite)
            for number in range(40):
                body = traces([Call(path=f"/orders/{n}") for n in range(20)]).SerializeToString()
                assert satellite.post("/v1/traces", body, **PROTOBUF).status == 200
                accepted += 20
                if number == 25:
                    os.kill(learner, signal.SIGKILL)
            until(lambda learner=learner: satellite.metric("levo_satellite_learner_up") == 1)  # type: ignore[misc]
        summary = satellite.until_learned(accepted)
        satellite.until_idle()

        assert summary["counters"]["learned_traces"] == accepted
        assert satellite.metric("levo_satellite_learner_restarts_total") == 3


def test_sigterm_learns_what_was_accepted_and_ends_well(tmp_path: Path) -> None:
    with RunningSatellite(tmp_path) as satellite:
        for number in range(10):
            body = traces([Call(path=f"/users/{number}/orders")] * 30).SerializeToString()
            assert satellite.post("/v1/traces", body, **PROTOBUF).status == 200

        assert satellite.terminate() == 0
        assert satellite.errors == ""

    assert not list((tmp_path / "journal").glob("*.segment"))
    with RunningSatellite(tmp_path) as satellite:
        (endpoint,) = satellite.endpoints()
        assert (endpoint["path"], endpoint["count"]) == ("/users/{userId}/orders", 300)


def test_sigterm_ends_open_event_streams(tmp_path: Path) -> None:
    with RunningSatellite(tmp_path) as satellite:
        reader = subprocess.Popen(["curl", "-sN", satellite.web + "/live"], stdout=subprocess.PIPE)
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"retry: 2000\n"

        assert satellite.terminate() == 0
        assert reader.wait(60) == 0
        reader.stdout.close()


def test_a_data_directory_belongs_to_one_satellite(tmp_path: Path) -> None:
    with RunningSatellite(tmp_path):
        second = subprocess.run(
            [
                sys.executable,
                "-m",
                "levo",
                "satellite",
                "--data-dir",
                str(tmp_path),
                "--listen",
                "127.0.0.1:0",
            ],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    assert second.returncode == 1
    assert second.stderr.count("\n") == 1 and "in use by another Satellite" in second.stderr


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with RunningSatellite(tmp_path / "first") as first:
        for flag in ("--listen", "--otlp-http", "--otlp-grpc"):
            others = [f for f in ("--listen", "--otlp-http", "--otlp-grpc") if f != flag]
            second = subprocess.run(
                [sys.executable, "-m", "levo", "satellite", "--data-dir", str(tmp_path / "second")]
                + [flag, first.grpc]
                + [part for other in others for part in (other, "127.0.0.1:0")],
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
            assert second.returncode == 1
            assert f"{flag} {first.grpc}: cannot listen there" in second.stderr.splitlines()[-1]


def test_secrets_are_in_no_file(tmp_path: Path) -> None:
    """Neither while the journal holds them nor after they were learned from, and not in what is printed."""
    secrets = [f"canary{number}Zx81kd92mQ" for number in range(6)]
    more = {
        "url.query": f"token={secrets[0]}",
        "http.request.header.authorization": secrets[1],
        "levo.http.request.body": f'{{"password": "{secrets[2]}"}}',
        "levo.http.response.body": secrets[3].encode(),
    }
    call = Call(path=f"/users/{secrets[4]}", more=more)
    with RunningSatellite(tmp_path) as satellite:
        os.kill(learner_of(satellite), signal.SIGSTOP)
        try:
            assert satellite.post("/v1/traces", traces([call]).SerializeToString(), **PROTOBUF).status == 200
            assert list((tmp_path / "journal").glob("*.segment"))
            assert find_secrets(tmp_path, secrets) == []
        finally:
            os.kill(learner_of(satellite), signal.SIGCONT)
        satellite.until_learned(1)
        satellite.until_idle()
        pages = b"".join(
            satellite.get(path).body for path in ("/", "/api/endpoints", "/api/sensors", "/metrics")
        )
        assert satellite.terminate() == 0
        assert find_secrets(tmp_path, secrets) == []
        assert not [secret for secret in secrets if secret in pages.decode() + satellite.errors]


def find_secrets(folder: Path, secrets: list[str]) -> list[str]:
    import base64

    found = []
    for file in folder.rglob("*"):
        octets = file.read_bytes() if file.is_file() else b""
        for secret in secrets:
            raw = secret.encode()
            # Base64 of the inside of a secret, at each of the three alignments.
            forms = [raw, raw.hex().encode(), *(base64.b64encode(raw[shift:-2])[:12] for shift in range(3))]
            found += [f"{file.name}: {secret}" for form in forms if form in octets or form.upper() in octets]
    return found


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with RunningSatellite(data_dir) as satellite:
        satellite.post("/v1/traces", traces([Call()]).SerializeToString(), **PROTOBUF)
        modes = {
            p.relative_to(data_dir).as_posix(): p.stat().st_mode & 0o077
            for p in [data_dir, *data_dir.rglob("*")]
        }

    assert "journal/journal.key" in modes and "catalog.sqlite3" in modes
    assert not any(modes.values())


def test_a_sensor_shows_up_with_the_last_values_of_its_ledger(tmp_path: Path) -> None:
    resource = {**RESOURCE, "host.name": "box-7", "secret.note": "not for the catalog"}
    with RunningSatellite(tmp_path) as satellite:
        for value, time_ns in ((5, 3_000_000_000), (7, 2_000_000_000), (9, 1_000_000_000)):
            body = metrics({"levo.packets": value, "other.cpu": 1}, resource, time_ns).SerializeToString()
            answer = satellite.post("/v1/metrics", body, base=satellite.otlp_http, **PROTOBUF)
            assert answer.status == 200
        with grpc.insecure_channel(satellite.grpc) as channel:
            method = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
            last = metrics({"levo.packets": 11, "levo.ratio": 0.5}, resource)
            channel.unary_unary(method)(last.SerializeToString())
        satellite.until_idle()
        (sensor,) = satellite.get("/api/sensors").json()["sensors"]

    assert (sensor["sensor"], sensor["attributes"]["host.name"]) == ("sensor-1", "box-7")
    assert "secret.note" not in sensor["attributes"]
    assert {m["name"]: (m["value"], m["labels"]) for m in sensor["metrics"]} == {
        "levo.packets": (11, {"state": "exported"}),
        "levo.ratio": (0.5, {"state": "exported"}),
    }


def test_it_starts_on_the_data_of_the_version_before_twice(tmp_path: Path) -> None:
    restore_earlier(tmp_path, killed=True)
    for _ in range(2):
        with RunningSatellite(tmp_path) as satellite:
            assert satellite.get("/readyz").status == 200
            assert satellite.get("/login").status == 200, "there is an account"
            assert satellite.terminate() == 0
    assert sorted(path.name for path in tmp_path.glob("*.sqlite3")) == ["catalog.sqlite3", "userdata.sqlite3"]


def test_what_people_say_about_paths_is_applied_without_traffic_and_after_a_crash(tmp_path: Path) -> None:
    def shown(satellite: RunningSatellite) -> set[str]:
        return {row["path"] for row in satellite.endpoints()}

    calls = [Call(path=path) for path in ("/rooms/1", "/rooms/2", "/rooms/main")]
    with RunningSatellite(tmp_path) as satellite:
        satellite.post("/v1/traces", traces(calls).SerializeToString(), **PROTOBUF)
        satellite.until_learned(3)
        until(lambda: shown(satellite) == {"/rooms/{roomId}", "/rooms/main"})
        (row,) = [row for row in satellite.endpoints() if row["path"] == "/rooms/main"]
        decided = satellite.post(
            f"/api/endpoints/{row['id']}/decisions",
            b'{"kind": "merge", "detail": "/rooms/{place}"}',
            content_type="application/json",
        )
        until(lambda: shown(satellite) == {"/rooms/{place}"})
        learner = learner_of(satellite)
        os.kill(learner, signal.SIGSTOP)
        number = decided.json()["decision"]
        assert fetch("DELETE", f"{satellite.web}/api/decisions/{number}", None, {}).status == 204
        os.kill(learner, signal.SIGKILL)  # it has not heard of it
        until(lambda: shown(satellite) == {"/rooms/{roomId}", "/rooms/main"})
        description = b'{"openapi": "3.1.0", "paths": {"/rooms/{name}": {}}}'
        uploaded = fetch(
            "PUT", f"{satellite.web}/api/description", description, {"content-type": "application/json"}
        )
        assert uploaded.status == 204
        until(lambda: shown(satellite) == {"/rooms/{name}"})
