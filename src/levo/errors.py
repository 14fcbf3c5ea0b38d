"""The exception tree. Strange traffic never raises: these are for bad input and a refusing environment.

Only ``levo.cli`` turns one into an exit status: its class carries the number.
"""

from __future__ import annotations

from dataclasses import dataclass


class LevoError(Exception):
    """Something the user can act on. ``str()`` is one complete line, without captured content."""

    exit_status = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the configuration."""

    where: str
    """The flag (``--rate-limit``), variable (``LEVO_RATE_LIMIT``) or key (``rate-limit``)."""
    text: str
    """What is wrong, naming the value and the fix."""
    path: str | None = None
    """The file it stands in, for a key."""
    line: int | None = None
    """From 1, with :attr:`column`, for a key."""
    column: int | None = None

    def __str__(self) -> str:
        place = "" if self.path is None else self.path
        if self.line is not None:
            place += f":{self.line}:{self.column}"
        return ": ".join(part for part in (place, self.where, self.text) if part)


class ConfigError(LevoError):
    """The configuration cannot be used: bad values, unknown keys, an unreadable file."""

    exit_status = 2

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        """All that was found, in the order flags, environment, file."""
        super().__init__(self._line())

    def _line(self) -> str:
        more = len(self.problems) - 1
        tail = f" (and {more} more)" if more > 0 else ""
        return f"{self.problems[0]}{tail}"


class MissingPackageError(LevoError):
    """A package that a command needs is not installed. The text ends with the command that installs it."""

    exit_status = 2
    FIX = "install it with: pip install"
    """By this a process knows the line of another."""

    def __init__(self, what: str, distribution: str) -> None:
        super().__init__(f"{what}; {self.FIX} '{distribution}'")


class CaptureError(LevoError):
    """Capturing cannot start, or cannot go on."""


class PrivilegeError(CaptureError):
    """The process may not capture. The text names the privilege and how to grant it here."""


class ProbeError(LevoError):
    """TLS libraries cannot be probed here. The text says what is missing, and how to grant it."""


class CaptureFileError(CaptureError):
    """The file to read is missing, unreadable or no capture: bad input, so the status of bad input."""

    exit_status = 2
