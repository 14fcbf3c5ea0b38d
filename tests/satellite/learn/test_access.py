from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn import BodyBudget, Detectors, LearnSettings, State, learn_all
from levo.satellite.learn.access import (
    BROKEN,
    CLASSES,
    DENIED,
    FAILED,
    REDIRECT,
    SUCCESS,
    Access,
    answer_kind,
    joined_access,
    pack_access,
    sender_of,
    unpack_access,
)
from levo.satellite.learn.auth import schemes
from levo.satellite.learn.knowledge import read_query
from levo.satellite.learn.trace import Origin, Trace
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter

ORIGIN = Origin("acme", "production", "shop", "s")
BEARER = (("authorization", "Bearer ****"),)
PLAIN = Trace(ORIGIN, "shop.example", "GET", "/users", 200, 1.0, 10**18, 10**18 + 1)
change = msgspec.structs.replace


def counted(*traces: Trace) -> Access:
    state = learn_all(State(), traces, LearnSettings(Detectors(), b"k", BodyBudget(4, 16)))
    total = Access()
    for facts in state.endpoints.values():
        total.absorb(facts.access)
    return total


def test_every_exchange_counts_however_few_bodies_are_looked_into() -> None:
    known = [change(PLAIN, request_headers=BEARER, identity=n.to_bytes(24)) for n in range(5000)]
    unknown = [change(PLAIN, identity=n.to_bytes(24)) for n in range(5000, 5010)]
    access = counted(*known, *unknown)

    assert access.anonymous[SUCCESS] == 10
    assert access.credential[SUCCESS] == 5000


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, SUCCESS), (299, SUCCESS), (301, REDIRECT), (304, -1), (400, FAILED), (401, DENIED), (403, DENIED),
     (404, FAILED), (500, BROKEN), (599, BROKEN), (0, -1), (-1, -1), (101, -1)],
)  # fmt: skip
def test_answers_have_classes(status: int, kind: int) -> None:
    assert answer_kind(change(PLAIN, status=status)) == kind


@pytest.mark.parametrize(
    ("code", "kind"), [(-1, SUCCESS), (0, SUCCESS), (7, DENIED), (16, DENIED), (5, FAILED), (13, BROKEN)]
)
def test_a_grpc_call_that_failed_is_no_success(code: int, kind: int) -> None:
    assert answer_kind(change(PLAIN, grpc=True, grpc_status=code), is_operation=True) == kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"data": {"me": {}}}', SUCCESS),
        (b'{"data": null, "errors": [{"message": "no"}]}', FAILED),
        (b'{"errors": [{"message": "say \\"data\\": 1, \\"data\\":{"}]}', FAILED),
        (b'{"errors": [{"path": ["a"]}], "data": {"a": null}}', SUCCESS),
        (b'{"jsonrpc": "2.0", "id": 1, "error": {"code": -32000}}', FAILED),
        (b'{"jsonrpc": "2.0", "id": 1, "result": {"error": {"old": 1}}}', SUCCESS),
        (b"", SUCCESS),
    ],
)
def test_an_operation_that_was_answered_without_data_is_no_success(body: bytes, kind: int) -> None:
    assert answer_kind(change(PLAIN, response_body=body), is_operation=True) == kind
    assert answer_kind(change(PLAIN, response_body=body)) == SUCCESS


def test_refusals_with_and_without_a_credential_are_apart() -> None:
    denied = change(PLAIN, status=401)
    ends = [change(denied, end_ns=second * 10**9) for second in (7, 9, 8)]
    access = counted(PLAIN, *ends, change(denied, request_headers=BEARER))

    assert (access.anonymous[DENIED], access.credential[DENIED]) == (3, 1)
    assert access.refused_s == 9


def test_redirects_to_a_log_in_page_are_no_success() -> None:
    moved = [change(PLAIN, status=302, response_headers=(("location", "/login"),))] * 20

    assert counted(*moved).anonymous == [0, 20, 0, 0, 0]


def test_a_request_whose_head_was_cut_is_not_taken_for_one_without_a_credential() -> None:
    cut = change(PLAIN, request_head_whole=False)

    assert counted(cut).total == 0
    assert counted(change(cut, request_headers=BEARER)).credential[SUCCESS] == 1


