# ruff: noqa: E501 (tables of patterns read better unbroken)
"""What the name of a field says about its values, in the languages that APIs are written in."""

from __future__ import annotations

import re
from functools import lru_cache

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@lru_cache(maxsize=1 << 12)
def normalized(name: str) -> str:
    """Return *name* in snake case: ``firstName``, ``First-Name`` and ``FIRST_NAME`` are ``first_name``."""
    return "_".join(part.lower() for part in _PARTS.findall(name))


def _words(text: str) -> str:
    return "|".join(text.split())


_PERSON = (
    "user|customer|client|person|people|contact|patient|employee|owner|author|member|recipient|sender|guest|"
    "driver|passenger|beneficiary|cardholder|holder|student|teacher|doctor|buyer|seller|applicant|kunde|cliente"
)
_EVIDENCE: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(rf"(?:^|_)(?:{pattern})$" if not pattern.startswith("~") else pattern[1:]))
    for kind, pattern in (
        ("email", "e?_?mail(?:_?(?:address|adresse))?|email_?\\d?|correo(?:_electronico)?|courriel"),
        ("phone", "(?:tele)?phone(?:_?(?:number|no|nr))?|phonenumber|mobile(?:_?(?:number|no|phone))?|cell(?:_?phone)?|"
                  "tel|telefon(?:nummer|o|e)?|fax(?:_?(?:number|no))?|handy(?:nummer)?|whatsapp|msisdn|celular|portable"),
        ("person-name", "(?:first|last|middle|full|given|family|maiden|legal|real|birth|cardholder|holder|contact|"
                        "customer|patient|employee|person|recipient|owner|author)_?names?|firstname|lastname|fullname|"
                        "surname|forename|vorname|nachname|familienname|prenom|nom_de_famille|nombres?|apellidos?|"
                        "cognome|sobrenome|voornaam|achternaam|fornamn|efternamn|imie|nazwisko|sei|mei|"
                        "name_on_card|beneficiary|recipient|card_?holder|account_holder"),
        ("postal-address", "street(?:_?(?:address|line|name))?(?:_?\\d)?|address(?:_?line)?_?\\d|address_?line|"
                           "(?:home|postal|mailing|billing|shipping|delivery|residential|street|full)_?address|"
                           "address|adresse|anschrift|strasse|stra_e|rue|calle|direccion|indirizzo|via|endereco|rua|adres|ulica"),
        ("city", "city|town|(?:address_?)?locality|ort|stadt|ville|ciudad|citta|cidade|miasto|stad|municipality"),
        ("postal-code", "(?:postal|zip|post)_?(?:code)?|zipcode|postcode|plz|postleitzahl|code_postal|cap|cep|codigo_postal"),
        ("date-of-birth", "dob|birth_?(?:day|date)|birthdate|birthday|date_of_birth|born(?:_on|_at)?|geburtsdatum|"
                          "geburtstag|date_de_naissance|naissance|fecha_(?:de_)?nacimiento|data_(?:di_)?nascita|"
                          "data_(?:de_)?nascimento|geboortedatum|data_urodzenia"),
        ("gender", "gender|sex|geschlecht|genre|sexo"),
        ("nationality", "nationality|citizenship|country_of_birth|place_of_birth|birth_?place|staatsangehoerigkeit"),
        ("religion", "religion|faith|denomination|konfession"),
        ("ethnicity", "ethnicity|race|ethnic_group"),
        ("marital-status", "marital_status|civil_status|familienstand"),
        ("user-name", "user_?name|login|login_?name|nick_?name|screen_?name"),
        ("location", "lat|latitude|lng|lon|longitude|geo_?location|coordinates"),
        ("passport-number", "passport(?:_?(?:number|no|nr|id))?|reisepass(?:nummer)?"),
        ("driving-license", "driv(?:er|ers|ing)_?(?:s_)?licen[cs]e(?:_?(?:number|no))?|dl_number|licen[cs]e_number"),
        ("vehicle-number", "vin|vehicle_identification(?:_number)?|license_plate|number_plate|kennzeichen"),
        ("imei", "imei(?:_number)?"),
        ("mac-address", "mac(?:_?address)?"),
        ("ip-address", "ip(?:_?(?:address|addr|v4|v6))?|remote_addr|client_ip|ipaddress"),
        ("payment-card", "(?:credit|debit|payment|bank)?_?card(?:_?(?:number|no|num|pan))|cc_?(?:num|number)|creditcard|"
                         "credit_card|pan|card|cardnumber|kartennummer|numero_(?:de_)?(?:tarjeta|carte)|account_number"),
        ("card-security-code", "cvv\\d?|cvc\\d?|csc|cid|card_?(?:verification|security)_?(?:code|value|number)|security_code"),
        ("card-expiry", "(?:card_?)?exp(?:iry|iration)?_?(?:date|month|year)|card_?exp(?:iry|iration|ires)?|exp_(?:month|year)|valid_thru"),
        ("iban", "iban"),
        ("bic", "bic|swift(?:_?code)?"),
        ("bank-account", "(?:bank_?)?account_?(?:number|no|num|nr)|acct_?(?:number|no|num)|kontonummer|bban|numero_(?:de_)?(?:cuenta|compte)"),
        ("bank-routing", "routing_?(?:number|no|code)?|aba(?:_?number)?|sort_?code|bank_?code|blz|bankleitzahl|transit_number"),
        ("crypto-address", "wallet(?:_?address)?|btc_?address|eth_?address|bitcoin_?address"),
        ("salary", "salary|wage|income|annual_income|gehalt|salario|salaire|net_worth|compensation"),
        ("tax-number", "tax_?(?:id|number|no)|tin|vat_?(?:id|number)|ein|steuer_?(?:id|nummer)|nif|itin|rfc"),
        ("diagnosis", "diagnos(?:is|es|tic)(?:_?code)?|icd(?:_?\\d+)?(?:_?code)?|medical_condition|condition_code|disease"),
        ("medical-record", "mrn|medical_record(?:_?(?:number|no|id))?|patient_?(?:id|number|no)|health_record"),
        ("medication", "medications?|prescriptions?|drug(?:_?name)?|dosage"),
        ("blood-type", "blood_?(?:type|group)|blutgruppe"),
        ("health-insurance", "(?:health_?)?insurance_?(?:number|no|id|policy)|policy_?number|member_?id|nhs(?:_?(?:number|no))?|medicare(?:_?number)?"),
        ("allergy", "allerg(?:y|ies)"),
        ("password", "pass_?(?:word|wd|phrase|code)|pwd|passwd|password_?(?:hash|confirmation|confirm|again)|old_password|"
                     "new_password|kennwort|passwort|mot_de_passe|contrasena|senha|wachtwoord|haslo"),
        ("secret", "secret|(?:client|api|app|shared|webhook|signing)_?secret|secret_?key|api_?key|apikey|private_?key|"
                   "access_?key|access_?token|refresh_?token|id_?token|auth_?token|bearer_?token|session_?token|"
                   "token|session_?id|csrf(?:_?token)?|credentials?|encryption_?key"),
        ("one-time-code", "otp|one_time_(?:code|password|pin)|pin(?:_?code)?|mfa_?code|totp|verification_?code|security_answer"),
        ("national-id.us.ssn", "ssn|social_security(?:_?(?:number|no))?|social|tax_?id|itin"),
        ("national-id.br.cpf", "cpf"), ("br.cnpj", "cnpj"), ("national-id.gb.nino", "nino|ni_?number|national_insurance(?:_?(?:number|no))?"),
        ("national-id.gb.nhs", "nhs(?:_?(?:number|no))?"), ("national-id.ca.sin", "sin|social_insurance(?:_?(?:number|no))?"),
        ("national-id.in.aadhaar", "aadha?ar(?:_?(?:number|no))?|uid"), ("national-id.in.pan", "pan(?:_?(?:number|no|card))?"),
        ("national-id.es.dni", "dni|nif"), ("national-id.es.nie", "nie"), ("national-id.it.codicefiscale", "codice_?fiscale|fiscal_?code"),
        ("national-id.fr.nir", "nir|insee|securite_sociale|numero_secu"), ("national-id.pl.pesel", "pesel"),
        ("national-id.nl.bsn", "bsn|burgerservicenummer"), ("national-id.se.personnummer", "personnummer"),
        ("national-id.dk.cpr", "cpr(?:_?(?:number|nr))?"), ("national-id.no.fodselsnummer", "fodselsnummer"),
        ("national-id.fi.hetu", "hetu|henkilotunnus"), ("national-id.de.idnr", "steuer_?id(?:entifikationsnummer)?|idnr"),
        ("national-id.mx.curp", "curp"), ("national-id.ar.dni", "dni"), ("national-id.cl.rut", "rut|run"),
        ("national-id.kr.rrn", "rrn"), ("national-id.za.idnr", "id_?number"), ("national-id.tr.tckimlik", "tc_?kimlik(?:_?no)?"),
        ("national-id.au.tfn", "tfn|tax_file_number"), ("national-id.ie.pps", "pps(?:n|_?number)?"),
        ("national-id.cn.ric", "id_?card(?:_?(?:number|no))?"), ("national-id.sg.nric", "nric|fin"),
        ("national-id.ch.ssn", "ahv(?:_?(?:nummer|nr))?|avs(?:_?number)?"),
    )
)  # fmt: skip
_ANY_NATIONAL = re.compile(
    r"(?:^|_)(?:national_?(?:id|identity|identifier|number|insurance)(?:_?(?:number|no))?|ssn|citizen_?id|identity_?(?:number|card)|"
    r"personal_?(?:id|number|code)|social_security(?:_number)?|government_?id|tax_?(?:id|number)|id_?(?:number|card)|"
    r"identification(?:_number)?|document_?number|insurance_?number|person_?id)$"
)
_PERSON_PARENT = re.compile(rf"(?:^|_)(?:{_PERSON})s?$")
_ADDRESS_PARENT = re.compile(
    r"(?:^|_)(?:address(?:es)?|billing(?:_details)?|shipping(?:_details)?|delivery)$"
)
_ADDRESS_LINE = re.compile(r"lines?(?:_?\d)?")
_NOT_PERSONAL = re.compile(
    r"(?:^|_)(?:ids?|order(?:_?(?:number|no|id|ref))?|invoice(?:_?(?:number|no|id))?|sku|ean|upc|gtin|isbn|asin|article(?:_?number)?|"
    r"product(?:_?(?:id|code|number))?|part_?(?:number|no)|serial(?:_?(?:number|no))?|tracking(?:_?(?:number|no|id))?|"
    r"version|build|revision|commit|sha\d*|md5|hash|checksum|digest|etag|fingerprint|nonce|trace_?id|span_?id|request_?id|"
    r"correlation_?id|transaction_?(?:id|ref)|reference|ref|batch(?:_?(?:number|id))?|lot|timestamp|ts|time|epoch|created(?:_at)?|"
    r"updated(?:_at)?|expires(?:_(?:at|in))?|date|count|total|size|length|offset|amount|price|quantity|duration|uptime|bytes|"
    r"position|sequence|seq|index|port|score|weight|height|width|ticket(?:_?(?:id|number))?|case_?number|key|code|ms|ns|millis)$"
)


@lru_cache(maxsize=1 << 12)
def named_kinds(name: str, parent: str = "") -> frozenset[str]:
    """Return the kinds that a field called *name*, inside one called *parent*, is said to hold.

    ``national-id`` stands for those of all countries.
    """
    plain = normalized(name)
    found = {kind for kind, pattern in _EVIDENCE if pattern.search(plain)}
    if _ANY_NATIONAL.search(plain):
        found.add("national-id")
    if plain in ("name", "names") and _PERSON_PARENT.search(normalized(parent)):
        found.add("person-name")
    if _ADDRESS_LINE.fullmatch(plain) and _ADDRESS_PARENT.search(normalized(parent)):
        found.add("postal-address")
    if plain in ("number", "pan", "no") and normalized(parent) in (
        "card",
        "credit_card",
        "payment_card",
        "payment_method",
    ):
        found.add("payment-card")
    return frozenset(found)


@lru_cache(maxsize=1 << 12)
def says_technical(name: str) -> bool:
    """Whether the name says identifier, counter, hash or time: numbers in it are not about people."""
    return _NOT_PERSONAL.search(normalized(name)) is not None
