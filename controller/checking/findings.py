"""What a check tells: how it stands, what was found, and the one line to act on."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `remedy` says what to do, and is empty only where all is well.

    Neither holds a secret: what is quoted are paths, names of settings and lines of nginx.
    """

    subject: str
    level: Level
    found: str
    remedy: str = ""

    def __post_init__(self) -> None:
        if bool(self.remedy) is (self.level is Level.OK):
            raise ValueError(f"{self.subject}: a remedy for what is wrong, and for nothing else")


def ok(subject: str, found: str) -> Finding:
    """All is well."""
    return Finding(subject, Level.OK, found)


def warn(subject: str, found: str, remedy: str) -> Finding:
    """It works, and may stop working or does less than it could."""
    return Finding(subject, Level.WARN, found, remedy)


def fail(subject: str, found: str, remedy: str) -> Finding:
    """It does not work, or is not safe."""
    return Finding(subject, Level.FAIL, found, remedy)


@dataclass(frozen=True, slots=True)
class Check:
    """One part of the machine; `run` answers one finding or more, and raises nothing it expects."""

    subject: str
    run: Callable[[], Awaitable[Sequence[Finding]]]
