"""The keeper between the store's tags and pins and the media plane's playlists."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from controller.domain.showcase import CueKind, ProductCue
from controller.errors import StoreUnavailable
from controller.publishing.cues import CueKeeper
from ingest.window.live_window import LiveWindow
from tests.support.media_values import WALL_S, JournalScript

NOW = datetime.fromtimestamp(WALL_S, UTC)


class Streams:
    """The supervisor's side: windows by stream."""

    def __init__(self):
        self.windows = {}

    def open(self, stream_id, segments=3):
        script = JournalScript()
        window = self.windows[str(stream_id)] = LiveWindow(60)
        window.apply(script.start())
        window.apply(script.segments(segments))
        return window

    def window(self, stream_id):
        return self.windows.get(stream_id)

    def is_open(self, stream_id):
        return stream_id in self.windows

    def open_streams(self):
        return [*self.windows]

    def show_cues(self, stream_id, cues):
        self.windows[stream_id].show(tuple(cues))


class Store:
    """Cues with the time at which they were written; counts the queries."""

    def __init__(self, clock):
        self.clock, self.written, self.queries, self.fails = clock, {}, 0, False

    def write(self, cue):
        self.written[cue.id] = (self.clock.now(), cue)

    async def cues(self, stream_ids, since=None):
        if self.fails:
            raise StoreUnavailable
        self.queries += bool(stream_ids)
        return [
            cue
            for at, cue in self.written.values()
            if cue.stream_id in stream_ids and (since is None or at >= since)
        ]


class Clock:
    """Moved by hand."""

    def __init__(self):
        self.at = NOW

    def now(self):
        return self.at


@pytest.fixture
def place():
    clock = Clock()
    store, streams = Store(clock), Streams()
    return store, streams, CueKeeper(store, streams, clock)


def pin(stream_id, after_s=1.0):
    at = NOW + timedelta(seconds=after_s)
    return ProductCue(uuid4(), stream_id, uuid4(), CueKind.PIN, at)


async def test_a_stream_that_opens_gets_all_that_was_shown_before(place):
    store, streams, keeper = place
    stream_id = uuid4()
    store.write(pin(stream_id))
    await keeper.look()
    window = streams.open(stream_id)
    await keeper.look()
    assert [cue.at_wall_s for cue in window.cues] == [WALL_S + 1.0]


async def test_what_another_daemon_writes_is_told_at_the_next_look(place):
    store, streams, keeper = place
    stream_id = uuid4()
    window = streams.open(stream_id)
    await keeper.look()
    store.clock.at += timedelta(hours=1)
    late = pin(stream_id, 5.0)
    store.write(late)
    early = pin(stream_id, 2.0)
    store.write(early)
    await keeper.look()
    assert [cue.id for cue in window.cues] == [f"pin-{early.id}", f"pin-{late.id}"]
    version = window.version
    store.write(replace(early, until=early.at + timedelta(seconds=1)))
    await keeper.look()
    assert window.cues[0].until_wall_s == WALL_S + 3.0
    assert window.version == version + 1


async def test_a_change_made_here_is_told_at_once(place):
    store, streams, keeper = place
    stream_id, other = uuid4(), uuid4()
    window = streams.open(stream_id)
    store.write(pin(stream_id))
    await keeper.cues_changed(stream_id)
    assert len(window.cues) == 1
    queries = store.queries
    await keeper.cues_changed(other)
    assert store.queries == queries, "there are no playlists of it here"


async def test_a_store_that_is_away_costs_nothing_but_time(place):
    store, streams, keeper = place
    stream_id = uuid4()
    window = streams.open(stream_id)
    store.write(pin(stream_id))
    store.fails = True
    await keeper.cues_changed(stream_id)
    with pytest.raises(StoreUnavailable):
        await keeper.look()
    store.fails = False
    await keeper.look()
    assert len(window.cues) == 1


async def test_quiet_streams_cost_one_query_for_all(place):
    store, streams, keeper = place
    for _ in range(20):
        streams.open(uuid4())
    await keeper.look()
    before = store.queries
    await keeper.look()
    assert store.queries == before + 1


def test_moments_lie_on_the_medias_time(place):
    _store, streams, keeper = place
    stream_id = uuid4()
    at = NOW + timedelta(seconds=4)
    bare = keeper.moment(stream_id, at, is_now=True)
    assert (bare.at, bare.stream_time_s) == (at, None)
    streams.open(stream_id)  # six seconds
    assert keeper.moment(stream_id, at, is_now=False).stream_time_s == pytest.approx(4.0)
    now = keeper.moment(stream_id, NOW + timedelta(seconds=300), is_now=True)
    assert now.at == NOW + timedelta(seconds=7)
    assert now.stream_time_s == pytest.approx(7.0)


def test_a_moment_behind_an_interruption_is_counted_without_it(place):
    _store, streams, keeper = place
    stream_id = uuid4()
    script = JournalScript()
    window = streams.windows[str(stream_id)] = LiveWindow(60)
    window.apply([*script.start(), *script.segments(3)])
    window.apply([*script.start("encoder reconnected", WALL_S + 30), *script.segments(1)])
    positions = [
        keeper.moment(stream_id, NOW + timedelta(seconds=at_s), is_now=False).stream_time_s
        for at_s in (-5, 3, 20, 31)
    ]
    assert positions == pytest.approx([0.0, 3.0, 6.0, 7.0])
