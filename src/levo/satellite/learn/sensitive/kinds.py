"""Kinds of sensitive data: what they are called, and how far a value alone proves one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Category(StrEnum):
    """What a kind of data is about."""

    PERSONAL = "personal"
    FINANCIAL = "financial"
    HEALTH = "health"
    CREDENTIALS = "credentials"
    CUSTOM = "custom"


class Proof(StrEnum):
    """How much it says that a value passes the detector of a kind."""

    STRUCTURE = "structure"
    """Next to nothing else looks like it: one value is enough for a tag of low confidence."""
    CHECKSUM = "checksum"
    """Random digits pass now and then: most values of a field must."""
    SHAPE = "shape"
    """Many things look like it: the field's name must say so too."""
    NAME = "name"
    """No value proves it; the field's name does."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of sensitive data."""

    name: str
    category: Category
    proof: Proof
    rank: int = 50
    """Between kinds that fit equally well the lower wins."""


_P, _F, _H, _C = Category.PERSONAL, Category.FINANCIAL, Category.HEALTH, Category.CREDENTIALS
NATIONAL_IDS = [
    "ar.dni",
    "be.nn",
    "bg.egn",
    "br.cpf",
    "ca.sin",
    "ch.ssn",
    "cl.rut",
    "cn.ric",
    "cz.rc",
    "dk.cpr",
    "ee.ik",
    "es.dni",
    "es.nie",
    "fi.hetu",
    "fr.nir",
    "gb.nhs",
    "gb.nino",
    "gr.amka",
    "hr.oib",
    "ie.pps",
    "il.idnr",
    "in.aadhaar",
    "in.pan",
    "it.codicefiscale",
    "kr.rrn",
    "lt.asmens",
    "lv.pk",
    "mx.curp",
    "nl.bsn",
    "no.fodselsnummer",
    "pl.pesel",
    "pt.nif",
    "pt.cc",
    "ro.cnp",
    "rs.jmbg",
    "se.personnummer",
    "sg.nric",
    "th.pin",
    "tr.tckimlik",
    "us.ssn",
    "za.idnr",
    "au.tfn",
    "au.medicare",
    "de.idnr",
]
_SHAPES = {"us.ssn", "ar.dni", "dk.cpr"}

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("email", _P, Proof.STRUCTURE, 10),
        Kind("phone", _P, Proof.CHECKSUM, 60),
        Kind("ip-address", _P, Proof.STRUCTURE, 70),
        Kind("mac-address", _P, Proof.STRUCTURE, 40),
        Kind("imei", _P, Proof.SHAPE, 55),
        Kind("person-name", _P, Proof.NAME),
        Kind("postal-address", _P, Proof.NAME),
        Kind("city", _P, Proof.NAME),
        Kind("postal-code", _P, Proof.NAME),
        Kind("date-of-birth", _P, Proof.NAME),
        Kind("gender", _P, Proof.NAME),
        Kind("nationality", _P, Proof.NAME),
        Kind("religion", _P, Proof.NAME),
        Kind("ethnicity", _P, Proof.NAME),
        Kind("marital-status", _P, Proof.NAME),
        Kind("user-name", _P, Proof.NAME),
        Kind("location", _P, Proof.NAME),
        Kind("passport-number", _P, Proof.NAME),
        Kind("driving-license", _P, Proof.NAME),
        Kind("vehicle-number", _P, Proof.SHAPE),
        Kind("payment-card", _F, Proof.CHECKSUM, 20),
        Kind("card-security-code", _F, Proof.NAME),
        Kind("card-expiry", _F, Proof.NAME),
        Kind("iban", _F, Proof.STRUCTURE, 10),
        Kind("bic", _F, Proof.SHAPE, 30),
        Kind("bank-account", _F, Proof.NAME),
        Kind("bank-routing", _F, Proof.SHAPE, 40),
        Kind("crypto-address", _F, Proof.STRUCTURE, 20),
        Kind("salary", _F, Proof.NAME),
        Kind("tax-number", _F, Proof.NAME),
        Kind("br.cnpj", _F, Proof.CHECKSUM, 45),
        Kind("diagnosis", _H, Proof.NAME),
        Kind("medical-record", _H, Proof.NAME),
        Kind("medication", _H, Proof.NAME),
        Kind("blood-type", _H, Proof.NAME),
        Kind("health-insurance", _H, Proof.NAME),
        Kind("allergy", _H, Proof.NAME),
        Kind("password", _C, Proof.NAME),
        Kind("secret", _C, Proof.NAME),
        Kind("one-time-code", _C, Proof.NAME),
        Kind("jwt", _C, Proof.STRUCTURE, 5),
        Kind("private-key", _C, Proof.STRUCTURE, 1),
        Kind("aws-access-key", _C, Proof.STRUCTURE, 2),
        Kind("github-token", _C, Proof.STRUCTURE, 2),
        Kind("gitlab-token", _C, Proof.STRUCTURE, 2),
        Kind("slack-token", _C, Proof.STRUCTURE, 2),
        Kind("stripe-key", _C, Proof.STRUCTURE, 2),
        Kind("google-api-key", _C, Proof.STRUCTURE, 2),
        Kind("openai-key", _C, Proof.STRUCTURE, 2),
        Kind("sendgrid-key", _C, Proof.STRUCTURE, 2),
        Kind("npm-token", _C, Proof.STRUCTURE, 2),
        Kind("pypi-token", _C, Proof.STRUCTURE, 2),
        Kind("azure-key", _C, Proof.STRUCTURE, 2),
        Kind("url-password", _C, Proof.STRUCTURE, 3),
        *(
            Kind(f"national-id.{each}", _P, Proof.SHAPE if each in _SHAPES else Proof.CHECKSUM, 50)
            for each in NATIONAL_IDS
        ),
    )
}
"""By name."""
