"""What leaves a live window, and when its files may go (RFC 8216 §6.2.2, rfc8216bis §6.2.2)."""

from collections import deque
from collections.abc import Iterable, Mapping

from ingest.journal_entries import part_name, segment_name
from ingest.presentation import Segment
from ingest.window.rendition_state import Due, RenditionState

_PARTS_LISTED_TARGETS = 3
"""Parts leave the playlist this many Target Durations behind the end (rfc8216bis §6.2.2: three)."""

_HURRIED_TARGETS = 3
"""How long files stay that leave before their time: who plays at the live edge has them by then."""

_SHORTEST_WINDOW_TARGETS = 6
"""A live playlist must hold at least three Target Durations (RFC 8216 §6.2.2); some room above."""


class Leaving:
    """Keeps renditions to a window of `window_s` seconds, and knows which files have expired."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._is_short = False
        self._expired: list[str] = []

    def take_expired(self) -> list[str]:
        """Files, relative to the stream's folder, whose time has come; each is answered once."""
        expired, self._expired = self._expired, []
        return expired

    def shorten(self, states: Iterable[RenditionState], *, short: bool) -> None:
        """Keep only what players at the live edge need, from the next segment on; or as much as
        before."""
        self._is_short = short
        for state in states if short else ():
            hurried_s = _hurried_s(state)
            state.removed = deque(
                due._replace(at_s=min(due.at_s, hurried_s)) for due in state.removed
            )

    def trim(self, name: str, states: Mapping[str, RenditionState]) -> None:
        """Take out what is behind the window, and files whose time has come, after a segment of
        the rendition `name`.

        The first rendition decides; the others begin with the same Media Sequence Number at once,
        or one of them would be alone in a Period of its own.
        """
        state, leader = states[name], next(iter(states.values()))
        shortest_s = float(_SHORTEST_WINDOW_TARGETS * leader.first.target_duration_s)
        keep_s = shortest_s if self._is_short else max(self._window_s, shortest_s)
        if state is leader:
            while (
                state.listed > 1
                and state.finished_s > keep_s
                and state.finished_s - state.oldest.duration_s > keep_s
            ):
                self._take_out(name, state)
        if leader.listed:
            for other_name, other in states.items():
                while other.listed > 1 and other.oldest_msn < leader.oldest_msn:
                    self._take_out(other_name, other)
        _retire_parts(name, state)
        for due in (state.removed, state.removed_parts):
            while due and due[0].at_s <= state.media_s:
                self._expired.extend(due.popleft().files)

    def unlist_parts(self, name: str, state: RenditionState, segment: Segment) -> Segment:
        """The segment without its parts, one of which is longer than PART-TARGET (rfc8216bis
        §4.4.4.9); whoever has heard of one of them still gets it."""
        state.removed_parts.append(_parts_due(name, state, segment))
        return segment._replace(parts=())

    def _take_out(self, name: str, state: RenditionState) -> None:
        """Remove the oldest segment; its file stays for its own duration and that of the longest
        playlist that listed it (RFC 8216 §6.2.2), the segment that grew included."""
        target_s = state.first.target_duration_s
        longest_s = state.finished_s + target_s
        segment = state.pop_oldest()
        state.snapshot = None
        state.finished_s -= segment.duration_s
        state.finished_size -= segment.size
        state.dependent -= not segment.independent
        at_s = state.media_s + segment.duration_s + longest_s + target_s
        if self._is_short:
            at_s = min(at_s, _hurried_s(state))
        files = () if segment.gap else (f"{name}/{segment_name(segment.msn)}",)
        state.removed.append(Due(at_s, files))


def parts_listed_from(state: RenditionState) -> int:
    """First segment whose parts are still listed."""
    listed_s, limit_s = 0.0, _PARTS_LISTED_TARGETS * state.first.target_duration_s
    msn = state.open_msn
    for segment in reversed(state.finished):
        msn = segment.msn
        listed_s += segment.duration_s
        if listed_s >= limit_s:
            break
    return msn


def _retire_parts(name: str, state: RenditionState) -> None:
    """Parts stay three Target Durations after they were listed last (rfc8216bis §6.2.2)."""
    listed_from = parts_listed_from(state)
    for position in range(len(state.finished) - 1, -1, -1):
        segment = state.finished[position]
        if segment.msn >= listed_from:
            continue
        if not segment.parts:
            break
        state.removed_parts.append(_parts_due(name, state, segment))
        state.finished[position] = segment._replace(parts=())


def _parts_due(name: str, state: RenditionState, segment: Segment) -> Due:
    grace_s = (_PARTS_LISTED_TARGETS + 1) * state.first.target_duration_s
    files = tuple(f"{name}/{part_name(part.number)}" for part in segment.parts)
    return Due(state.media_s + grace_s, files)


def _hurried_s(state: RenditionState) -> float:
    return state.media_s + _HURRIED_TARGETS * state.first.target_duration_s
