"""What a room has to add to its stream's figures, until the store has taken it."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from controller.domain.replay import REACTION_STEP_S
from controller.domain.room import ChatMessage, Leaving, RoomFigures, Visit
from controller.hub.presence import LocalViewer
from controller.hub.room_journal import Reaction, Record

RecordT = TypeVar("RecordT", Visit, Leaving, ChatMessage)


@dataclass(frozen=True, slots=True)
class _Seen:
    viewers_now: int | None
    peak: int


class RoomLedger:
    """Counts of one room on this daemon; bounded: what does not fit any more is dropped, counted.

    What was taken stays `pending` until the store has it: it may have it although it did not
    answer, so the very same is told again, under the same number. `note` hears of every record at
    once, for a successor.
    """

    def __init__(self, most_records: int, note: Callable[[Record], None]) -> None:
        self.dropped = 0
        self._note = note
        self.pending: RoomFigures | None = None
        self._visits: deque[Visit] = deque()
        self._leavings: deque[Leaving] = deque()
        self._messages: deque[ChatMessage] = deque()
        self._reactions: Counter[str] = Counter()
        self._moments: Counter[tuple[int, str]] = Counter()
        self._most_records = most_records
        self._peak = 0
        self._written: _Seen | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the store has all records."""
        return self.pending is None and not self._has_records

    def visited(self, viewer: str, local: LocalViewer) -> None:
        """A viewer has come whom this daemon did not have."""
        visit = Visit(viewer, local.user_id, local.joined_at, local.number, local.country)
        self._keep(self._visits, visit)

    def left(
        self, viewer: str, local: LocalViewer, left_at: datetime, *, is_cut: bool = False
    ) -> None:
        """A viewer has gone from here; `is_cut`: because this daemon stops."""
        leaving = Leaving(
            viewer, local.user_id, local.joined_at, left_at, local.number, is_cut=is_cut
        )
        self._keep(self._leavings, leaving)

    def said(self, message: ChatMessage) -> None:
        """A message was accepted, or held."""
        self._keep(self._messages, message)

    def reacted(self, emoji: str, stream_time_s: float | None = None) -> None:
        """A reaction was accepted; `stream_time_s` is its place in the recording, if it has any."""
        self._reactions[emoji] += 1
        at_s = None
        if stream_time_s is not None:
            at_s = int(stream_time_s // REACTION_STEP_S) * REACTION_STEP_S
            self._felt(at_s, emoji)
        self._note(Reaction(emoji, at_s))

    def saw(self, viewers: int) -> None:
        """So many were there at once, all daemons counted."""
        self._peak = max(self._peak, viewers)

    def take(self, viewers_now: int, holder: str, number: int) -> RoomFigures | None:
        """Everything that is not written yet, pending from now on; None when the store knows it
        all. `number` must be the holder's next."""
        if not self._has_records and self._written == _Seen(viewers_now, self._peak):
            return None
        self.pending = RoomFigures(
            viewers_now=viewers_now,
            peak_viewers=self._peak,
            visits=tuple(self._visits),
            leavings=tuple(self._leavings),
            reactions=dict(self._reactions),
            reaction_moments=dict(self._moments),
            messages=tuple(self._messages),
            holder=holder,
            number=number,
        )
        lists = (self._visits, self._leavings, self._messages, self._reactions, self._moments)
        for records in lists:
            records.clear()
        return self.pending

    def written(self, figures: RoomFigures) -> None:
        """The store has what was pending."""
        self.pending = None
        self._written = _Seen(figures.viewers_now, figures.peak_viewers)

    def _felt(self, at_s: int, emoji: str) -> None:
        moment = (at_s, emoji)
        if moment in self._moments or len(self._moments) < self._most_records:
            self._moments[moment] += 1
        else:
            self.dropped += 1

    @property
    def _has_records(self) -> bool:
        return any((self._visits, self._leavings, self._messages, self._reactions))

    def _keep(self, kept: deque[RecordT], record: RecordT) -> None:
        if len(kept) >= self._most_records:
            self.dropped += 1
        else:
            kept.append(record)
            self._note(record)
