"""What a room has to add to its stream's figures, until the store has taken it."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from controller.domain.replay import REACTION_STEP_S
from controller.domain.room import ChatMessage, Leaving, RoomFigures, Visit
from controller.hub.presence import LocalViewer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Seen:
    viewers_now: int
    peak: int


class RoomLedger:
    """Counts of one room on this daemon; bounded: what does not fit any more is dropped, counted.

    Watch time is the number of viewers here, integrated over the time that the stream is live;
    each viewer's own goes into the books now and then, so that a crash costs little of it.
    """

    def __init__(self, most_records: int) -> None:
        self.dropped = 0
        self._visits: deque[Visit] = deque()
        self._leavings: deque[Leaving] = deque()
        self._messages: deque[ChatMessage] = deque()
        self._reactions: Counter[str] = Counter()
        self._moments: Counter[tuple[int, str]] = Counter()
        self._watched: dict[str, float] = {}
        self.is_live = False
        self._most_records = most_records
        self._watched_s = 0.0
        self._watching = 0
        self._peak = 0
        self._since_s = 0.0
        self._sampled_at: datetime | None = None
        self._written: _Seen | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the store has all records."""
        records = (self._visits, self._leavings, self._messages, self._reactions, self._watched)
        return not any(records)

    def visited(self, viewer: str, local: LocalViewer) -> None:
        """A viewer has come whom this daemon did not have."""
        self._keep(self._visits, Visit(viewer, local.user_id, local.joined_at))

    def left(self, viewer: str, local: LocalViewer, left_at: datetime, unseen_s: float) -> None:
        """A viewer has gone from here, `unseen_s` before it was missed: that is taken back."""
        watched_s = 0.0
        if self.is_live:
            watched_s = self._since_s - unseen_s - local.booked_s
            self._watched_s -= unseen_s
        self._keep(self._leavings, Leaving(viewer, local.user_id, left_at, watched_s))

    def watched(self, here: Mapping[str, LocalViewer], now_s: float) -> None:
        """Book what each viewer has watched since the last time, if the stream was live."""
        for viewer, local in here.items():
            watched_s = now_s - local.booked_s if self.is_live else 0.0
            local.booked_s = now_s
            if watched_s > 0 and self._has_place(viewer):
                self._watched[viewer] = self._watched.get(viewer, 0.0) + watched_s

    def said(self, message: ChatMessage) -> None:
        """A message was accepted, or held."""
        self._keep(self._messages, message)

    def reacted(self, emoji: str, stream_time_s: float | None = None) -> None:
        """A reaction was accepted; `stream_time_s` is its place in the recording, if it has any."""
        self._reactions[emoji] += 1
        if stream_time_s is not None:
            self._felt(int(stream_time_s // REACTION_STEP_S) * REACTION_STEP_S, emoji, 1)

    def watching(self, viewers_here: int, now_s: float, *, is_live: bool) -> None:
        """From now on so many are watching here, if the stream is live."""
        self._watched_s += self._watching * max(0.0, now_s - self._since_s)
        self._watching, self._since_s = viewers_here if is_live else 0, now_s
        self.is_live = is_live

    def saw(self, viewers: int) -> None:
        """So many were there at once, all daemons counted."""
        self._peak = max(self._peak, viewers)

    def take(self, viewers_now: int, sample_at: datetime | None) -> RoomFigures | None:
        """Everything that is not written yet; None when the store knows it all."""
        sample = sample_at if sample_at != self._sampled_at else None
        is_done = self._watching == 0 and self._watched_s != 0
        has_records = is_done or not self.is_empty
        if not has_records and sample is None and self._written == _Seen(viewers_now, self._peak):
            return None
        figures = RoomFigures(
            viewers_now=viewers_now,
            peak_viewers=self._peak,
            visits=tuple(self._visits),
            leavings=tuple(self._leavings),
            watched_s=self._watched_s,
            watched_by=dict(self._watched),
            reactions=dict(self._reactions),
            reaction_moments=dict(self._moments),
            messages=tuple(self._messages),
            sample_at=sample,
        )
        self._clear()
        return figures

    def written(self, figures: RoomFigures) -> None:
        """The store has taken the figures."""
        self._written = _Seen(figures.viewers_now, figures.peak_viewers)
        if figures.sample_at is not None:
            self._sampled_at = figures.sample_at

    def give_back(self, figures: RoomFigures) -> None:
        """The store has not taken them: keep them for the next time."""
        self._restore(self._visits, figures.visits)
        self._restore(self._leavings, figures.leavings)
        self._restore(self._messages, figures.messages)
        self._reactions.update(figures.reactions)
        for (at_s, emoji), count in figures.reaction_moments.items():
            self._felt(at_s, emoji, count)
        self._watched_s += figures.watched_s
        for viewer, watched_s in figures.watched_by.items():
            if self._has_place(viewer):
                self._watched[viewer] = self._watched.get(viewer, 0.0) + watched_s

    def _felt(self, at_s: int, emoji: str, count: int) -> None:
        moment = (at_s, emoji)
        if moment in self._moments or len(self._moments) < self._most_records:
            self._moments[moment] += count
        else:
            self.dropped += 1

    def _has_place(self, viewer: str) -> bool:
        if viewer in self._watched or len(self._watched) < self._most_records:
            return True
        self.dropped += 1
        return False

    def _keep(self, kept: deque[T], record: T) -> None:
        if len(kept) >= self._most_records:
            self.dropped += 1
        else:
            kept.append(record)

    def _restore(self, kept: deque[T], old: tuple[T, ...]) -> None:
        fits = old[: max(0, self._most_records - len(kept))]
        self.dropped += len(old) - len(fits)
        kept.extendleft(reversed(fits))

    def _clear(self) -> None:
        self._visits.clear()
        self._leavings.clear()
        self._messages.clear()
        self._reactions.clear()
        self._moments.clear()
        self._watched.clear()
        self._watched_s = 0.0
