from levo.config import Surroundings, load
from levo.config.reload import changes


def test_changes_are_told_apart_by_what_a_running_sensor_can_do() -> None:
    def config(**flags: str):
        given = {name.replace("_", "-"): flag for name, flag in flags.items()}
        return load(given, {}, default_path="/nonexistent", surroundings=Surroundings()).config

    old = config(rate_limit="5", levo_env="a")

    assert changes(old, config(rate_limit="5", levo_env="a")) == ([], [])
    assert changes(old, config(rate_limit="6", levo_env="b", filter="tcp")) == (
        ["rate-limit"],
        ["levo-env", "filter"],
    )
