from __future__ import annotations

import threading
import tracemalloc
from pathlib import Path

import pytest

from levo.satellite.access import Authenticator, LoginRefused, PasswordRefused
from levo.satellite.access.auth import SESSION_S
from levo.satellite.access.boot_clock import Moment
from levo.satellite.access.ingestion import IngestionTokens
from levo.satellite.access.throttle import FREE_FAILURES
from levo.satellite.receive import Refusal
from levo.satellite.store.userdata import UserData
from tests.satellite.access.authenticators import authenticator_of

PASSWORD = "correct horse battery"


class Clock:
    """The one of the boot, and the time of day, which may be set."""

    boot, now_ns, time_ns = "first", 5 * 10**9, 10**18

    def __call__(self) -> Moment:
        return Moment(self.boot, self.now_ns)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authenticator(tmp_path: Path, clock: Clock) -> Authenticator:
    return authenticator_of(
        UserData(tmp_path / "userdata"), on_loopback=True, clock=clock, clock_ns=lambda: clock.time_ns
    )


def test_sessions_end(authenticator: Authenticator, clock: Clock) -> None:
    authenticator.put_account("anna", "admin", PASSWORD, "local")
    secret, _ = authenticator.login("anna", PASSWORD, "127.0.0.1")
    session = authenticator.session(secret)
    assert session is not None and (session.account, session.role) == ("anna", "admin")
    clock.now_ns += SESSION_S * 10**9
    assert authenticator.session(secret) is None


@pytest.mark.parametrize(
    "step_s", [sign * each for each in (1, 3600, 86_400, 315_360_000) for sign in (1, -1)]
)
def test_a_step_of_the_time_of_day_neither_ends_a_session_nor_makes_it_longer(
    authenticator: Authenticator, clock: Clock, step_s: int
) -> None:
    authenticator.put_account("anna", "admin", PASSWORD, "local")
    before, _ = authenticator.login("anna", PASSWORD, "127.0.0.1")
    clock.time_ns += step_s * 10**9
    after, _ = authenticator.login("anna", PASSWORD, "127.0.0.1")
    clock.now_ns += SESSION_S * 10**9 - 1
    assert authenticator.session(before) and authenticator.session(after)

    clock.time_ns -= step_s * 10**9
    clock.now_ns += 1
    assert authenticator.session(before) is None and authenticator.session(after) is None


def test_sessions_end_with_the_boot_and_not_with_the_process(tmp_path: Path, clock: Clock) -> None:
    def start() -> Authenticator:
        return authenticator_of(UserData(tmp_path / "kept"), on_loopback=True, clock=clock)

    first = start()
    first.put_account("anna", "admin", PASSWORD, "local")
    secret, _ = first.login("anna", PASSWORD, "127.0.0.1")
    assert start().session(secret)
    clock.boot = "second"

    assert start().session(secret) is None


def test_a_new_password_ends_sessions(authenticator: Authenticator) -> None:
    authenticator.put_account("anna", "admin", PASSWORD, "local")
    secret, _ = authenticator.login("anna", PASSWORD, "127.0.0.1")
    authenticator.put_account("anna", "admin", PASSWORD + "!", "anna")
    assert authenticator.session(secret) is None


def test_an_admin_is_always_left(authenticator: Authenticator) -> None:
    with pytest.raises(PasswordRefused):
        authenticator.put_account("vera", "viewer", PASSWORD, "local")
    authenticator.put_account("anna", "admin", PASSWORD, "local")
    authenticator.put_account("vera", "viewer", PASSWORD, "anna")
    for change in (
        lambda: authenticator.remove_account("anna", "anna"),
        lambda: authenticator.put_account("anna", "viewer", PASSWORD, "anna"),
    ):
        with pytest.raises(PasswordRefused):
            change()


def test_a_login_is_asked_for_once_there_is_an_account(authenticator: Authenticator) -> None:
    assert not authenticator.login_required
    authenticator.put_account("anna", "admin", PASSWORD, "local")
    assert authenticator.login_required
    with pytest.raises(LoginRefused):
        authenticator.login("nobody", PASSWORD, "127.0.0.1")


def refused(authenticator: Authenticator, name: str, password: str, client: str) -> LoginRefused:
    with pytest.raises(LoginRefused) as raised:
        authenticator.login(name, password, client)
    return raised.value


def test_guesses_from_elsewhere_do_not_keep_the_owner_waiting(authenticator: Authenticator) -> None:
    authenticator.put_account("anna", "admin", PASSWORD, "local")
    authenticator.put_account("vera", "viewer", PASSWORD, "anna")
    authenticator.login("anna", PASSWORD, "192.0.2.7")
    waits = [refused(authenticator, "anna", f"guess {n}", f"198.51.100.{n}").retry_after_s for n in range(9)]

    assert waits[:5] == [0.0] * 5 and all(waits[5:]), "many addresses together have the guesses of one"
    authenticator.login("anna", PASSWORD, "192.0.2.7")
    authenticator.login("vera", PASSWORD, "192.0.2.7")
    assert refused(authenticator, "anna", PASSWORD, "198.51.100.99").retry_after_s


def test_guesses_from_the_owners_address_are_slowed_down_too(authenticator: Authenticator) -> None:
    authenticator.put_account("anna", "admin", PASSWORD, "local")
    authenticator.login("anna", PASSWORD, "192.0.2.7")
    waits = [refused(authenticator, "anna", f"guess {n}", "192.0.2.7").retry_after_s for n in range(6)]

    assert waits[:5] == [0.0] * 5 and waits[5]


