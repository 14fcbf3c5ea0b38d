import dataclasses

import pytest

from levo.config import SensorConfig, Surroundings, load


def test_the_configuration_is_frozen_and_comparable() -> None:
    def make() -> SensorConfig:
        return load(
            {"path-allow": ("^/api",)}, {}, default_path="/nonexistent", surroundings=Surroundings()
        ).config

    config = make()

    assert config == make()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.levo_env = "other"  # type: ignore[misc]
