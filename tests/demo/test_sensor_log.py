import json

from levo.demo.sensor_log import is_capturing, read_losses


def entry(stage: str, balanced: bool = True, **states: int) -> str:
    return json.dumps({"event": "ledger", "stage": stage, "balanced": balanced, "states": states})


def test_losses_of_several_runs_add_up() -> None:
    log = [
        entry("capture", delivered=10, kernel_dropped=2),
        entry("capture", delivered=10, kernel_dropped=1),
        entry("otlp", exported=5, rejected=4),
        entry("exchanges", emitted=5, rate_limited=7),
    ]

    found = read_losses("\n".join(log))

    assert [phrase.partition(" (")[0] for phrase in found.lost] == ["3 frames", "4 traces"]
    assert found.balanced and str(found).startswith("lost 3 frames (")


def test_nothing_lost_is_said_only_by_a_ledger() -> None:
    assert str(read_losses(entry("capture", delivered=10))) == "nothing lost"
    assert str(read_losses("")) == "the ledger does not balance"
    assert str(read_losses(entry("capture", balanced=False, delivered=10))) == "the ledger does not balance"


def test_lines_of_others_are_passed_over() -> None:
    log = "\n".join(
        ["Traceback", "[1]", '{"event": "ledger", "counter": "gaps", "value": 1}', entry("capture")]
    )

    assert read_losses(log).balanced


def test_capturing_is_known_from_the_log() -> None:
    assert is_capturing('{"message": "levo-sensor 0.1.0: capturing on lo; output otlp"}')
    assert not is_capturing('{"message": "levo-sensor 0.1.0: reading a file"}\nnonsense')
