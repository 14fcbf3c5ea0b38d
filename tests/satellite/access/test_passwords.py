from __future__ import annotations

import pytest

from levo.satellite.access.passwords import PasswordRefused, check_password, hash_password


def test_a_password_is_known_again_and_not_kept() -> None:
    kept = hash_password("correct horse battery")

    assert check_password("correct horse battery", kept)
    assert not check_password("correct horse batterz", kept)
    assert "horse" not in kept and kept != hash_password("correct horse battery")


@pytest.mark.parametrize("password", ["", "short", "x" * 201, "aaaaaaaaaaaa", "password123"])
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(PasswordRefused):
        hash_password(password)


@pytest.mark.parametrize("kept", ["", "plain", "scrypt$x$8$1$AA$AA", "md5$1$2$3$AA$AA"])
def test_what_is_no_hash_fits_nothing(kept: str) -> None:
    assert not check_password("correct horse battery", kept)
