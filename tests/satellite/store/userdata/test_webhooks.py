"""Where alerts are sent."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.store.userdata import UserData


def test_a_webhook_is_there_once_and_remembers_its_last_delivery(tmp_path: Path) -> None:
    webhooks = UserData(tmp_path / "userdata").webhooks
    webhooks.add("http://x/", "new-endpoint", "anna", 1)
    webhooks.add("http://x/", "sensor-silent", "vera", 2)
    (webhook,) = webhooks.all()
    webhooks.set_status(webhook.id, "d" * 300)

    assert (webhook.kinds, webhook.created_by) == ("sensor-silent", "anna")
    assert [each.last_status for each in webhooks.all()] == ["d" * 200]
    assert webhooks.remove(webhook.id) and not webhooks.remove(webhook.id)
