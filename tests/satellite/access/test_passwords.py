from __future__ import annotations

import threading

import pytest

from levo.satellite.access.passwords import (
    PasswordPool,
    PasswordRefused,
    PasswordsBusy,
    check_password,
    hash_password,
)
from tests.satellite.running import until


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


def test_the_pool_computes_one_at_a_time_and_refuses_a_crowd() -> None:
    pool, gate = PasswordPool(), threading.Event()
    running: list[int] = []
    most: list[int] = []

    def work() -> None:
        running.append(1)
        most.append(len(running))
        gate.wait(90)
        running.pop()

    def ask(refused: list[PasswordsBusy]) -> None:
        try:
            pool.run(work)
        except PasswordsBusy as busy:
            refused.append(busy)

    refused: list[PasswordsBusy] = []
    asking = [threading.Thread(target=ask, args=(refused,)) for _ in range(40)]
    for each in asking:
        each.start()
    until(lambda: sum(each.is_alive() for each in asking) == 40 - len(refused) and len(refused) == 31)
    gate.set()
    for each in asking:
        each.join()

    assert set(most) == {1} and len(most) == 9
    assert pool.run(lambda: 7) == 7
