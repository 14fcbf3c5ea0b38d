"""From the catalog to a real receiver of webhooks."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from levo.satellite.alerts.detector import AlertDetector
from levo.satellite.alerts.watcher import AlertWatcher
from levo.satellite.alerts.webhooks import WebhookSender
from levo.satellite.learn import State, learn_all
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter
from levo.satellite.store.userdata import UserData
from tests.satellite.store.catalogs import NOW, SECOND, catalog, trace


class Clock:
    now_ns = NOW - SECOND

    def __call__(self) -> int:
        return self.now_ns

    def seconds(self) -> float:
        return self.now_ns / SECOND


def watcher(folder: Path, clock: Clock) -> tuple[AlertWatcher, UserData]:
    userdata = UserData(folder / "userdata.sqlite3")
    catalog(folder / "catalog", [trace("/old", end_ns=NOW - 60 * SECOND)]).close()
    reader = CatalogReader(folder / "catalog", userdata.path)
    detector = AlertDetector(reader, userdata.alerts, userdata.settings, clock, clock.seconds)
    sender = WebhookSender(userdata.alerts, userdata.webhooks, "http://satellite/", clock, clock.seconds)
    watching = AlertWatcher(detector, sender)
    watching.step()  # what is there now is not news
    with CatalogWriter(folder / "catalog") as writer:
        writer.commit(learn_all(State(), [trace("/new", host="b.example")]), Position(1, 2))
    return watching, userdata


def test_only_what_is_new_is_told_and_only_once(tmp_path: Path) -> None:
    received: list[dict[str, Any]] = []
    answers = [503, 200, 200, 200]

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(answers.pop(0))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    clock = Clock()
    watching, userdata = watcher(tmp_path, clock)
    userdata.webhooks.add(f"http://127.0.0.1:{server.server_port}/", "new-endpoint", "anna", NOW)
    watching.step()  # refused by the receiver: kept
    clock.now_ns = NOW + 60 * SECOND
    for _ in range(3):
        watching.step()
    server.shutdown()
    server.server_close()

    assert len(received) == 2 and received[0] == received[1]
    assert [alert["kind"] for alert in received[1]["alerts"]] == ["new-endpoint"]
    assert "/new" in received[1]["text"] and "/old" not in received[1]["text"]
    assert userdata.webhooks.all()[0].last_status.endswith("delivered") and not userdata.alerts.unsent()
