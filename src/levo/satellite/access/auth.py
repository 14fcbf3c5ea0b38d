"""Accounts, sessions and tokens: the rules, over what is stored of them."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable
from enum import IntEnum

from levo.satellite.access.boot_clock import Moment, now
from levo.satellite.access.client_network import network_of
from levo.satellite.access.passwords import (
    PasswordPool,
    PasswordRefused,
    PasswordsBusy,
    check_new_password,
    check_password,
    hash_password,
)
from levo.satellite.access.throttle import Throttle
from levo.satellite.store.userdata import Accounts, AuditLog, Session, Sessions, Token, Tokens

SESSION_S = 12 * 3600
TOKEN_PREFIX = "levo_"
INGEST = "ingest"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_NOBODY = "scrypt$32768$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
"""Checked when there is no such account, so that the time does not tell."""


class Role(IntEnum):
    """What somebody may do; each may do all that the ones before may."""

    NOBODY = 0
    VIEWER = 1
    EDITOR = 2
    ADMIN = 3

    @classmethod
    def named(cls, name: str) -> Role:
        """Return the role of that name, ``NOBODY`` if there is none."""
        return {"viewer": cls.VIEWER, "editor": cls.EDITOR, "admin": cls.ADMIN}.get(name, cls.NOBODY)


ROLES = ("viewer", "editor", "admin")


class LoginRefused(Exception):
    """No session. The text does not tell whether there is such an account."""

    def __init__(self, text: str, retry_after_s: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


def digest(secret: str) -> bytes:
    """Return what is kept of a token or session that was drawn at random (so that no salt is needed)."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


