"""Who may begin a session: each kind has a cost, and all together a budget. Pure.

A machine that is asked for more than it can do is late for everybody. So the one too many is
turned away at its publish, while those that are on air go on.
"""

from dataclasses import dataclass
from enum import StrEnum

from ingest.errors import OverBudget


class SessionKind(StrEnum):
    """What a session needs: the cost differs by kind."""

    PASSTHROUGH = "passthrough"
    """A place in a shared packager that reads a spool."""

    PULL = "pull"
    """A process of its own that pulls and demuxes."""


@dataclass(frozen=True, slots=True)
class SessionBudget:
    """`total` and costs are in the same unit: what one passthrough session costs by default."""

    total: float
    passthrough: float = 1.0
    pull: float = 6.0

    def cost(self, kind: SessionKind) -> float:
        """What a session of this kind costs."""
        return self.passthrough if kind is SessionKind.PASSTHROUGH else self.pull


class Admission:
    """The sessions that run, by name, and what they cost."""

    def __init__(self, budget: SessionBudget) -> None:
        self.budget = budget
        self.refused = 0
        self._running: dict[str, SessionKind] = {}

    @property
    def used(self) -> float:
        """What all that run cost."""
        return sum(map(self.budget.cost, self._running.values()))

    def has_room(self, kind: SessionKind, instead_of: str = "") -> bool:
        """Whether one more of this kind fits, in place of that session; nothing is counted."""
        return self._used_without(instead_of) + self.budget.cost(kind) <= self.budget.total

    def require_room(self, kind: SessionKind, instead_of: str = "") -> None:
        """Raise OverBudget unless one more of this kind fits, in place of that session."""
        if not self.has_room(kind, instead_of):
            self.refused += 1
            used, cost = self._used_without(instead_of), self.budget.cost(kind)
            raise OverBudget(
                f"a {kind} session costs {cost:g}, and {used:g} of {self.budget.total:g} are used"
            )

    def enter(self, name: str, kind: SessionKind, *, must: bool = False) -> None:
        """Take the session in, or change its kind; OverBudget unless it `must` be taken."""
        if not must:
            self.require_room(kind, instead_of=name)
        self._running[name] = kind

    def leave(self, name: str) -> None:
        """The session is over."""
        self._running.pop(name, None)

    def _used_without(self, name: str) -> float:
        running = self._running.get(name)
        return self.used - (self.budget.cost(running) if running else 0.0)
