"""Files of the package, as browsers keep them."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette

from levo.satellite.web.assets import FOLDER, Assets
from tests.satellite.asgi import call
from tests.satellite.running import Answer


def get(folder: Path, target: str, **headers: str) -> Answer:
    app = Starlette(routes=[Assets(folder).route()])
    return call(
        app, "GET", target, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def test_an_address_changes_with_the_content_and_with_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a {}")
    first, again = Assets(tmp_path).address("a.css"), Assets(tmp_path).address("a.css")
    (tmp_path / "a.css").write_text("a { color: red }")

    assert first == again
    assert Assets(tmp_path).address("a.css") != first


def test_what_is_asked_for_by_its_content_is_kept_for_good(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    addresses = (Assets(tmp_path).address("a.js"), "/static/a.js", "/static/a.js?0123")

    named, bare, old = (get(tmp_path, address) for address in addresses)

    assert {each.body for each in (named, bare, old)} == {b"1"}
    assert "immutable" in named.headers["cache-control"]
    assert bare.headers["cache-control"] == old.headers["cache-control"] == "no-cache"


def test_a_browser_that_has_it_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    tag = get(tmp_path, "/static/a.js").headers["etag"]

    assert get(tmp_path, "/static/a.js", if_none_match=tag)[::2] == (304, b"")
    assert get(tmp_path, "/static/a.js", if_none_match='"other"')[::2] == (200, b"1")


@pytest.mark.parametrize("path", ["/static/b.js", "/static/", "/static/..%2fa.js", "/static/sub%2fa.js"])
def test_nothing_but_the_files_is_there(tmp_path: Path, path: str) -> None:
    (tmp_path / "a.js").write_text("1")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.js").write_text("secret")

    assert get(tmp_path, path).status == 404


def test_media_types_are_such_that_browsers_use_the_files() -> None:
    names = ("site.css", "icon.svg", "site.js")
    types = {name: get(FOLDER, f"/static/{name}").headers["content-type"] for name in names}

    assert types.pop("site.js").partition(";")[0] in ("text/javascript", "application/javascript")
    assert types == {"site.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
