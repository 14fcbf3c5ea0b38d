"""Proof that no value is kept: unique secrets through every input, looked for in what is stored or shown."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import time
import urllib.parse
from pathlib import Path

from levo.satellite.learn import BodyBudget, Detectors, LearnSettings, State
from levo.satellite.learner import learn_record
from levo.satellite.openapi import render_document
from levo.satellite.queue import Position, Record, RecordKind
from levo.satellite.store import CatalogReader, CatalogWriter
from tests.satellite.requests import Call, traces

PLACE = ("default", "staging", "shop")


def forms(secret: str) -> list[bytes]:
    raw = secret.encode()
    digest = hashlib.sha256(raw)
    return [
        raw,
        base64.b64encode(raw)[:12],
        urllib.parse.quote(secret, safe="").encode(),
        raw.hex().encode(),
        digest.hexdigest().encode(),
        digest.digest()[:8],
        hashlib.md5(raw).hexdigest().encode(),
    ]


def test_no_canary_is_in_the_database_or_in_a_document(tmp_path: Path) -> None:
    rng = random.Random(5)
    path, query, body, key, answer, header, token, cookie, agent, client = (
        f"{rng.randbytes(6).hex()}-Kv{number}" for number in range(10)
    )
    more = {
        "url.query": f"q={query}&{key}=1",
        "client.address": client,
        "levo.http.request.body": json.dumps({"name": body, key: 1, "list": [body], "status": body}),
        "levo.http.response.body": json.dumps({"a": {"b": answer}, "n": 4929123412341234}),
        "http.request.header.authorization": f"Bearer {token}",
        "http.request.header.cookie": f"sid={cookie}; {key}=1",
        "http.request.header.x-thing": header,
        "http.request.header.user-agent": agent,
        "http.request.header.content-type": "application/json",
        "http.response.header.content-type": "application/json",
        "http.response.header.x-out": header,
    }
    calls = [Call(method="POST", path=f"/users/{path}", more=more)] * 60
    record = Record(RecordKind.TRACES, time.time_ns(), "", traces(calls).SerializeToString())
    state = learn_record(State(), record, LearnSettings(Detectors(), b"key", BodyBudget()))
    with CatalogWriter(tmp_path / "catalog") as writer:
        writer.commit(state, Position(1, 1))
    reader = CatalogReader(tmp_path / "catalog")
    (operation,) = reader.operations(PLACE)
    shown = json.dumps(render_document("shop", [operation])).encode()
    reader.close()
    everything = shown + b"".join(file.read_bytes() for file in tmp_path.iterdir())

    assert operation.knowledge.bodies["application/json"].learned == 60
    secrets = (path, query, body, key, answer, header, token, cookie, agent, client, "4929123412341234")
    assert not [number for number, s in enumerate(secrets) for form in forms(s) if form in everything]
