"""Key logs: whole lines only, each once, from files that grow, are replaced, or do not exist yet."""

from __future__ import annotations

from pathlib import Path

from levo.sensor.capture.keylog import CaptureSecrets, KeyLogFile


def test_lines_are_handed_out_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    log = KeyLogFile(str(path))
    assert log() == b""

    path.write_bytes(b"one\ntw")
    assert (log(), log()) == (b"one\n", b"")

    path.write_bytes(b"one\ntwo\n")
    assert log() == b"two\n"


def test_a_replaced_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"one\ntwo\n")
    log = KeyLogFile(str(path))
    assert log() == b"one\ntwo\n"

    path.write_bytes(b"new\n")

    assert log() == b"new\n"


def test_the_last_line_of_a_finished_file_needs_no_end(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"one\ntwo")

    assert KeyLogFile(str(path), finished=True)() == b"one\ntwo"


def test_blocks_of_a_capture_file_come_as_they_are_read() -> None:
    class Source:
        secrets: list[bytes] = []  # noqa: RUF012

        @property
        def secrets_total(self) -> int:
            return len(self.secrets)

    source = Source()
    log = CaptureSecrets(source)
    assert log() == b""

    source.secrets = [b"one", b"two\n"]

    assert (log(), log()) == (b"one\ntwo\n", b"")


def test_a_file_whose_name_can_no_longer_be_followed_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"one\n")
    log = KeyLogFile(str(path))

    with path.open("ab") as writer:
        path.unlink()
        writer.write(b"two\n")
        writer.flush()
        assert log() == b"one\ntwo\n"
