from levo.errors import (
    CaptureError,
    CaptureFileError,
    ConfigError,
    LevoError,
    MissingPackageError,
    PrivilegeError,
    Problem,
)


def test_exit_statuses() -> None:
    assert [kind.exit_status for kind in (LevoError, CaptureError, PrivilegeError)] == [1, 1, 1]
    assert [kind.exit_status for kind in (ConfigError, CaptureFileError, MissingPackageError)] == [2] * 3


def test_a_configuration_error_is_one_line_about_the_first_problem() -> None:
    first = Problem("rate-limit", "'x' is not a number", "config.yaml", 3, 13)
    second = Problem("--filter", "bad")

    assert str(ConfigError(first)) == "config.yaml:3:13: rate-limit: 'x' is not a number"
    assert str(ConfigError(second, first)) == "--filter: bad (and 1 more)"
