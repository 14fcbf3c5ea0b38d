"""Attempts that must fail, on a real Satellite that can be reached from outside."""

from __future__ import annotations

import gzip
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from tests.satellite.receive.test_http_routes import PROTOBUF
from tests.satellite.requests import Call, traces
from tests.satellite.running import Answer, RunningSatellite, fetch, until

PASSWORD = "correct horse battery"
FORM = "application/x-www-form-urlencoded"


class Person:
    """Somebody with a browser: keeps the cookie, and the token that pages give out."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.cookie = ""
        self.form_token = ""

    def get(self, path: str, **headers: str) -> Answer:
        return fetch("GET", self.base + path, None, {"cookie": self.cookie, "accept": "text/html", **headers})

    def post(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        body = urlencode({"form_token": self.form_token, **fields}).encode()
        named = {"content-type": FORM, "cookie": self.cookie}
        answer = fetch("POST", self.base + path, body, {**named, **headers})
        found = re.match(r"[^=]*levo_session=([^;]*)", answer.headers.get("set-cookie", ""))
        if found:
            self.cookie = f"levo_session={found[1]}"
        return answer

    def login(self, name: str) -> Answer:
        answer = self.post("/login", {"name": name, "password": PASSWORD})
        found = re.search(r'name="form-token" content="([^"]*)"', self.get("/").body.decode())
        self.form_token = found[1] if found else ""
        return answer


class Open:
    """A Satellite on all addresses, set up, with a viewer."""

    def __init__(self, running: RunningSatellite) -> None:
        self.running = running
        self.base = running.web
        until(lambda: "enter the code" in running.errors)
        self.code = running.errors.split("enter the code ")[1].split()[0]
        self.before = Person(self.base).get("/catalog")
        self.wrong = Person(self.base).post("/setup", {"code": "x", "name": "mallory", "password": PASSWORD})
        self.admin = Person(self.base)
        self.set_up = self.admin.post("/setup", {"code": self.code, "name": "anna", "password": PASSWORD})
        self.admin.login("anna")
        self.admin.post("/settings/accounts", {"name": "vera", "role": "viewer", "password": PASSWORD})

    def token(self, scope: str, organization: str = "") -> str:
        answer = self.admin.post(
            "/settings/tokens", {"name": "t", "scope": scope, "organization": organization}
        )
        found = re.search(r"levo_[\w-]{30,}", answer.body.decode())
        assert found is not None
        return found[0]

    def send(self, **headers: str) -> Answer:
        body = traces([Call()]).SerializeToString()
        return self.running.post("/v1/traces", body, content_type=PROTOBUF, **headers)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    with RunningSatellite(tmp_path_factory.mktemp("open"), "--listen", "0.0.0.0:0") as running:
        yield Open(running)


def test_the_first_run_asks_for_the_code_on_the_console(site: Open) -> None:
    assert (site.before.status, site.before.headers["location"]) == (303, "/setup")
    assert site.wrong.status == 403
    assert "mallory" not in site.admin.get("/settings").body.decode().split("Audit")[0]
    assert site.set_up.status == 303
    again = Person(site.base).post("/setup", {"code": site.code, "name": "mallory", "password": PASSWORD})
    assert again.status == 410


def test_without_a_login_nothing_is_shown(site: Open) -> None:
    nobody = Person(site.base)
    for path in ("/api/endpoints", "/api/summary", "/api/openapi", "/metrics", "/live", "/api"):
        assert fetch("GET", site.base + path, None, {}).status == 401
    assert nobody.get("/catalog").headers["location"] == "/login?next=%2Fcatalog"
    for path in ("/healthz", "/readyz", "/login", "/static/site.css"):
        assert nobody.get(path).status == 200


def test_traces_need_a_token_of_their_organization(site: Open) -> None:
    assert site.send().status == 401
    assert site.send(authorization="Bearer levo_wrong").status == 401
    token = site.token("ingest", "acme")
    assert site.send(authorization=f"Bearer {token}").status == 200
    assert site.send(authorization=f"Bearer {token}", x_levo_organization_id="acme").status == 200
    assert site.send(authorization=f"Bearer {token}", x_levo_organization_id="other").status == 403
    viewer = site.token("viewer")
    assert site.send(authorization=f"Bearer {viewer}").status == 401
    assert fetch("GET", site.base + "/api/summary", None, {"authorization": f"Bearer {viewer}"}).status == 200
    assert fetch("GET", site.base + "/api/summary", None, {"authorization": f"Bearer {token}"}).status == 401


def test_a_viewer_cannot_change_anything(site: Open) -> None:
    vera = Person(site.base)
    vera.login("vera")
    for path in ("/endpoints/1/decide", "/views", "/settings/tokens", "/settings/accounts", "/api/backup"):
        assert vera.post(path, {"kind": "accept", "name": "x", "query": "q=1"}).status == 403, path
    put = fetch(
        "PUT", site.base + "/api/description", b"{}", {"cookie": vera.cookie, "x-form-token": vera.form_token}
    )
    assert put.status == 403
    assert b"Audit log" not in vera.get("/settings").body.split(b"</main>")[0].replace(b"the audit log", b"")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_forms_of_other_sites_are_refused(site: Open, headers: dict[str, str]) -> None:
    assert site.admin.post("/views", {"name": "x", "query": "q=1"}, **headers).status == 403


def test_forms_without_the_token_are_refused(site: Open) -> None:
    stolen = Person(site.base)
    stolen.cookie = site.admin.cookie
    assert stolen.post("/views", {"name": "x", "query": "q=1"}).status == 403
    assert site.admin.post("/views", {"name": "x", "query": "q=1"}).status == 303


def test_a_session_cannot_be_planted(site: Open) -> None:
    victim = Person(site.base)
    victim.cookie = "levo_session=planted-by-somebody-else"
    answer = victim.login("vera")
    assert victim.cookie != "levo_session=planted-by-somebody-else"
    assert "HttpOnly" in answer.headers["set-cookie"] and "SameSite=lax" in answer.headers["set-cookie"]
    first = victim.cookie
    victim.login("vera")
    old = Person(site.base)
    old.cookie = first
    assert old.get("/catalog").status == 303


def test_guessing_is_slowed_down(site: Open) -> None:
    site.admin.post("/settings/accounts", {"name": "gina", "role": "viewer", "password": PASSWORD})
    answers = [Person(site.base).post("/login", {"name": "gina", "password": f"guess {n}"}) for n in range(7)]
    assert [a.status for a in answers][:5] == [403] * 5 and answers[-1].status == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    until(lambda: Person(site.base).login("vera").status == 303)


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_a_login_leads_nowhere_else(site: Open, target: str) -> None:
    page = Person(site.base).get(f"/login?next={quote(target)}").body.decode()
    assert 'name="next" value="/"' in page


def test_no_secret_is_stored_or_in_an_address(site: Open) -> None:
    site.token("ingest", "acme")
    kept = b"".join(p.read_bytes() for p in site.running.data_dir.glob("userdata.sqlite3*"))
    assert PASSWORD.encode() not in kept and b"levo_" not in kept.replace(b"levo_session", b"")
    assert site.admin.cookie.split("=")[1].encode() not in kept


def test_bombs_and_giants_are_refused(site: Open) -> None:
    token = site.token("ingest", "acme")
    bomb = gzip.compress(b"\0" * (80 << 20), 1)
    headers = {"content_type": PROTOBUF, "authorization": f"Bearer {token}"}
    assert site.running.post("/v1/traces", bomb, content_encoding="gzip", **headers).status == 413
    giant = {"name": "x" * 200_000, "query": "q=1"}
    assert site.admin.post("/views", giant).status == 413


@pytest.mark.parametrize(
    "path", ["/static/../rest.py", "/static/%2e%2e/rest.py", "/static/..%2f..%2fuserdata.sqlite3"]
)
def test_downloads_stay_in_their_folder(site: Open, path: str) -> None:
    assert Person(site.base).get(path).status in (303, 404)
    assert site.admin.get(path).status == 404


def test_a_backup_is_whole_and_comes_back(site: Open, tmp_path: Path) -> None:
    from levo.satellite.store.backup import restore_backup

    answer = site.admin.post("/api/backup", {})
    assert answer.status == 200
    (tmp_path / "b.tar").write_bytes(answer.body)
    restore_backup(tmp_path / "b.tar", tmp_path / "new", replace=False)
    accounts = (
        sqlite3.connect(tmp_path / "new" / "userdata.sqlite3").execute("SELECT name FROM account").fetchall()
    )
    assert ("anna",) in accounts
    with RunningSatellite(tmp_path / "new") as again:
        assert fetch("GET", again.web + "/api/summary", None, {}).status == 401
