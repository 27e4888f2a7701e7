"""Mutations of a spool file, and what must hold whatever the packager makes of them."""

import asyncio
import random
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ingest.errors import IngestError
from ingest.journal_entries import PartWritten, SegmentWritten
from ingest.packaging.boxes import walk
from ingest.session.messages import FromStream, SessionReport, StateChanged, decode_from_stream
from ingest.session.spool_session import SpoolSession
from ingest.settings import PackagingSettings
from ingest.vod.journal import JournalReader
from tests.support.flv import AUDIO, FILE_HEADER, SCRIPT, VIDEO, FlvTag, flv_tag
from tests.support.media_values import HeldClock

LONGEST_SEGMENT_S = 3.0
"""A Media Segment of 2 s, and a frame that lasts longer than it should."""

MEMORY_LIMIT = 64 << 20
MOST_ENTRIES = 20_000
"""In the journal of a few seconds, whatever their stamps say."""


@dataclass(frozen=True)
class Outcome:
    """What a session made of a spool: its report, or the error that ended it."""

    report: SessionReport | None
    error: str


def mutate_tags(tags: list[FlvTag], dice: random.Random) -> list[FlvTag]:
    """These tags with a few things wrong."""
    tags = list(tags)
    for _ in range(dice.randint(0, 6)):
        _TAG_MUTATIONS[dice.randrange(len(_TAG_MUTATIONS))](tags, dice)
    return tags


def mutate(tags: list[FlvTag], dice: random.Random) -> bytes:
    """A spool file of these tags with a few things wrong."""
    tags = mutate_tags(tags, dice)
    data = bytearray(FILE_HEADER + b"".join(map(flv_tag, tags)))
    for _ in range(dice.choice((0, 0, 1, 3, 40))):
        data[dice.randrange(13, len(data))] ^= 1 << dice.randrange(8)
    if dice.random() < 0.2:
        del data[dice.randrange(13, len(data)) :]
    if dice.random() < 0.2:
        start = dice.randrange(13, len(data) + 1)
        data[start:start] = dice.randbytes(dice.randint(1, 3_000))
    return bytes(data)


def _changed(tags: list[FlvTag], dice: random.Random, change: Callable[[FlvTag], FlvTag]) -> None:
    at = dice.randrange(len(tags))
    tags[at] = change(tags[at])


def _stamp(tags: list[FlvTag], dice: random.Random) -> None:
    """One absurd stamp, or all from one tag on."""
    at = dice.randrange(len(tags))
    by = dice.choice((1, -1)) * dice.choice((1, 999, 9_999, 10_001, 1 << 24, 1 << 31, 1 << 32))
    until = at + 1 if dice.random() < 0.5 else len(tags)
    for i in range(at, until):
        tags[i] = FlvTag(tags[i].kind, (tags[i].time_ms + by) % (1 << 32), tags[i].data)


def _noise(tags: list[FlvTag], dice: random.Random) -> None:
    """A payload of random bytes behind the real first ones."""
    _changed(
        tags,
        dice,
        lambda t: FlvTag(t.kind, t.time_ms, t.data[: dice.randint(0, 8)] + dice.randbytes(40)),
    )


def _header_noise(tags: list[FlvTag], dice: random.Random) -> None:
    """A decoder configuration with flipped bits, anywhere in the stream."""
    headers = [t for t in tags if t.is_header]
    if not headers:
        return
    header = dice.choice(headers)
    data = bytearray(header.data)
    for _ in range(dice.randint(1, 8)):
        at = dice.randrange(min(5 if header.kind == VIDEO else 2, len(data) - 1), len(data))
        data[at] ^= 1 << dice.randrange(8)
    place = dice.randrange(len(tags))
    tags.insert(place, FlvTag(header.kind, tags[place].time_ms, bytes(data)))


def _kind(tags: list[FlvTag], dice: random.Random) -> None:
    kind = dice.choice((AUDIO, VIDEO, SCRIPT, 0, 31, 15))
    _changed(tags, dice, lambda t: FlvTag(kind, t.time_ms, t.data))


