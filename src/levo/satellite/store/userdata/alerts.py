"""What was worth an alert."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from levo.satellite.store.userdata.database import Subject


class NewAlert(msgspec.Struct, frozen=True):
    """Something worth an alert, if there was none of it before."""

    kind: str
    subject: str
    """What it is about, by numbers and names that do not change; the same is not alerted twice."""
    text: str
    endpoint: int = 0
    """Which endpoint it is about; 0: none."""


class Alert(msgspec.Struct, frozen=True):
    """Something that happened and was worth one alert."""

    id: int
    """Never given twice."""
    time_ns: int
    kind: str
    subject: str
    text: str
    sent: int
    endpoint: int
    """0: it is about none."""
    ended_ns: int
    """When it ceased to be so, as when a silent sensor spoke again; 0: it has not."""


class Alerts(Subject):
    """Alerts by kind and subject; each is there once until it has ended."""

    def unknown(self, alerts: Sequence[NewAlert]) -> list[NewAlert]:
        """Return those of *alerts* that are not there."""
        with self._database.lock:
            return [
                each
                for each in alerts
                if not self._database.rows(
                    "SELECT 1 FROM alert WHERE kind = ? AND subject = ? AND ended_ns = 0",
                    each.kind, each.subject[:_MOST_TEXT],
                )
            ]  # fmt: skip

    def add(self, alerts: Sequence[NewAlert], now_ns: int, *, sent: bool) -> int:
        """Add alerts; what was alerted before is left out. Return how many are new."""
        with self._database.change():
            return sum(
                self._database.run(
                    "INSERT INTO alert (time_ns, kind, subject, text, sent, endpoint)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    now_ns, each.kind, each.subject[:_MOST_TEXT], each.text[:_MOST_TEXT], int(sent),
                    each.endpoint,
                )
                for each in dict.fromkeys(alerts)
                if self.unknown([each])
            )  # fmt: skip

    def rename(self, kind: str, subject: str, to: str) -> bool:
        """Have an alert be about what is now called *to*; return whether there was one and *to* had none."""
        return (
            self._database.run(
                "UPDATE OR IGNORE alert SET subject = ? WHERE kind = ? AND subject = ? AND ended_ns = 0",
                to[:_MOST_TEXT], kind, subject[:_MOST_TEXT],
            )
            > 0
        )  # fmt: skip

    def open_subjects(self, kind: str) -> list[str]:
        """Return what the alerts of *kind* that have not ended are about."""
        rows = self._database.rows("SELECT subject FROM alert WHERE kind = ? AND ended_ns = 0", kind)
        return [str(row[0]) for row in rows]

    def last_endpoint(self, kind: str) -> int:
        """Return the greatest number of an endpoint that an alert of *kind* was about; 0 for none."""
        (last,) = self._database.rows("SELECT ifnull(max(endpoint), 0) FROM alert WHERE kind = ?", kind)[0]
        return int(last)

    def end(self, kind: str, subject: str, now_ns: int) -> None:
        """Let the same be alerted again, as when a silent sensor has spoken; what was not sent is not."""
        with self._database.change():
            self._database.run(
                "UPDATE alert SET ended_ns = ? WHERE kind = ? AND subject = ? AND ended_ns = 0",
                now_ns, kind, subject[:_MOST_TEXT],
            )  # fmt: skip
            self._database.run(
                "DELETE FROM alert WHERE ended_ns != 0 AND id <= (SELECT max(id) FROM alert) - ?", _MOST_OVER
            )

    def forget(self, before_ns: int, kinds: Sequence[str]) -> None:
        """Delete alerts that were over before a time, and those of *kinds* that were raised before it.

        A 20th of all at once, so that a clock that is wrong for a while costs little.
        """
        marks = ",".join("?" * len(kinds))
        self._database.run(
            "DELETE FROM alert WHERE id IN (SELECT id FROM alert"
            f" WHERE (ended_ns != 0 AND ended_ns < ?) OR (time_ns < ? AND kind IN ({marks}))"
            " ORDER BY id LIMIT (SELECT count(*) / 20 + 1 FROM alert))",
            before_ns, before_ns, *kinds,
        )  # fmt: skip

    def unsent(self, limit: int = 100) -> list[Alert]:
        """Return alerts that were not sent yet and have not ended, oldest first."""
        rows = self._database.rows(
            f"SELECT {_ALERT} FROM alert WHERE sent = 0 AND ended_ns = 0 ORDER BY id LIMIT ?", limit
        )
        return [Alert(*row) for row in rows]

    def waiting(self) -> tuple[int, int]:
        """Return how many alerts wait to be sent, and when the first was raised (ns; 0 if none waits)."""
        rows = self._database.rows(
            "SELECT count(*), ifnull(min(time_ns), 0) FROM alert WHERE sent = 0 AND ended_ns = 0"
        )
        return int(rows[0][0]), int(rows[0][1])

    def mark_sent(self, identities: Sequence[int]) -> None:
        """Mark alerts as sent."""
        with self._database.change():
            for identity in identities:
                self._database.run("UPDATE alert SET sent = 1 WHERE id = ?", identity)

    def latest(self, limit: int = 50) -> list[Alert]:
        """Return the latest alerts, newest first, those that have ended included."""
        rows = self._database.rows(f"SELECT {_ALERT} FROM alert ORDER BY id DESC LIMIT ?", limit)
        return [Alert(*row) for row in rows]

    def page(self, limit: int, offset: int) -> tuple[int, list[Alert]]:
        """Return how many alerts there are, and some of them, newest first."""
        (total,) = self._database.rows("SELECT count(*) FROM alert")[0]
        rows = self._database.rows(
            f"SELECT {_ALERT} FROM alert ORDER BY id DESC LIMIT ? OFFSET ?", limit, offset
        )
        return int(total), [Alert(*row) for row in rows]

    def each(self) -> Iterator[Alert]:
        """Yield all alerts, newest first, a batch in memory at a time."""
        for row in self._database.each(f"SELECT {_ALERT} FROM alert"):
            yield Alert(*row)


_MOST_TEXT = 500
"""Characters of an alert's subject and text."""
_MOST_OVER = 10_000
"""Alerts that have ended are kept so long as no more than this came after them."""
_ALERT = "id, time_ns, kind, subject, text, sent, endpoint, ended_ns"
