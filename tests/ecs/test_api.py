"""The calls: pages, batches, retries and errors, by stubbed answers of the real shape and over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from levo.cli.group import missing_package
from levo.ecs.api import (
    Account,
    AwsError,
    ConnectionFailed,
    Credentials,
    CredentialsError,
    DeniedError,
    Ecs,
    NotFoundError,
    ThrottledError,
    profiles,
)
from levo.ecs.model import EcsError
from tests.ecs.definitions import definition, service
from tests.ecs.fake_ecs import FakeEcs, Refusal, denied

ARN = "arn:aws:ecs:eu-west-1:123456789012"


@pytest.fixture
def stubbed() -> Iterator[tuple[Ecs, Stubber]]:
    client = boto3.client(
        "ecs",
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="y",
        endpoint_url="http://x",
    )
    with Stubber(client) as stubber:
        yield Ecs(client, "eu-west-1"), stubber
        stubber.assert_no_pending_responses()


def test_clusters_are_listed_page_by_page_and_described_by_the_hundred(stubbed: Any) -> None:
    ecs, stubber = stubbed
    arns = [f"{ARN}:cluster/c{number:03}" for number in range(150)]
    stubber.add_response("list_clusters", {"clusterArns": arns[:90], "nextToken": "t"}, {})
    stubber.add_response("list_clusters", {"clusterArns": arns[90:]}, {"nextToken": "t"})
    for some in (arns[:100], arns[100:]):
        answer = [{"clusterArn": arn, "clusterName": arn.rpartition("/")[2]} for arn in reversed(some)]
        stubber.add_response("describe_clusters", {"clusters": answer, "failures": []}, {"clusters": some})

    assert [cluster.name for cluster in ecs.clusters()] == [f"c{number:03}" for number in range(150)]


def test_services_are_described_by_ten_with_their_tags(stubbed: Any) -> None:
    ecs, stubber = stubbed
    arns = [f"{ARN}:service/prod/s{number:02}" for number in range(13)]
    stubber.add_response("list_services", {"serviceArns": arns, "nextToken": ""}, {"cluster": "prod"})
    for some in (arns[:10], arns[10:]):
        expected = {"cluster": "prod", "services": some, "include": ["TAGS"]}
        answer = [
            {"serviceArn": arn, "status": "ACTIVE", "tags": [{"key": "a", "value": "b"}]} for arn in some
        ]
        answer[0]["status"] = "INACTIVE"
        stubber.add_response("describe_services", {"services": answer, "failures": []}, expected)

    found = ecs.services("prod")

    assert [item.name for item in found] == [f"s{number:02}" for number in range(13) if number not in (0, 10)]
    assert found[0].tags == (("a", "b"),)


def test_no_services_are_not_described(stubbed: Any) -> None:
    ecs, stubber = stubbed
    stubber.add_response("list_services", {"serviceArns": []}, {"cluster": "prod"})

    assert ecs.services("prod") == []


def test_families_are_the_active_ones(stubbed: Any) -> None:
    ecs, stubber = stubbed
    stubber.add_response(
        "list_task_definition_families", {"families": ["b"], "nextToken": "2"}, {"status": "ACTIVE"}
    )
    stubber.add_response(
        "list_task_definition_families", {"families": ["a"]}, {"status": "ACTIVE", "nextToken": "2"}
    )

    assert ecs.families() == ["a", "b"]


def test_tags_come_beside_the_definition_and_are_asked_for(stubbed: Any) -> None:
    ecs, stubber = stubbed
    body = dict(definition().body)
    stubber.add_response(
        "describe_task_definition",
        {"taskDefinition": body, "tags": [{"key": "team", "value": "shop"}]},
        {"taskDefinition": "web", "include": ["TAGS"]},
    )
    found = ecs.definition("web")

    assert found.body == body and found.tags == (("team", "shop"),)


def test_registering_sends_what_the_operation_takes_and_nothing_else(stubbed: Any) -> None:
    ecs, stubber = stubbed
    before = definition(tags=(("team", "shop"), ("aws:cloudformation:stack-name", "s")))
    expected = before.registrable()
    assert "taskDefinitionArn" not in expected and expected["tags"] == [{"key": "team", "value": "shop"}]
    stubber.add_response("register_task_definition", {"taskDefinition": {**before.body}}, expected)

    assert ecs.register(before).name == "web:7"


def test_an_update_sets_the_task_definition_and_nothing_else(stubbed: Any) -> None:
    ecs, stubber = stubbed
    web = service()
    expected = {"cluster": web.cluster_arn, "service": "web", "taskDefinition": "arn-8"}
    stubber.add_response("update_service", {"service": {"serviceArn": web.arn}}, expected)

    assert ecs.update(web, "arn-8").arn == web.arn


@pytest.mark.parametrize(
    ("code", "message", "status", "error", "line"),
    [
        (
            "AccessDeniedException",
            "User: arn:aws:iam::1:user/me is not authorized to perform: ecs:RegisterTaskDefinition on: *",
            400,
            DeniedError,
            "permission ecs:RegisterTaskDefinition is missing for arn:aws:iam::1:user/me: cannot write the "
            "new revision of the task definition; levo ecs policy prints a policy that allows it",
        ),
        (
            "ClientException",
            "x",
            400,
            AwsError,
            "cannot write the new revision of the task definition: x (ClientException)",
        ),
        (
            "AccessDeniedException",
            "User: arn:aws:iam::1:user/me is not authorized to perform: iam:PassRole on resource: "
            "arn:aws:iam::1:role/task because no identity-based policy allows the iam:PassRole action",
            400,
            DeniedError,
            "permission iam:PassRole is missing for arn:aws:iam::1:user/me: cannot write the new revision "
            "of the task definition; levo ecs policy --pass-role ROLE_ARN prints a policy that allows it",
        ),
        ("ExpiredTokenException", "expired", 400, CredentialsError, "AWS does not accept these credentials"),
        ("UnrecognizedClientException", "no", 400, CredentialsError, "AWS does not accept these credentials"),
        ("ThrottlingException", "Rate exceeded", 400, ThrottledError, "cannot write the new revision"),
        ("ClusterNotFoundException", "Cluster not found.", 400, NotFoundError, "cannot write"),
        (
            "403",
            "not authorized",
            403,
            DeniedError,
            "permission ecs:RegisterTaskDefinition is missing: cannot",
        ),
    ],
)
def test_every_kind_of_refusal_is_one_line(
    stubbed: Any, code: str, message: str, status: int, error: type[EcsError], line: str
) -> None:
    ecs, stubber = stubbed
    stubber.add_client_error("register_task_definition", code, message, status)

    with pytest.raises(error) as raised:
        ecs.register(definition())

    assert str(raised.value).startswith(line)
    assert "\n" not in str(raised.value)


def test_a_definition_that_aws_would_refuse_for_its_form_is_not_sent(fake: FakeEcs) -> None:
    ecs = Account(Credentials()).ecs("eu-west-1")
    broken = definition(containers=[{"name": "app", "image": 7}])

    with pytest.raises(EcsError, match="AWS would refuse this"):
        ecs.register(broken)
    assert fake.requests == []


def test_throttling_is_waited_out(fake: FakeEcs) -> None:
    fake.add_cluster("prod")
    fake.refusals["ListClusters"] = [Refusal("ThrottlingException", "Rate exceeded")] * 2

    assert [cluster.name for cluster in Account(Credentials()).ecs("eu-west-1").clusters()] == ["prod"]
    assert len(fake.called("ListClusters")) == 3


def test_pages_are_followed_over_http(fake: FakeEcs) -> None:
    fake.page = 2
    fake.add_definition("web")
    for number in range(11):
        fake.add_service(f"s{number:02}")
    ecs = Account(Credentials()).ecs("eu-west-1")

    assert len(ecs.services("prod")) == 11
    assert len(fake.called("ListServices")) == 6
    assert [len(body["services"]) for body in fake.called("DescribeServices")] == [10, 1]


def test_settings_that_the_library_does_not_know_stop_the_copy(fake: FakeEcs) -> None:
    fake.add_definition("web")
    fake.extra_raw = {"brandNewLimit": {"soft": 1}}

    with pytest.raises(
        EcsError, match=r"settings that this boto3 does not know .*taskDefinition.brandNewLimit"
    ):
        Account(Credentials()).ecs("eu-west-1").definition("web")


def test_regions_are_those_that_are_enabled(fake: FakeEcs) -> None:
    fake.regions = ["us-east-1", "eu-west-1"]
    account = Account(Credentials())

    assert account.regions() == ["eu-west-1", "us-east-1"]
    assert account.region == "eu-west-1"
    assert {"eu-west-1", "us-east-1", "us-west-2"} < set(account.known_regions())
    fake.always["DescribeRegions"] = denied("ec2:DescribeRegions")
    with pytest.raises(DeniedError) as raised:
        account.regions()
    assert raised.value.action == "ec2:DescribeRegions"


def test_profiles_come_from_the_shared_files(home: Path) -> None:
    with (home / ".aws" / "credentials").open("a") as file:
        file.write("\n[blue]\naws_access_key_id = a\naws_secret_access_key = b\n")

    assert profiles() == ["blue", "default"]
    with pytest.raises(CredentialsError, match="could not be found; aws configure list-profiles"):
        Account(Credentials("red"))


def test_without_credentials_it_says_where_they_belong(home: Path) -> None:
    (home / ".aws" / "credentials").unlink()

    with pytest.raises(CredentialsError, match=r"no AWS credentials found; save them in ~/.aws/credentials"):
        Account(Credentials())


def test_an_address_where_nobody_answers_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("levo.ecs.api.ATTEMPTS", 1)

    with pytest.raises(ConnectionFailed, match=r"AWS is not reached: .*127\.0\.0\.1:1/"):
        Account(Credentials(endpoint="http://127.0.0.1:1")).ecs("eu-west-1").clusters()


def test_without_the_extra_the_missing_package_is_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line says what to install."""
    monkeypatch.setitem(sys.modules, "boto3", None)

    for call in (profiles, lambda: Account(Credentials())):
        with pytest.raises(ModuleNotFoundError) as caught:
            call()
        assert str(missing_package(caught.value, "levo ecs")).endswith("'levo-sensor[aws]'")
