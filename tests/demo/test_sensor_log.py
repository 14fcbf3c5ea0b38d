import json

from levo.demo.sensor_log import read_losses, read_metrics
from levo.wire.metrics import Metric
from levo.wire.prometheus import exposition


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


def test_a_running_sensor_tells_its_losses_by_metrics() -> None:
    page = """# TYPE levo_sensor_ledger_units_total counter
levo_sensor_ledger_units_total{stage="capture",state="delivered",fate="kept"} 40
levo_sensor_ledger_units_total{stage="capture",state="kernel_dropped",fate="lost"} 2
levo_sensor_ledger_units_total{stage="exchanges",state="evicted",fate="lost"} 0
levo_sensor_ledger_units_total{stage="output",output="otlp",state="failed",fate="lost"} 3
levo_sensor_ledger_waiting{stage="output",output="otlp",state="held",fate="waiting"} 7
"""

    assert [phrase.partition(" (")[0] for phrase in read_metrics(page).lost] == ["2 frames", "3 traces"]
    assert str(read_metrics("")) == "nothing lost"


def test_the_metrics_are_those_that_the_sensor_writes() -> None:
    """The real writer on one side, the reader on the other."""
    units = Metric(
        "levo.sensor.ledger.units",
        "Units that ended in a state.",
        "1",
        True,
        (((("stage", "capture"), ("state", "kernel_dropped"), ("fate", "lost")), 5),),
    )

    assert [phrase.partition(" (")[0] for phrase in read_metrics(exposition([units])).lost] == ["5 frames"]