def test_a_network_of_ipv6_is_one_address(authenticator: Authenticator) -> None:
    authenticator.put_account("anna", "admin", PASSWORD, "local")
    waits = [
        refused(authenticator, f"nobody{n}", "guess", f"2001:db8::{n + 1:x}").retry_after_s for n in range(6)
    ]

    assert waits[:5] == [0.0] * 5 and waits[5]


def test_tokens_of_organizations(authenticator: Authenticator) -> None:
    admission = IngestionTokens(authenticator, required=False, clock_s=iter(range(0, 1000, 10)).__next__)
    assert admission.admit("", "any") == "any"
    secret = authenticator.add_token("t", "ingest", "acme", "local")
    assert admission.admit(f"Bearer {secret}", "") == "acme"
    for authorization, organization in (("", "acme"), ("Bearer wrong", ""), (f"Bearer {secret}", "other")):
        with pytest.raises(Refusal):
            admission.admit(authorization, organization)
    authenticator.tokens.revoke(1, 1)
    with pytest.raises(Refusal):
        IngestionTokens(authenticator, required=True).admit(f"Bearer {secret}", "")


def test_the_code_is_gone_once_anybody_made_an_account(tmp_path: Path, clock: Clock) -> None:
    open_to_all = authenticator_of(UserData(tmp_path / "userdata"), on_loopback=False, clock_ns=clock)
    code = open_to_all.setup_code
    UserData(tmp_path / "userdata").accounts.put("anna", "admin", "no hash", 1)

    assert code and open_to_all.setup_code == ""
    with pytest.raises(LoginRefused):
        open_to_all.first_account(code, "mallory", PASSWORD)


def test_an_admin_belongs_to_no_organization(authenticator: Authenticator) -> None:
    authenticator.put_account("anna", "admin", PASSWORD, "local")
    authenticator.put_account("vera", "viewer", PASSWORD, "anna", " acme ")
    account = authenticator.accounts.get("vera")

    assert account is not None and account.organization == "acme"
    for change in (
        lambda: authenticator.put_account("boss", "admin", PASSWORD, "anna", "acme"),
        lambda: authenticator.add_token("t", "admin", "acme", "anna"),
        lambda: authenticator.put_account("vera", "viewer", PASSWORD, "anna", "a\nb"),
    ):
        with pytest.raises(PasswordRefused):
            change()


def test_nothing_is_computed_for_a_set_up_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[int] = []

    def scrypt(*_: object, **__: object) -> bytes:
        computed.append(1)
        return bytes(32)

    monkeypatch.setattr("hashlib.scrypt", scrypt)
    open_to_all = authenticator_of(UserData(tmp_path / "userdata"), on_loopback=False)
    code = open_to_all.setup_code
    for _ in range(50):
        with pytest.raises(LoginRefused):
            open_to_all.first_account("wrong", "mallory", PASSWORD)
    for name, password in (("", PASSWORD), ("a b", PASSWORD), ("mallory", "short"), ("mallory", "x" * 201)):
        with pytest.raises(PasswordRefused):
            open_to_all.first_account(code, name, password)
    assert computed == []
    open_to_all.first_account(code, "anna", PASSWORD)
    assert computed == [1]
    with pytest.raises(LoginRefused):
        open_to_all.first_account(code, "mallory", PASSWORD)
    assert computed == [1]


def test_parallel_guesses_are_not_checked_past_the_free_ones(authenticator: Authenticator) -> None:
    authenticator.put_account("anna", "admin", PASSWORD, "local")
    texts: list[str] = []

    def guess(number: int) -> None:
        try:
            authenticator.login("anna", f"guess number {number}", "10.0.0.1")
        except LoginRefused as refused:
            texts.append(str(refused))

    guessing = [threading.Thread(target=guess, args=(number,)) for number in range(60)]
    for each in guessing:
        each.start()
    for each in guessing:
        each.join()

    assert texts.count("name or password is wrong") <= FREE_FAILURES
    assert len(texts) == 60


def test_waits_are_measured_with_a_clock_that_nobody_sets(tmp_path: Path, clock: Clock) -> None:
    now_s = [100.0]
    authenticator = authenticator_of(
        UserData(tmp_path / "userdata"),
        on_loopback=True,
        clock_ns=lambda: clock.time_ns,
        clock_s=lambda: now_s[0],
    )
    authenticator.put_account("anna", "admin", PASSWORD, "local")
    for _ in range(FREE_FAILURES):
        with pytest.raises(LoginRefused):
            authenticator.login("anna", "wrong password", "10.0.0.1")
    clock.time_ns -= 86_400 * 10**9
    now_s[0] += 3.0

    assert authenticator.login("anna", PASSWORD, "10.0.0.1")[1] == "admin"


def test_made_up_tokens_are_not_kept(authenticator: Authenticator) -> None:
    authenticator.add_token("t", "ingest", "acme", "local")
    admission = IngestionTokens(authenticator, required=True)
    tracemalloc.start()
    try:
        for number in range(300):
            with pytest.raises(Refusal):
                admission.admit(f"Bearer {number}{'x' * 60_000}", "")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 2 << 20
