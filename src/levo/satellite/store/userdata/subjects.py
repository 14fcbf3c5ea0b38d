"""All subjects of the users' data."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.store.userdata.accounts import Accounts
from levo.satellite.store.userdata.alerts import Alerts
from levo.satellite.store.userdata.audit import AuditLog
from levo.satellite.store.userdata.database import UserDatabase
from levo.satellite.store.userdata.decisions import Decisions
from levo.satellite.store.userdata.findings import Findings
from levo.satellite.store.userdata.removals import Removals
from levo.satellite.store.userdata.sessions import Sessions
from levo.satellite.store.userdata.settings import Settings
from levo.satellite.store.userdata.tokens import Tokens
from levo.satellite.store.userdata.views import Views
from levo.satellite.store.userdata.webhooks import Webhooks


class UserData:
    """Opens the database once. Whoever builds the Satellite hands each part the subjects that it needs."""

    def __init__(self, path: Path) -> None:
        """Open or make the database at *path*.

        Raises:
            LevoError: the file cannot be used.
        """
        self.database = UserDatabase(path)
        self.accounts = Accounts(self.database)
        self.sessions = Sessions(self.database)
        self.tokens = Tokens(self.database)
        self.audit = AuditLog(self.database)
        self.decisions = Decisions(self.database)
        self.findings = Findings(self.database)
        self.removals = Removals(self.database)
        self.views = Views(self.database)
        self.webhooks = Webhooks(self.database)
        self.alerts = Alerts(self.database)
        self.settings = Settings(self.database)

    @property
    def path(self) -> Path:
        """Where the database is."""
        return self.database.path

    def close(self) -> None:
        """Close the database. Legal twice."""
        self.database.close()
