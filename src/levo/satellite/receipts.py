"""When something was received, made safe against a clock of the Satellite that is wrong for a while.

The journal keeps the order in which records came; their times are only as good as the Satellite's clock was.
It is taken for right while senders agree with it. Of what it says while it is behind, nothing is believed:
times do not go back behind the last moment at which clocks agreed.
"""

from __future__ import annotations

from levo.satellite.learn.trace import CLOCK_TOLERANCE_NS, NOT_SET_NS

_FAR_NS = 366 * 86_400 * 1_000_000_000
AGREED_NS = 900 * 1_000_000_000
"""So long after a sender agreed with it, a clock is taken for right."""


class ReceiptClock:
    """Told the times of receipt in the order of the journal."""

    def __init__(self, agreed_ns: int) -> None:
        """*agreed_ns*: what ``agreed_ns`` was at the last commit; 0 for a new catalog."""
        self.agreed_ns = agreed_ns
        """The latest receipt at which the sender's clock and ours agreed; 0 for none."""

    def at(self, received_ns: int) -> int:
        """Return *received_ns*, or the earliest time that it can have been."""
        return max(received_ns, self.agreed_ns, NOT_SET_NS)

    def latest_ns(self, received_ns: int) -> int:
        """Return the latest time that is believed of an exchange that was received at *received_ns*."""
        at_ns = self.at(received_ns)
        # Where ours is known to be behind, the clocks of senders are better.
        return at_ns + (CLOCK_TOLERANCE_NS if received_ns + CLOCK_TOLERANCE_NS >= at_ns else _FAR_NS)

    def hear(self, received_ns: int, sent_ns: int) -> None:
        """Note that a sender's clock was at *sent_ns* (0: unknown) when something was received."""
        if received_ns >= NOT_SET_NS and abs(sent_ns - received_ns) <= CLOCK_TOLERANCE_NS:
            self.agreed_ns = received_ns

    def is_right(self, now_ns: int) -> bool:
        """Whether our clock, which says *now_ns*, agreed with that of a sender a short while ago."""
        return bool(self.agreed_ns) and -CLOCK_TOLERANCE_NS <= now_ns - self.agreed_ns <= AGREED_NS
