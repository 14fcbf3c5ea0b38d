import pytest

from levo.config import IpFilter, IpRule, UrlFilter, UrlRule


@pytest.mark.parametrize(
    ("rules", "active"),
    [
        (IpFilter(), False),
        (IpFilter("drop"), True),
        (IpFilter("accept", (IpRule("accept"),)), False),
        (IpFilter("accept", (IpRule("drop"),)), True),
        (UrlFilter(), False),
        (UrlFilter("ignore"), True),
        (UrlFilter("trace", (UrlRule("trace"),)), False),
        (UrlFilter("trace", (UrlRule("ignore"),)), True),
    ],
)
def test_a_filter_is_true_when_it_can_drop_anything(rules: IpFilter | UrlFilter, active: bool) -> None:
    assert bool(rules) is active
