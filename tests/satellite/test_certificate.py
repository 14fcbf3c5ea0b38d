"""What a page says about the certificate is what a sensor meets."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from levo.errors import LevoError
from levo.satellite.certificate import Certificate, PemFiles, read_authority
from tests.sensor.export.certificates import Pair, make_authority, make_leaf


def certificate_of(chain: Path, key: Path, authority: Path | None = None) -> Certificate:
    return Certificate(PemFiles(chain, key, authority).read())


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    authority, signer = make_authority(tmp_path)
    return make_leaf(tmp_path, "server", authority, signer, "satellite.test", address="10.77.0.1")


def test_an_authority_of_ones_own_is_handed_over_and_names_are_checked(pair: Pair, tmp_path: Path) -> None:
    authority = tmp_path / "authority.pem"
    found = certificate_of(pair.cert, pair.key, authority)

    assert not found.is_public
    assert ssl.PEM_cert_to_DER_cert(found.to_hand_over) == ssl.PEM_cert_to_DER_cert(authority.read_text())
    assert found.problem_of("satellite.test") == found.problem_of("10.77.0.1") == ""
    assert "mismatch" in found.problem_of("other.test").lower()
    assert "mismatch" in found.problem_of("10.77.0.2").lower()


def test_the_authority_is_found_in_the_chain(pair: Pair, tmp_path: Path) -> None:
    chain = tmp_path / "chain.pem"
    chain.write_text(pair.cert.read_text() + (tmp_path / "authority.pem").read_text())

    assert certificate_of(chain, pair.key).problem_of("satellite.test") == ""
    assert certificate_of(pair.cert, pair.key).authority == ""


def test_a_certificate_that_signed_itself_is_its_own_authority(tmp_path: Path) -> None:
    own, _ = make_authority(tmp_path)

    assert certificate_of(own.cert, own.key).to_hand_over == own.cert.read_text()


def test_an_authority_that_did_not_sign_it_is_noticed(pair: Pair, tmp_path: Path) -> None:
    other, _ = make_authority(tmp_path, "other")

    assert "local issuer" in certificate_of(pair.cert, pair.key, other.cert).problem_of("satellite.test")


def test_an_expired_certificate_is_noticed(tmp_path: Path) -> None:
    authority, signer = make_authority(tmp_path)
    old = make_leaf(tmp_path, "old", authority, signer, "satellite.test", expired=True)

    assert "expired" in certificate_of(old.cert, old.key, authority.cert).problem_of("satellite.test")


def test_nothing_but_certificates_leaves_the_file_of_the_authority(pair: Pair, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed.pem"
    mixed.write_text("EOF\n$(id)\n" + pair.key.read_text() + pair.cert.read_text())

    assert read_authority(mixed) == pair.cert.read_text()
    with pytest.raises(LevoError, match="holds no PEM certificate"):
        read_authority(pair.key)
    with pytest.raises(LevoError, match="cannot be read"):
        read_authority(tmp_path / "absent.pem")


def test_a_key_of_another_certificate_is_one_clear_line(pair: Pair, tmp_path: Path) -> None:
    other, _ = make_authority(tmp_path, "other")

    with pytest.raises(LevoError, match=r"^no certificate with its private key$"):
        certificate_of(pair.cert, other.key)
