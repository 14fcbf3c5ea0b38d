import gzip
import json

import pytest

from levo.demo.messages import Response, SampleRequest
from levo.demo.sample_api import API_TOKEN, MAX_RECORDS, PARTNER_KEY, SampleApi

TOKEN = (("Authorization", f"Bearer {API_TOKEN}"),)
JSON = (("Content-Type", "application/json"), *TOKEN)
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)


@pytest.fixture
def api() -> SampleApi:
    return SampleApi(1)


def post(api: SampleApi, target: str, value: object, method: str = "POST") -> Response:
    return api.answer(SampleRequest(method, target, JSON, json.dumps(value).encode()))


def get(api: SampleApi, target: str, *headers: tuple[str, str]) -> Response:
    return api.answer(SampleRequest("GET", target, TOKEN + headers))


def first_user(api: SampleApi) -> str:
    return next(iter(api.shop.users))


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/v1/users", 200),
        ("GET", "/v1/users/me", 200),
        ("GET", "/v1/users/nobody", 404),
        ("GET", "/v1/products/101", 200),
        ("GET", "/v1/products/one", 404),
        ("GET", "/v1/orders/100200", 200),
        ("GET", "/legacy/stock/SKU-1", 200),
        ("GET", "/internal/users.csv", 200),
        ("GET", "/nowhere", 404),
        ("PUT", "/v1/users", 405),
        ("POST", "/v1/users", 400),
        ("POST", "/v1/orders", 400),
        ("POST", "/v1/payments", 422),
        ("DELETE", "/v1/users/nobody", 404),
    ],
)
def test_status_of_a_request_without_a_body(api: SampleApi, method: str, target: str, status: int) -> None:
    assert api.answer(SampleRequest(method, target, TOKEN)).status == status


@pytest.mark.parametrize("headers", [(), (("Authorization", "Bearer wrong"),), (("X-Api-Key", "wrong"),)])
def test_without_a_credential_the_answer_is_401(api: SampleApi, headers: tuple[tuple[str, str], ...]) -> None:
    assert api.answer(SampleRequest("GET", "/v1/users", headers)).status == 401


def test_a_partner_key_is_as_good_as_a_token(api: SampleApi) -> None:
    assert api.answer(SampleRequest("GET", "/v1/users", (("x-api-key", PARTNER_KEY),))).status == 200


def test_a_created_user_can_be_read_changed_and_deleted_once(api: SampleApi) -> None:
    made = post(api, "/v1/users", {"firstName": "A", "lastName": "B", "email": "a@example.com"})
    place = dict(made.headers)["Location"]

    assert made.status == 201
    assert json.loads(get(api, place).body)["email"] == "a@example.com"
    assert post(api, place, {"phone": "+1-202-555-0100"}, "PATCH").status == 200
    assert json.loads(get(api, place).body)["phone"] == "+1-202-555-0100"
    assert [api.answer(SampleRequest("DELETE", place, TOKEN)).status for _ in range(2)] == [204, 404]


def test_a_bad_user_names_each_field(api: SampleApi) -> None:
    answer = post(api, "/v1/users", {"firstName": "A", "email": "nothing"})

    assert answer.status == 422
    assert [error["field"] for error in json.loads(answer.body)["errors"]] == ["email", "lastName"]


def test_pages_cover_all_users_once(api: SampleApi) -> None:
    seen, page = [], 1
    while page:
        answer = json.loads(get(api, f"/v1/users?page={page}&pageSize=7").body)
        seen += [user["id"] for user in answer["items"]]
        page = answer["next"]

    assert seen == list(api.shop.users)


def test_an_order_is_paid_and_cancelled_once(api: SampleApi) -> None:
    made = json.loads(
        post(
            api, "/v1/orders", {"userId": first_user(api), "items": [{"productId": 101, "quantity": 1}]}
        ).body
    )
    card = {"type": "card", "number": "4242424242424242", "expires": "11/29"}
    answers = [post(api, "/v1/payments", {"orderId": made["id"], "method": card}) for _ in range(60)]

    assert {answer.status for answer in answers} == {201, 402}
    assert not any(b"4242424242424242" in answer.body for answer in answers)
    cancel = f"/v1/orders/{made['id']}/cancel"
    assert [post(api, cancel, {}).status for _ in range(2)] == [202, 409]


def test_login_takes_a_form(api: SampleApi) -> None:
    def log_in(password: str) -> Response:
        body = f"grant_type=password&username=a&password={password}".encode()
        return api.answer(SampleRequest("POST", "/v1/sessions", FORM, body))

    assert (log_in("correct+horse").status, log_in("wrong").status) == (200, 401)


def test_a_report_fails_now_and_then(api: SampleApi) -> None:
    assert {get(api, "/v1/reports/daily/2026-01-02").status for _ in range(100)} == {200, 500}


def test_long_bodies_are_zipped_for_those_who_ask(api: SampleApi) -> None:
    target = "/v1/users?pageSize=40"
    plain, zipped = get(api, target), get(api, target, ("Accept-Encoding", "gzip"))

    assert dict(zipped.headers)["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped.body) == plain.body
    assert plain.chunked and "Content-Encoding" not in dict(plain.headers)


def test_the_shop_stays_bounded(api: SampleApi) -> None:
    for number in range(MAX_RECORDS + 50):
        post(api, "/v1/users", {"firstName": "A", "lastName": "B", "email": f"a{number}@example.com"})

    assert len(api.shop.users) == MAX_RECORDS


@pytest.mark.parametrize(
    "target", ["/v1/users?page=999999999999999", "/v1/products/%ff", "/v1/users/%00?%%%=&&"]
)
def test_odd_targets_get_an_answer(api: SampleApi, target: str) -> None:
    assert get(api, target).status in (200, 404)