@pytest.mark.parametrize(
    ("client", "headers", "networks"),
    [
        ("9.9.9.9", (), (1, 0)),
        ("2620:fe::fe", (), (1, 0)),
        ("10.0.0.1", (), (0, 1)),
        ("127.0.0.1", (), (0, 1)),
        ("fe80::1%eth0", (), (0, 1)),
        ("", (), (0, 0)),
        ("no address", (("x-forwarded-for", "9.9.9.9"),), (0, 0)),
        ("9" * 100, (), (0, 0)),
        ("10.0.0.1", (("x-forwarded-for", "9.9.9.9, 10.0.0.2"),), (1, 0)),
        ("10.0.0.1", (("x-forwarded-for", "10.0.0.2, 9.9.9.9"),), (0, 1)),
        ("10.0.0.1", (("x-forwarded-for", "9.9.9.9:4711"),), (1, 0)),
        ("10.0.0.1", (("x-forwarded-for", "unknown"),), (0, 1)),
        ("10.0.0.1", (("forwarded", 'proto=https;for="[2620:fe::fe]:4711", for=10.0.0.2'),), (1, 0)),
        ("10.0.0.1", (("forwarded", "for=_hidden"),), (0, 1)),
        ("9.9.9.9", (("x-forwarded-for", "10.0.0.2"),), (1, 0)),
    ],
)
def test_clients_are_on_the_internet_or_not(
    client: str, headers: tuple[tuple[str, str], ...], networks: tuple[float, float]
) -> None:
    access = counted(change(PLAIN, client=client, request_headers=headers))

    assert (access.public, access.private) == networks


def test_weights_count() -> None:
    assert counted(change(PLAIN, weight=50.5)).anonymous[SUCCESS] == 50.5


NAMES = st.sampled_from(
    [
        "authorization",
        "cookie",
        "x-api-key",
        "apikey",
        "accept",
        "x-client-cert",
        "x-auth",
        "api-token",
        "token",
        "?x",
    ]
)
VALUES = st.sampled_from(["", "a", "sid=1", "a=1; session=2", "session", "phpsessid =1", "?abc=1"])
QUERIES = st.sampled_from(
    [
        "",
        "token",
        "token=1",
        "a=1&api_key=2",
        "api%5Fkey=1",
        "a=token",
        "a=1&sig",
        "x=%26token%3D1",
        "KEY=1",
        "a+key=1",
    ]
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=4), QUERIES)
def test_a_credential_is_what_the_schemes_of_a_request_say(
    headers: list[tuple[str, str]], query: str
) -> None:
    said = schemes(headers, read_query(query) if query else {}) != "none"

    assert sender_of(tuple(headers), query).has_credential == said


COUNTS = st.lists(
    st.integers(0, 1 << 40).map(lambda n: n / 1024), min_size=len(CLASSES), max_size=len(CLASSES)
)
TIMES = st.integers(0, 1 << 33)
WEIGHTS = st.integers(0, 1 << 40).map(lambda n: n / 1024)
ACCESSES = st.builds(Access, COUNTS, COUNTS, TIMES, TIMES, TIMES, WEIGHTS, WEIGHTS)


@given(ACCESSES, ACCESSES, ACCESSES)
def test_what_is_stored_adds_in_any_order(one: Access, two: Access, three: Access) -> None:
    stored = [pack_access(each) for each in (one, two, three)]

    assert joined_access(joined_access(*stored[:2]), stored[2]) == joined_access(
        stored[1], joined_access(stored[2], stored[0])
    )
    assert all(
        unpack_access(octets) == (each if each.total else Access())
        for octets, each in zip(stored, (one, two, three), strict=True)
    )


@pytest.mark.parametrize("octets", [b"\x00", b"\x92\x90\x90", b"nothing of ours"])
def test_other_octets_are_refused(octets: bytes) -> None:
    with pytest.raises((ValueError, msgspec.ValidationError)):
        unpack_access(octets)


def test_a_stored_count_is_small() -> None:
    access = counted(*[PLAIN] * 300, *[change(PLAIN, request_headers=BEARER)] * 70_000)

    assert len(pack_access(access)) <= 40


def test_the_catalog_adds_what_comes_later_and_shows_it(tmp_path: Path) -> None:
    with CatalogWriter(tmp_path / "catalog.sqlite3") as writer:
        for number in range(1, 4):
            more = [change(PLAIN, identity=bytes([number, n]) * 12) for n in range(number)]
            writer.commit(
                learn_all(State(), [*more, change(PLAIN, request_headers=BEARER)]), Position(1, number)
            )
    reader = CatalogReader(tmp_path / "catalog.sqlite3")
    (row,) = reader.endpoints(EndpointFilter())[1]
    reader.close()

    assert (row.access.anonymous[SUCCESS], row.access.credential[SUCCESS]) == (6, 3)
    assert row.access.let_in_s == PLAIN.end_ns // 10**9
