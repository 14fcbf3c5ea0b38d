"""Connections under TLS in plain words: what was read, and why the rest was not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from levo.config import HostPort

if TYPE_CHECKING:
    from levo.model.statistics import EncryptedEndpoint

UNREAD = {
    "no_secrets": "without secrets",
    "secret_lost": "with a secret missing",
    "joined_late": "whose handshake was not captured",
    "suite": "with a version or suite that is not read",
    "out_of_step": "that lost their place in a hole",
    "memory": "given up for memory",
    "malformed": "with damaged records",
    "unfinished": "that ended before their first content",
    "other": "without HTTP",
}
"""Why connections are unread, by the states of ``levo.ledger.TLS``; each follows a number."""


def unread_words(unread: Mapping[str, int]) -> str:
    """How many connections are unread for which reason, in the order of :data:`UNREAD`; empty for none."""
    return ", ".join(f"{unread[name]:,} {text}" for name, text in UNREAD.items() if unread.get(name))


def encrypted_sentence(endpoint: EncryptedEndpoint) -> str:
    """One endpoint over TLS in plain words."""
    count = endpoint["connections"]
    where = "other endpoints"
    address, port = endpoint["server_address"], endpoint["server_port"]
    if address is not None and port is not None:
        where = str(HostPort(address, port))
    names = endpoint["server_name"] or ", ".join(endpoint["certificate_names"])
    told = [f"TLS {endpoint['version']}" if endpoint["version"] else "TLS"]
    told += [endpoint["alpn"]] if endpoint["alpn"] else []
    read = endpoint["decrypted_connections"]
    state = f", {read:,} read with keys" if read else ""
    if endpoint["unread"]:
        state += f"; unread: {unread_words(endpoint['unread'])}"
    return (
        f"encrypted: {where}{f' ({names})' if names else ''}, {', '.join(told)}: {count:,} "
        f"connection{'' if count == 1 else 's'}, {endpoint['bytes']:,} octets{state}"
    )
