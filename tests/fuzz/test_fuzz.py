"""A short run of the fuzz targets: their invariants over the seeds, mutations of them, and old findings."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import random
import shutil
import sysconfig
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz import build, campaign, seeds

REGRESSIONS = Path(__file__).resolve().parents[2] / "fuzz" / "regressions"
"""TARGET/NAME: inputs that once broke an invariant."""
MUTATIONS = 1000
"""Inputs made for one target."""


@pytest.fixture(scope="module")
def play() -> Callable[[str, bytes], None]:
    """The harness over the installed modules: raises where an invariant does not hold."""
    build.build_plain()
    path = build.PLAIN / f"levo_fuzz_harness{sysconfig.get_config_var('EXT_SUFFIX')}"
    loader = importlib.machinery.ExtensionFileLoader("levo_fuzz_harness", str(path))
    spec = importlib.util.spec_from_loader("levo_fuzz_harness", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    run: Callable[[str, bytes], None] = module.play
    return run


def mutated(octets: bytes, others: list[bytes], rng: random.Random) -> bytes:
    out = bytearray(octets[:4096])
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at = rng.randrange(len(out) + 1)
        kind = rng.randrange(5)
        if kind == 0 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del out[at : at + rng.randrange(1, 40)]
        elif kind == 2:
            out[at:at] = rng.randbytes(rng.randrange(1, 9))
        elif kind == 3:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            out[at:at] = other[start : start + rng.randrange(200)]
        else:
            out[at : at + 2] = rng.choice((b"\xff\xff", b"\0\0", b"\x7f\xff", b"\xff\x03\x40"))
    return bytes(out)


@pytest.mark.parametrize("target", build.TARGETS)
def test_invariants_hold_for_seeds_and_mutations_of_them(
    target: str, play: Callable[[str, bytes], None]
) -> None:
    known = list(seeds.SEEDS[target]())
    rng = random.Random(zlib.crc32(target.encode()))
    for octets in known:
        play(target, octets)
    for _ in range(MUTATIONS):
        play(target, mutated(rng.choice(known), known, rng))


@pytest.mark.parametrize("target", build.TARGETS)
def test_the_empty_input_is_one(target: str, play: Callable[[str, bytes], None]) -> None:
    play(target, b"")


@pytest.mark.parametrize(
    "path", sorted(REGRESSIONS.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_what_was_found_stays_mended(path: Path, play: Callable[[str, bytes], None]) -> None:
    play(path.parent.name, path.read_bytes())


@pytest.mark.parametrize("target", build.TARGETS)
def test_under_the_sanitizers(target: str) -> None:
    """Coverage-guided, for a second each, where ``make fuzz`` has built the current modules."""
    if not build.is_built():
        pytest.skip("build/fuzz is not up to date: make fuzz builds it")
    outcome = campaign.run_target(target, 1)
    assert not outcome.failed, str(outcome)
    assert outcome.executions > 0


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
@pytest.mark.parametrize("target", build.TARGETS)
def test_its_share_of_five_million_executions_under_the_sanitizers_finds_nothing(target: str) -> None:
    build.build()
    outcome = campaign.run_target(target, 6000, executions=campaign.EXECUTIONS[target])
    assert not outcome.failed, str(outcome)
    assert outcome.executions >= campaign.EXECUTIONS[target]


def test_the_shares_are_five_million_executions_together() -> None:
    assert set(campaign.EXECUTIONS) == set(build.TARGETS)
    assert sum(campaign.EXECUTIONS.values()) >= 5_000_000


def test_seeds_exist_for_every_target_and_are_small() -> None:
    assert set(seeds.SEEDS) == set(build.TARGETS)
    assert sum(len(octets) for make in seeds.SEEDS.values() for octets in make()) < 1 << 20


def test_a_log_says_how_much_was_run() -> None:
    log = "#2\tINITED cov: 10 ft: 11\n#500\tNEW    cov: 12 ft: 14\nstat::number_of_executed_units: 700\n"
    assert campaign.read_log(log) == (700, 12)
    assert campaign.read_log("#2\tINITED cov: 10\n#900\tpulse  cov: 11 ft: 3\n==1==ERROR: ...") == (900, 11)


@pytest.mark.parametrize("names", ["no-such-target", "frame nonsense"])
def test_an_unknown_target_is_named(names: str) -> None:
    with pytest.raises(SystemExit, match="no target"):
        campaign.chosen(names)


def test_a_finding_fails_the_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = campaign.Outcome("frame", 10, 1.0, 5, (Path("crash-1"),), 77)
    monkeypatch.setattr(campaign, "build", lambda: None)
    monkeypatch.setattr(campaign, "run_target", lambda target, seconds: found)
    assert campaign.main({"FUZZ_SECONDS": "1", "FUZZ_TARGETS": "frame"}) == 1
    assert "crash-1" in capsys.readouterr().out


def test_without_a_finding_the_run_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = []

    def run(target: str, seconds: float) -> campaign.Outcome:
        shares.append(seconds)
        return campaign.Outcome(target, 10, 1.0, 5, (), 0)

    monkeypatch.setattr(campaign, "build", lambda: None)
    monkeypatch.setattr(campaign, "run_target", run)
    assert campaign.main({"FUZZ_SECONDS": "20", "FUZZ_TARGETS": "frame hpack"}) == 0
    assert shares == [10.0, 10.0]
