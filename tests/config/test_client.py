"""What a command needs that asks a Satellite."""

from __future__ import annotations

import dataclasses

import pytest

from levo.config import BY_NAME, BadValue, SatelliteUrl, merge
from levo.config.client import CLIENT, ClientConfig, pages_url


def test_the_table_has_every_field_and_the_sensors_names() -> None:
    assert {option.field for option in CLIENT.options} == {f.name for f in dataclasses.fields(ClientConfig)}
    for option in CLIENT.options:
        assert option.variable == BY_NAME[option.name].variable
        assert set(option.flags) == set(BY_NAME[option.name].flags)


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("127.0.0.1:9999", SatelliteUrl("http", "127.0.0.1", 9999, False)),
        ("localhost:9999/levo/", SatelliteUrl("http", "localhost", 9999, False, "/levo")),
        ("[::1]:9999", SatelliteUrl("http", "::1", 9999, False)),
        ("satellite", SatelliteUrl("http", "satellite", 80, False)),
        ("https://satellite", SatelliteUrl("http", "satellite", 443, True)),
        ("HTTP://satellite:1", SatelliteUrl("http", "satellite", 1, False)),
    ],
)
def test_the_address_of_pages_needs_no_scheme(written: str, url: SatelliteUrl) -> None:
    assert pages_url(written) == url
    assert pages_url(str(url)) == url


@pytest.mark.parametrize(
    "written", ["grpc://s:4317", "grpcs://s:4317", "ftp://s", "", "::1:9999", "u:p@h", "a b"]
)
def test_what_is_no_address_of_pages(written: str) -> None:
    with pytest.raises(BadValue):
        pages_url(written)


def test_without_anything_it_is_the_satellite_of_this_machine_and_any_part_of_its_catalog() -> None:
    config = merge(CLIENT, {}, {}).config

    assert str(config.satellite_url) == "http://127.0.0.1:9999"
    assert (config.levoai_org_id, config.levo_env, config.satellite_token) == (None, None, None)
