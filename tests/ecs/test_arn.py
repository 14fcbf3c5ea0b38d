"""Names out of ARNs and out of plain names."""

import pytest

from levo.ecs.arn import definition_name, family_of, last_part, region_of


@pytest.mark.parametrize(
    ("arn", "name", "region"),
    [
        ("arn:aws:ecs:eu-west-1:123456789012:cluster/prod", "prod", "eu-west-1"),
        ("arn:aws-cn:ecs:cn-north-1:123456789012:service/prod/web", "web", "cn-north-1"),
        ("prod", "prod", None),
    ],
)
def test_the_last_part_and_the_region(arn: str, name: str, region: str | None) -> None:
    assert last_part(arn) == name
    assert region_of(arn) == region


def test_a_definitions_name_has_its_revision_and_its_family_has_not() -> None:
    arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7"

    assert definition_name(arn) == definition_name("web:7") == "web:7"
    assert family_of(arn) == family_of("web:7") == family_of("web") == "web"
