import pytest

import levo.cli


def test_main_ends_in_an_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["levo", "--version"])

    with pytest.raises(SystemExit) as ended:
        levo.cli.main()

    assert ended.value.code == 0
    assert "version" in capsys.readouterr().out
