"""The page Connect a sensor: who sees what, and the token that it makes."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from levo.satellite.access import AuthMiddleware
from levo.satellite.web.connect import Connect
from levo.satellite.web.connect_page import ConnectPage
from levo.satellite.web.problems import on_http_exception, problem
from levo.satellite.web.render import Renderer
from tests.satellite.access.authenticators import PASSWORD, START_NS
from tests.satellite.running import Answer
from tests.satellite.web.test_account_pages import Browser


class Visitor(Browser):
    """An admin at the page of a Satellite that other machines reach."""

    def __init__(self, folder: Path, **options: object) -> None:
        super().__init__(folder)
        self.set_up()
        connect = Connect("http://127.0.0.1:9999", loopback_only=False, **options)  # type: ignore[arg-type]
        self.pages = self.app
        self.app = Starlette(
            routes=ConnectPage(self.authenticator, Renderer("", lambda: START_NS, connect=connect)).routes(),
            middleware=[Middleware(AuthMiddleware, authenticator=self.authenticator, problem=problem)],
            exception_handlers={HTTPException: on_http_exception},
        )

    def become(self, role: str, organization: str) -> None:
        self.authenticator.put_account("bob", role, PASSWORD, "anna", organization)
        self.cookie = "levo_session=" + self.authenticator.open_session("bob")


def commands(answer: Answer) -> dict[str, str]:
    found = re.findall(r'<code id="c-(\w+)">(.*?)</code>', answer.body.decode(), re.DOTALL)
    return {name: html.unescape(text) for name, text in found}


@pytest.fixture
def visitor(tmp_path: Path) -> Visitor:
    return Visitor(tmp_path, token_required=lambda: True)


def test_an_admin_makes_a_token_and_gets_every_command_with_it(visitor: Visitor) -> None:
    answer = visitor.post("/connect", organization="acme", environment="staging")
    shown = commands(answer)
    (token,) = set(re.findall(r"levo_[\w-]{30,}", answer.body.decode()))

    assert visitor.authenticator.organization_of_token(token) == "acme"
    assert set(shown) == {"host", "service", "container", "ecs", "file"}
    for name, command in shown.items():
        assert token in command and "YOUR_" not in command
        assert ("LEVO_ORG_ID=acme" if name == "service" else "--levoai-org-id acme") in command
    assert token not in visitor.get("/connect").body.decode()


def test_an_organization_is_needed_and_the_page_says_what_for(visitor: Visitor) -> None:
    answer = visitor.post("/connect", organization=" ", environment="staging")
    text = answer.body.decode()

    assert answer.status == 400 and "decides whose traces they are" in text and "--levoai-org-id" in text
    assert 'value="staging"' in text and not visitor.authenticator.tokens.exist("ingest")


def test_members_of_an_organization_see_its_name_and_make_no_token(visitor: Visitor) -> None:
    visitor.become("editor", "acme")
    page = visitor.get("/connect")

    assert "--levoai-org-id acme" in commands(page)["host"]
    assert 'name="organization"' not in page.body.decode()
    assert visitor.post("/connect", organization="acme").status == 403


def test_nobody_sees_it_without_a_login(visitor: Visitor) -> None:
    visitor.cookie = ""

    assert visitor.get("/connect").status == 303 and visitor.get("/connect/ca.pem").status == 303


def test_what_an_operator_types_is_text_in_the_page(visitor: Visitor) -> None:
    answer = visitor.post("/connect", organization="<script>alert(1)</script>", environment='"><img src=x>')

    assert answer.status == 200
    assert b"<script>alert" not in answer.body and b"<img src=x" not in answer.body


def test_the_authority_can_be_downloaded_where_there_is_one(tmp_path: Path) -> None:
    assert Visitor(tmp_path).get("/connect/ca.pem").status == 404
