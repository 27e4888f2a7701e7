"""Notifications: whom a stream's start is told, on which device, and what has become of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from controller.domain.people import PushKind

STREAM_LIVE = "stream_live"


class PushState(StrEnum):
    """What has become of one notification on one device."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    DEAD = "dead"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PushMessage:
    """What a device shows."""

    stream_id: UUID
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class DuePush:
    """One message for one device, held by one worker; `address` is a secret."""

    id: int
    user_id: UUID
    device_id: UUID
    kind: PushKind
    address: str = field(repr=False)
    attempts: int
    message: PushMessage


class PushVerdict(StrEnum):
    """What a push service has said."""

    TOLD = "told"
    DEAD = "dead"  # the device is not there any more: its address is forgotten
    REFUSED = "refused"  # trying again would not help
    LATER = "later"


@dataclass(frozen=True, slots=True)
class PushResult:
    """The verdict, how long the service asks to be left alone, and a word for the log."""

    verdict: PushVerdict
    retry_after_s: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SettledPush:
    """What has become of a claimed push: `pause_s` counts when it is queued again."""

    due: DuePush
    state: PushState
    pause_s: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FannedOut:
    """A batch of recipients: how many people, on how many devices."""

    people: int
    devices: int


@dataclass(frozen=True, slots=True)
class NotificationStatus:
    """How far the telling is.

    queued: recipients, counted when the stream went live. expanded: those whose devices have been
    looked up. told: people of whom at least one device was reached. devices: by state.
    """

    queued: int
    expanded: int
    told: int
    devices: Mapping[PushState, int]
    is_complete: bool
    queued_at: datetime | None


class NotificationStore(Protocol):
    """What is to be told, shared by all workers on one database."""

    async def fan_out(self, batch: int) -> FannedOut | None:
        """Queue the next recipients' devices; None when there is nobody left to look up.

        Each recipient is taken exactly once, however many workers there are.
        """
        ...

    async def claim(self, worker: str, lease_s: float, limit: int) -> Sequence[DuePush]:
        """Take what is due; nobody else is given it for `lease_s`."""
        ...

    async def settle(self, settled: Sequence[SettledPush], worker: str) -> None:
        """Note what became of claimed pushes; a dead device's address is forgotten."""
        ...

    async def give_back(self, due: Sequence[DuePush], worker: str) -> None:
        """Let others have what was claimed and not tried."""
        ...

    async def status(self, stream_id: UUID) -> NotificationStatus:
        """How far a stream's notifications are."""
        ...

    async def prune(self, keep_days: int, limit: int) -> int:
        """Forget what was finished more than `keep_days` ago; answers how many devices."""
        ...
