"""How long a part takes from its encoder to the playlist: what encoders do late is not in it.

A part can be listed when the message behind it has come, for that tells where it ends. So its
delay is the time from the sending of that message to the listing; nginx-rtmp, its recorder, the
packager and the daemon are in it. The three processes share the machine's monotonic clock.
"""

import json
import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ingest.journal_entries import InitWritten, PartWritten
from ingest.vod.journal import JournalReader
from ingest.window.live_window import LiveWindow
from tests.support.flv import AUDIO, VIDEO

_KINDS = {"video": VIDEO, "audio": AUDIO}
_ROUNDING_MS = 12.0
"""Half a frame of sound: stamps are whole milliseconds, parts of sound are counted in samples."""


class Sent(NamedTuple):
    """A message: its stamp, what it is, and when it was handed to the kernel (monotonic)."""

    time_ms: int
    kind: int
    at_s: float


class ListingClock:
    """Notes when each window lists a part."""

    def __init__(self, windows: Mapping[str, LiveWindow]) -> None:
        self._names = {id(window): name for name, window in windows.items()}
        self._listed: dict[str, dict[str, list[tuple[int, float]]]] = {n: {} for n in windows}
        for window in windows.values():
            window.watch(self._changed)

    def write(self, path: Path) -> None:
        """By stream and rendition: the number behind the last part listed, and when."""
        path.write_text(json.dumps(self._listed), encoding="ascii")

    def _changed(self, window: LiveWindow, renditions: Iterable[str]) -> None:
        now_s = time.monotonic()
        for name in renditions:
            rendition = window.rendition(name)
            if rendition is not None:
                seen = self._listed[self._names[id(window)]].setdefault(name, [])
                seen.append((rendition.next_part, now_s))


@dataclass(frozen=True)
class PartDelay:
    """One part's way."""

    sent_s: float
    listed_s: float

    @property
    def delay_s(self) -> float:
        """From the encoder to the playlist."""
        return self.listed_s - self.sent_s


def part_delays(live_root: Path, listed: Path, sent: Path) -> list[PartDelay]:
    """Of all parts of all streams; the streams are in the order in which they are sent."""
    listings = json.loads(listed.read_text(encoding="ascii"))
    messages = json.loads(sent.read_text(encoding="ascii"))
    found = []
    for (stream_id, renditions), own in zip(listings.items(), messages, strict=True):
        ends = _part_ends(live_root / stream_id)
        for name, seen in renditions.items():
            found += _match(ends[name], seen, [Sent(*m) for m in own if m[1] == _KINDS[name]])
    return found


def _part_ends(folder: Path) -> dict[str, dict[int, float]]:
    """By rendition: where in decode time each part ends, in ms since the Period's first frame."""
    scales: dict[str, int] = {}
    shifts: dict[str, int] = {}
    ends: dict[str, dict[int, float]] = {}
    with JournalReader(folder) as journal:
        for entry in journal.read_new():
            if isinstance(entry, InitWritten):
                scales[entry.rendition] = entry.timescale
            elif isinstance(entry, PartWritten):
                name = entry.rendition
                # The first frame's presentation is late by its composition offset.
                shift = shifts.setdefault(name, entry.start if entry.rendition == "video" else 0)
                end = (entry.start + entry.duration - shift) * 1000 / scales[name]
                ends.setdefault(name, {})[entry.number] = end
    return ends


def _match(
    ends: Mapping[int, float], seen: list[tuple[int, float]], sent: list[Sent]
) -> list[PartDelay]:
    """Each part with the message that ended it, and with the listing that has it first."""
    found = []
    stamps = [message.time_ms for message in sent]
    behind = [number for number, _ in seen]
    for number, end_ms in ends.items():
        listing = bisect_left(behind, number + 1)
        message = bisect_left(stamps, end_ms - _ROUNDING_MS)
        if listing < len(seen) and message < len(sent):
            found.append(PartDelay(sent[message].at_s, seen[listing][1]))
    return found
