"""PlanNote what the flags mean, over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from levo.ecs import discover
from levo.ecs.api import Account, Credentials, DeniedError, Ecs, NotFoundError
from levo.ecs.model import EcsInputError
from tests.ecs.fake_ecs import FakeEcs, denied, serving

SENSOR = {"name": "levo-pcap-sensor", "image": "levoai/pcap-sensor:0.0.20", "memory": 512, "essential": False}
APP = {"name": "app", "image": "nginx", "memory": 512}


@pytest.fixture
def ecs(fake: FakeEcs) -> Ecs:
    fake.add_definition("web")
    fake.add_definition("web", containerDefinitions=[APP, SENSOR])
    fake.add_definition("pay")
    fake.add_service("api", definition="web:1")
    fake.add_service("web", definition="web:2")
    fake.add_service("pay", definition="pay:1")
    return Account(Credentials()).ecs("eu-west-1")


def find(ecs: Ecs, **flags: Any) -> list[tuple[str, list[str]]]:
    defaults: dict[str, Any] = {
        "cluster": "prod",
        "family": None,
        "services": (),
        "all_services": False,
        "register_only": False,
    }
    found = discover.find_targets(ecs, **{**defaults, **flags})
    return [(target.definition.name, [item.name for item in target.services]) for target in found.targets]


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ({"services": ("api",)}, [("web:1", ["api"])]),
        ({"services": ("web", "api", "web")}, [("web:1", ["api"]), ("web:2", ["web"])]),
        ({"services": ("api",), "family": "web"}, [("web:1", ["api"])]),
        ({"family": "pay"}, [("pay:1", ["pay"])]),
        ({"family": "web:2"}, [("web:2", ["web"])]),
        ({"family": "web", "all_services": True}, [("web:1", ["api"]), ("web:2", ["web"])]),
        ({"all_services": True}, [("web:1", ["api"]), ("pay:1", ["pay"]), ("web:2", ["web"])]),
        ({"register_only": True, "family": "web", "cluster": None}, [("web:2", [])]),
        ({"register_only": True, "family": "web:1"}, [("web:1", [])]),
    ],
)
def test_flags_that_name_something(ecs: Ecs, flags: dict[str, Any], found: Any) -> None:
    assert find(ecs, **flags) == found


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ({"cluster": None}, "--cluster is missing"),
        ({}, "--service is missing"),
        ({"family": "web"}, "2 services run web: api, web; choose with --service or --all-services"),
        ({"family": "nothing"}, "no service in cluster prod runs nothing; write --register-only"),
        ({"services": ("api",), "family": "pay"}, "service api runs web:1, not pay"),
        ({"register_only": True}, "--register-only needs --family"),
    ],
)
def test_flags_that_name_too_little_or_too_much(ecs: Ecs, flags: dict[str, Any], line: str) -> None:
    with pytest.raises(EcsInputError) as raised:
        find(ecs, **flags)

    assert str(raised.value).startswith(line)


def test_what_does_not_exist_is_named(ecs: Ecs) -> None:
    with pytest.raises(NotFoundError, match="no service 'wep' in cluster prod"):
        find(ecs, services=("wep",))
    with pytest.raises(NotFoundError, match="Cluster not found"):
        find(ecs, cluster="dev", services=("web",))
    with pytest.raises(NotFoundError, match="no cluster 'dev' in eu-west-1"):
        ecs.cluster("dev")


def test_services_of_the_family_that_were_not_chosen(ecs: Ecs) -> None:
    there = ecs.services("prod")

    assert [item.name for item in discover.others_on(there, [there[0]])] == ["web"]


def test_placements_tell_where_the_sensor_is_and_its_version(ecs: Ecs, fake: FakeEcs) -> None:
    fake.add_service("sets", definition="web:1", more={"taskDefinition": "", "taskSets": []})
    found = list(discover.placements(ecs, ecs.cluster("prod")))

    assert [(item.service.name, item.container, item.version) for item in found] == [
        ("api", None, None),
        ("pay", None, None),
        ("sets", None, None),
        ("web", "levo-pcap-sensor", "0.0.20"),
    ]
    assert len(fake.called("DescribeTaskDefinition")) == 3, "each revision is described once"


def test_an_earlier_revision_may_be_gone_but_not_forbidden(ecs: Ecs, fake: FakeEcs) -> None:
    look_up = discover.earlier_revision(ecs)

    found = look_up("web:1")
    assert found is not None and found.name == "web:1"
    assert look_up("web:77") is None
    fake.always["DescribeTaskDefinition"] = denied("ecs:DescribeTaskDefinition")
    with pytest.raises(DeniedError):
        look_up("web:1")


def test_where_regions_may_not_be_listed_the_built_in_list_serves(fake: FakeEcs) -> None:
    account = Account(Credentials())
    fake.regions = ["eu-west-1", "us-east-1"]
    assert discover.regions(account) == discover.Regions(("eu-west-1", "us-east-1"))

    fake.always["DescribeRegions"] = denied("ec2:DescribeRegions")
    found = discover.regions(account)
    assert len(found.names) > 20
    assert found.problem is not None and "permission ec2:DescribeRegions is missing" in found.problem


def test_a_search_looks_into_every_region_and_tells_how_far_it_is(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = FakeEcs("eu-west-1"), FakeEcs("us-west-2")
    near.add_cluster("a")
    far.add_cluster("b")
    said: list[tuple[int, str]] = []
    with serving(near, far) as url:
        account = Account(Credentials(endpoint=url))
        found = discover.search(
            account, ["eu-west-1", "me-south-1", "us-west-2"], lambda *at: said.append(at)
        )
        with pytest.raises(DeniedError):
            discover.search(account, ["me-south-1"], lambda *at: None)

    assert [(place.region, place.cluster.name) for place in found.places] == [
        ("eu-west-1", "a"),
        ("us-west-2", "b"),
    ]
    assert [name for name, _ in found.refused] == ["me-south-1"]
    assert said == [(0, "eu-west-1"), (1, "me-south-1"), (2, "us-west-2"), (3, "")]
