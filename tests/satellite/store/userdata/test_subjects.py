"""All subjects are of one database."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.store.userdata import UserData
from levo.satellite.store.userdata.database import Subject


def test_every_subject_shares_the_connection(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata")
    subjects = [each for each in vars(userdata).values() if isinstance(each, Subject)]

    with userdata.database.change():
        userdata.settings.set("color", "green")
        assert userdata.settings.get("color") == "green"
    assert len(subjects) == 11 and len({id(each._database) for each in subjects}) == 1
