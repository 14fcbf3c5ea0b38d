"""Settings by name."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.store.userdata import UserData


def test_a_setting_is_empty_until_it_is_made_and_outlives_the_process(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata")
    assert userdata.settings.get("color") == ""
    userdata.settings.set("color", "green")
    userdata.settings.set("color", "red")
    userdata.close()
    userdata.close()

    assert UserData(tmp_path / "userdata").settings.get("color") == "red"
