"""Whoever packages a session, as the session sees it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from ingest.session.messages import FromWorker, ToWorker


class SessionWorker(Protocol):
    """Whoever packages the session: a process of its own, or a place in a shared one."""

    @property
    def pid(self) -> int:
        """Process id."""
        ...

    def tell(self, message: ToWorker) -> None:
        """Send a message."""
        ...

    def messages(self) -> AsyncIterator[FromWorker]:
        """What it says, until its end."""
        ...

    async def end(self) -> int:
        """Make sure that it is gone; answers its exit status."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


@dataclass(slots=True)
class Outcome:
    """How one worker's life ended."""

    ended: bool = False
    error: str = ""
    retryable: bool = True
    lived_s: float = 0.0
