import asyncio
from pathlib import Path

import pytest

from levo.demo.children import Child, DemoError
from levo.errors import MissingPackageError


def test_a_child_that_ends_by_itself_is_reported_with_its_last_words(tmp_path: Path) -> None:
    async def main() -> None:
        child = Child("sensor", ["no-such-command"], tmp_path / "log")
        await child.start()
        assert await child.wait() == 2
        assert not child.running
        with pytest.raises(DemoError, match=r"the sensor ended with status 2:\n.*no-such-command"):
            child.check()
        await child.stop()

    asyncio.run(main())


def test_what_a_child_says_of_a_missing_package_is_passed_on_alone(tmp_path: Path) -> None:
    """tests/cli/test_group.py runs the whole demo without the packages."""

    async def main() -> None:
        log = tmp_path / "log"
        child = Child("satellite", ["no-such-command"], log)
        await child.start()
        await child.wait()
        with log.open("a") as file:
            file.write(
                f"levo: {MissingPackageError('levo satellite needs the package x', 'levo-sensor[y]')}\n"
            )
        with pytest.raises(DemoError) as caught:
            child.check()
        said = "levo satellite needs the package x; install it with: pip install 'levo-sensor[y]'"
        assert (str(caught.value), caught.value.exit_status) == (said, 2)

    asyncio.run(main())


def test_stopping_is_legal_before_the_start_and_twice(tmp_path: Path) -> None:
    async def main() -> None:
        child = Child("sensor", ["--version"], tmp_path / "log")
        await child.stop()
        child.check()
        await child.start()
        assert await child.wait() == 0
        await child.stop()
        await child.stop()

    asyncio.run(main())
    assert "0." in (tmp_path / "log").read_text()


def test_settings_of_the_caller_do_not_reach_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEVO_RATE_LIMIT", "nonsense")

    async def main() -> None:
        child = Child("sensor", ["apidump", "--dry-run", "--read", "-"], tmp_path / "log")
        await child.start()
        await child.wait()

    asyncio.run(main())
    assert "nonsense" not in (tmp_path / "log").read_text()
