"""Saved views."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.store.userdata import UserData


def test_an_organization_sees_saves_and_removes_its_own_views_alone(tmp_path: Path) -> None:
    views = UserData(tmp_path / "userdata").views
    views.save("mine", "q=a", "anna", 1)
    views.save("mine", "q=b", "vera", 2, "acme")
    views.save("mine", "q=c", "vera", 3, "acme")

    assert [view.query for view in views.all()] == ["q=a", "q=c"]
    (view,) = views.all("acme")
    assert not views.remove(view.id, "globex")
    assert views.remove(view.id, "acme") and views.all("acme") == []
