"""``levo config``."""

from __future__ import annotations

from pathlib import Path

from tests.cli.levo_command import levo


def test_show_has_the_origin_of_each_value(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("levo-env: staging\n\nservice-name: shop\n")

    done = levo("config", "show", "--config", str(path), "--rate-limit", "7", env={"LEVO_ENV": "production"})

    lines = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert done.returncode == 0
    assert lines["levo-env"] == ["production", "LEVO_ENV"]
    assert lines["service-name"] == ["shop", f"{path}:3"]
    assert lines["rate-limit"] == ["7", "--rate-limit"]
    assert lines["max-http-length"] == ["10000000", "default"]


def test_check_prints_every_problem_with_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("rate-limit: fast\nhots-allow: x\npath-allow: ['(']\nfilter: port 80 and\n")

    done = levo("config", "check", str(path))

    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == [
        f"{path}:1:13",
        f"{path}:2:1",
        f"{path}:3:14",
        f"{path}:4:9",
    ]
    assert "did you mean host-allow?" in done.stderr


def test_check_of_a_good_and_of_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("collector-endpoint: localhost:4317\n")

    good, missing = levo("config", "check", str(path)), levo("config", "check", str(tmp_path / "no.yaml"))

    assert (good.returncode, good.stdout) == (0, f"{path}: no errors\n")
    assert (missing.returncode, missing.stderr) == (
        2,
        f"levo: '{path.parent}/no.yaml': no such file or directory\n",
    )


def test_a_file_with_several_errors_stops_the_sensor_with_one_line(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("rate-limit: fast\nfoo: x\n")

    done = levo("apidump", "--config", str(path))

    assert (done.returncode, done.stdout) == (2, "")
    says = "rate-limit: 'fast' is not a number; for example 1000 or 0.5 (0 = no limit) (and 1 more)"
    assert done.stderr == f"levo: {path}:1:13: {says}\n"
