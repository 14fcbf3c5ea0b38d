"""Which addresses webhooks may ask, and that it is asked at the connection."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from levo.satellite.alerts.guarded import refusal
from levo.satellite.alerts.webhooks import WebhookRefused, WebhookSender, checked_url
from levo.satellite.store.userdata import NewAlert, UserData
from tests.satellite.alerts.test_webhooks import Receiver

REFUSED = (
    "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "fd00:ec2::254", "100.100.100.200", "168.63.129.16",
)  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_of_the_link_and_of_metadata_services_are_refused_in_every_form(address: str) -> None:
    assert refusal(address)
    host = address.partition("%")[0]
    with pytest.raises(WebhookRefused):
        checked_url(f"http://[{host}]/" if ":" in host else f"http://{host}/")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "192.0.2.1", "::1", "2001:db8::1", "fd00::1"])
def test_other_addresses_may_be_asked(address: str) -> None:
    assert not refusal(address)


def status_of(tmp_path: Path, url: str, *, link_local: bool) -> str:
    userdata = UserData(tmp_path / "userdata.sqlite3")
    userdata.webhooks.add(url, "endpoint", "anna", 1)
    userdata.alerts.add([NewAlert("endpoint", "x", "text", 0)], 1, sent=False)
    sender = WebhookSender(userdata.alerts, userdata.webhooks, "http://s", link_local=link_local)
    sender.deliver(sender.receivers())
    (webhook,) = sender.receivers()
    userdata.close()
    return webhook.last_status.partition(" ")[2]


@pytest.mark.parametrize("url", ["http://rebound.example:{port}/", "http://2852039166:{port}/"])
@pytest.mark.parametrize("answers", [["169.254.169.254"], ["127.0.0.1", "169.254.169.254"]])
def test_a_name_that_leads_there_is_refused_at_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, answers: list[str]
) -> None:
    receiver = Receiver()
    port = int(receiver.url.rsplit(":", 1)[1].strip("/"))
    resolve = socket.getaddrinfo

    def poisoned(host: str, *args: Any, **named: Any) -> Any:
        assert host in ("rebound.example", "2852039166")
        return [found for answer in answers for found in resolve(answer, *args, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", poisoned)
    try:
        status = status_of(tmp_path, checked_url(url.format(port=port)), link_local=False)
    finally:
        receiver.close()
    assert (status, receiver.received) == ("not sent: this is a link-local address", [])


@pytest.mark.parametrize("link_local", [False, True])
def test_other_names_are_delivered_to(tmp_path: Path, link_local: bool) -> None:
    receiver = Receiver()
    try:
        url = receiver.url.replace("127.0.0.1", "localhost")
        assert status_of(tmp_path, url, link_local=link_local) == "delivered"
    finally:
        receiver.close()