class Authenticator:
    """Usable from any thread."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        tokens: Tokens,
        audit: AuditLog,
        *,
        on_loopback: bool,
        clock_ns: Callable[[], int] = time.time_ns,
        clock_s: Callable[[], float] = time.monotonic,
        clock: Callable[[], Moment] = now,
    ) -> None:
        """*on_loopback*: only this machine can reach the pages, so they may be used without a login.

        *clock_ns* is the time of day, *clock_s* the one that waits are measured with, *clock* the one that
        sessions end by.
        """
        self.accounts = accounts
        self.tokens = tokens
        self.audit = audit
        self._sessions = sessions
        self._on_loopback = on_loopback
        self._clock_ns = clock_ns
        self._clock_s = clock_s
        self._clock = clock
        self._throttle = Throttle()
        self._lock = threading.Lock()
        self._passwords = PasswordPool()
        self._process_secret = secrets.token_bytes(32)
        self._setup_code = "" if on_loopback else secrets.token_urlsafe(9)

    @property
    def setup_code(self) -> str:
        """What the first-run page asks for; empty once there is an account, whoever made it."""
        if self._setup_code and self.accounts.exist():
            self._setup_code = ""  # for good: the last account cannot be removed
        return self._setup_code

    @property
    def login_required(self) -> bool:
        """Whether the pages ask who is there: always, except on loopback while there is no account."""
        return not self._on_loopback or self.accounts.exist()

    def login(self, name: str, password: str, client: str) -> tuple[str, str]:
        """Return (secret of a new session, role).

        Raises:
            LoginRefused: wrong, too many tries, or too many at this moment.
        """
        network = network_of(client)
        with self._lock:
            keys = self._throttle.keys(name[:64], network)
            wait_s = self._throttle.begin(keys, self._clock_s())
        if wait_s:
            raise LoginRefused("too many failed tries; wait and try again", wait_s)
        good: bool | None = None
        try:
            account = self.accounts.get(name) if _NAME.fullmatch(name) else None
            matches = self.matches(password, account.password if account else _NOBODY)
            good = account is not None and matches
        except PasswordsBusy as busy:
            raise LoginRefused(str(busy), busy.retry_after_s) from None
        finally:
            with self._lock:
                self._throttle.end(keys, self._clock_s(), good=good)
                if good:
                    self._throttle.remember(name[:64], network)
        if account is None or not good:
            self.audit.record(name if account else "", "login refused", client, "", self._clock_ns())
            raise LoginRefused("name or password is wrong")
        self.audit.record(name, "login", client, "", self._clock_ns())
        return self.open_session(name), account.role

    def matches(self, password: str, kept: str) -> bool:
        """Whether *password* is the one that was kept.

        Raises:
            PasswordsBusy: too many are being checked.
        """
        return self._passwords.run(check_password, password, kept)

    def open_session(self, name: str) -> str:
        """Return the secret of a new session of an account that exists."""
        secret, begun = secrets.token_urlsafe(32), self._clock()
        ends_ns = begun.ns + SESSION_S * 1_000_000_000
        self._sessions.add(digest(secret), name, secrets.token_urlsafe(24), *begun, ends_ns)
        return secret

    def session(self, secret: str) -> Session | None:
        """Return a session that is not over."""
        return self._sessions.get(digest(secret), *self._clock()) if secret else None

    def logout(self, secret: str) -> None:
        """End a session."""
        self._sessions.end(digest(secret))

    def local_form_token(self) -> str:
        """The form token of whoever uses the pages without a login; of this process."""
        return hmac.new(self._process_secret, b"forms", "sha256").hexdigest()

    def first_account(self, code: str, name: str, password: str) -> None:
        """Make the first account, an admin.

        Raises:
            LoginRefused: the code is not the one on the console, or there is an account already.
            PasswordRefused: name or password cannot be used.
            PasswordsBusy: too many passwords are being checked.
        """
        with self._lock:
            self._check_code(code)
        _check_name_and_password(name, password)
        kept = self._passwords.run(hash_password, password)
        with self._lock:
            if not self.setup_code:
                raise LoginRefused("this Satellite is set up already")
            self.accounts.put(name, "admin", kept, self._clock_ns())
        self.audit.record(name, "set up", name, "admin", self._clock_ns())

    def put_account(self, name: str, role: str, password: str, actor: str, organization: str = "") -> None:
        """Make or change an account; a change ends its sessions.

        With an *organization*, it sees nothing of the others.

        Raises:
            PasswordRefused: name, role or password cannot be used, or no admin would be left.
            PasswordsBusy: too many passwords are being checked.
        """
        if role not in ROLES:
            raise PasswordRefused(f"a role is one of {', '.join(ROLES)}")
        organization = _checked_organization(organization, role)
        _check_name_and_password(name, password)
        kept = self._passwords.run(hash_password, password)
        with self.accounts.change():
            accounts = self.accounts.all()
            if not accounts and role != "admin":
                raise PasswordRefused("the first account must be an admin")
            self._keep_an_admin(name, role)
            self.accounts.put(name, role, kept, self._clock_ns(), organization)
            self.audit.record(actor, "put account", name, f"{role} {organization}".strip(), self._clock_ns())

    def remove_account(self, name: str, actor: str) -> bool:
        """Remove an account; return whether there was one.

        Raises:
            PasswordRefused: no admin would be left.
        """
        with self.accounts.change():
            if len(self.accounts.all()) > 1:
                self._keep_an_admin(name, "")
            elif not self._on_loopback:
                raise PasswordRefused("the last account stays: this Satellite can be reached from outside")
            removed = self.accounts.remove(name)
            if removed:
                self.audit.record(actor, "remove account", name, "", self._clock_ns())
        return removed

    def add_token(self, name: str, scope: str, organization: str, actor: str) -> str:
        """Return a new token. It cannot be shown again.

        Raises:
            PasswordRefused: *scope* is neither ``ingest`` nor a role, or no organization is given.
        """
        if scope != INGEST and scope not in ROLES:
            raise PasswordRefused(f"a scope is one of {', '.join((INGEST, *ROLES))}")
        if scope == INGEST and not organization.strip():
            raise PasswordRefused(
                "the organization is missing: a token for ingestion decides whose traces they are, so name"
                " it, for example acme; sensors give the same name as --levoai-org-id"
            )
        organization = _checked_organization(organization, scope)
        secret = TOKEN_PREFIX + secrets.token_urlsafe(30)
        with self.accounts.change():
            self.tokens.add(digest(secret), name[:100], scope, organization, actor, self._clock_ns())
            self.audit.record(
                actor, "add token", name[:100], f"{scope} {organization}".strip(), self._clock_ns()
            )
        return secret

    def role_token(self, secret: str) -> Token | None:
        """Return a token that gives a role, which is its scope."""
        token = self.tokens.get(digest(secret))
        return token if token is not None and token.scope != INGEST else None

    def has_ingestion_tokens(self) -> bool:
        """Whether some token for ingestion is in force."""
        return self.tokens.exist(INGEST)

    def organization_of_token(self, secret: str) -> str | None:
        """Return whose traces may come with this token, None if none may."""
        token = self.tokens.get(digest(secret))
        return token.organization if token is not None and token.scope == INGEST else None

    def _check_code(self, code: str) -> None:
        """Refuse to set up, before anything is computed."""
        known = self.setup_code
        if not known:
            raise LoginRefused("this Satellite is set up already")
        # No wait after wrong ones: 72 random bits are not guessed, and others could keep the owner waiting.
        if not hmac.compare_digest(code.strip().encode("utf-8", "replace"), known.encode()):
            raise LoginRefused("this is not the code that the Satellite printed when it started")

    def _keep_an_admin(self, changed: str, role: str) -> None:
        admins = {account.name for account in self.accounts.all() if account.role == "admin"}
        if changed in admins and role != "admin" and len(admins) == 1:
            raise PasswordRefused("at least one admin must be left")


def _checked_organization(organization: str, role: str) -> str:
    organization = organization.strip()
    if len(organization) > 200 or not organization.isprintable():
        raise PasswordRefused("an organization has up to 200 printable characters")
    if organization and role == "admin":
        raise PasswordRefused("an admin runs the whole Satellite and belongs to no organization")
    return organization


def _check_name_and_password(name: str, password: str) -> None:
    if not _NAME.fullmatch(name):
        raise PasswordRefused(
            "a name has up to 64 letters, digits and . _ @ + -, and begins with a letter or digit"
        )
    check_new_password(password)
