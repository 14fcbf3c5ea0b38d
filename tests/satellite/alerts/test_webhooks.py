"""Addresses of webhooks, and deliveries to a real receiver."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from levo.satellite.alerts.webhooks import WebhookRefused, WebhookSender, checked_url
from levo.satellite.store.userdata import NewAlert, UserData
from tests.satellite.store.catalogs import NOW, SECOND


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "http://", "https://u:p@x", "http://x y", "file:///etc/passwd"]
)
def test_bad_addresses_are_refused(url: str) -> None:
    with pytest.raises(WebhookRefused):
        checked_url(url)


class Receiver:
    """Answers as *statuses* say, then with 200."""

    def __init__(self, *statuses: int) -> None:
        self.received: list[dict[str, Any]] = []
        answers = list(statuses)
        received = self.received

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(answers.pop(0) if answers else 200)
                self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Hook)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def unwilling() -> Iterator[Receiver]:
    receiver = Receiver(302, 503)
    yield receiver
    receiver.close()


@pytest.fixture
def willing() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def test_an_alert_is_kept_until_every_webhook_that_wants_it_has_it(
    tmp_path: Path, willing: Receiver, unwilling: Receiver
) -> None:
    """Redirects are not followed, and the pause after a failure is doubled."""
    userdata = UserData(tmp_path / "userdata")
    now_ns = [NOW]
    sender = WebhookSender(
        userdata.alerts, userdata.webhooks, "http://satellite/", clock_s=lambda: now_ns[0] / 1e9
    )
    userdata.webhooks.add(unwilling.url, "new-endpoint", "anna", NOW)
    userdata.webhooks.add(willing.url, "sensor-silent", "anna", NOW)
    userdata.alerts.add(
        [NewAlert("new-endpoint", "1", "new", 1), NewAlert("sensor-silent", "s", "quiet")], NOW, sent=False
    )

    tries, sent = [], []
    for second in range(18):
        now_ns[0] = NOW + second * SECOND
        before = len(unwilling.received)
        sender.deliver(userdata.webhooks.all())
        tries += [second] * (len(unwilling.received) - before)
        sent.append([alert.kind for alert in userdata.alerts.unsent()])

    assert tries == [0, 5, 15], "at once, after 5 s, after 10 s more"
    assert sent[0] == ["new-endpoint"] and sent[14] == ["new-endpoint"] and sent[15] == []
    assert [[alert["kind"] for alert in each["alerts"]] for each in willing.received] == [["sensor-silent"]]
    assert unwilling.received[0]["alerts"][0]["url"] == "http://satellite/endpoints/1"
    assert [each.last_status.partition(" ")[2] for each in userdata.webhooks.all()] == [
        "delivered",
        "delivered",
    ]