def _cut(tags: list[FlvTag], dice: random.Random) -> None:
    _changed(tags, dice, lambda t: FlvTag(t.kind, t.time_ms, t.data[: dice.randint(0, 6)]))


def _offset(tags: list[FlvTag], dice: random.Random) -> None:
    """An absurd composition offset."""
    offset = dice.randbytes(3)
    _changed(
        tags,
        dice,
        lambda t: (
            FlvTag(t.kind, t.time_ms, t.data[:2] + offset + t.data[5:]) if t.kind == VIDEO else t
        ),
    )


def _lose(tags: list[FlvTag], dice: random.Random) -> None:
    start = dice.randrange(len(tags))
    del tags[start : start + dice.randint(1, max(1, len(tags) // 2))]
    if not tags:
        tags.append(FlvTag(VIDEO, 0, b""))


def _shuffle(tags: list[FlvTag], dice: random.Random) -> None:
    start = dice.randrange(len(tags))
    some = tags[start : start + 20]
    dice.shuffle(some)
    tags[start : start + 20] = some


def _repeat(tags: list[FlvTag], dice: random.Random) -> None:
    start = dice.randrange(len(tags))
    tags[start:start] = tags[start : start + dice.randint(1, 50)]


def _first_byte(tags: list[FlvTag], dice: random.Random) -> None:
    """Another codec, another frame type."""
    first = dice.randbytes(1)
    _changed(tags, dice, lambda t: FlvTag(t.kind, t.time_ms, first + t.data[1:]))


_TAG_MUTATIONS = (
    _stamp, _stamp, _noise, _header_noise, _header_noise, _kind, _cut, _offset, _lose, _shuffle,
    _repeat, _first_byte,
)  # fmt: skip


def package(data: bytes, root: Path) -> Outcome:
    """One packager's life over a spool of `data`; anything but an IngestError comes out of it."""
    root.mkdir(parents=True)
    spool = root / "s_1.flv"
    spool.write_bytes(data)
    try:
        session = SpoolSession(
            spool, root / "show", PackagingSettings(), HeldClock(), lambda: None, reason="publish"
        )
        try:
            while session.poll():
                pass
            session.finish()
            return Outcome(session.report(), "")
        finally:
            session.close()
    except IngestError as error:
        return Outcome(None, str(error))


def check_files(folder: Path) -> None:
    """The journal can be read, every file that it names is whole, numbers have no holes."""
    with JournalReader(folder) as reader:
        entries = reader.read_new()
    assert len(entries) < MOST_ENTRIES
    seen: dict[str, list[int]] = {}
    for entry in entries:
        if isinstance(entry, PartWritten):
            numbers = seen.setdefault(entry.rendition, [])
            numbers.append(entry.number)
            data = (folder / entry.rendition / f"part-{entry.number}.m4s").read_bytes()
            assert len(data) == entry.size
            assert [box.kind for box in walk(data)] == [b"moof", b"mdat"]
            assert entry.duration > 0
        elif isinstance(entry, SegmentWritten):
            assert entry.duration >= 0
            path = folder / entry.rendition / f"segment-{entry.msn}.m4s"
            assert not entry.parts or path.stat().st_size == entry.size
    for numbers in seen.values():
        assert numbers == list(range(len(numbers)))


def check(data: bytes, root: Path) -> Outcome:
    """Package `data` and assert all that must hold; memory included."""
    tracemalloc.start()
    try:
        outcome = package(data, root)
        assert tracemalloc.get_traced_memory()[1] < MEMORY_LIMIT
    finally:
        tracemalloc.stop()
    check_files(root / "show")
    return outcome


class Ears:
    """Stands in for the packager's socket: keeps what each session was told."""

    def __init__(self) -> None:
        self.heard: list[FromStream] = []
        self.changed = asyncio.Event()

    def write(self, data: bytes) -> None:
        """Take lines."""
        self.heard += [decode_from_stream(line) for line in data.splitlines()]
        self.changed.set()

    async def drain(self) -> None:
        """Nothing ever waits here."""

    def last_state(self, session: str) -> StateChanged | None:
        """The state that was told last."""
        states = [
            one.message
            for one in self.heard
            if one.session == session and isinstance(one.message, StateChanged)
        ]
        return states[-1] if states else None
