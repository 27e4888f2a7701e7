"""Recordings in the store: begun once, changed by one of several, listed while they take room."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from controller.domain.derived import DerivedUrls, RecordingOutcome
from controller.domain.recordings import Recording, RecordingState, RetentionRules

READY, UNSAVED = RecordingState.READY, RecordingState.UNSAVED
BEGUN, GONE = RecordingState.RECORDING, RecordingState.DELETED


async def finished(world, state, *, days_ago=0, size=10, **fields):
    stream_id = await world.live(await world.user())
    begun = await world.stores.recordings.begin(stream_id, BEGUN)
    at = world.clock.now() - timedelta(days=days_ago)
    done = replace(begun, state=state, size_bytes=size, finished_at=at, **fields)
    assert await world.stores.recordings.change(done, BEGUN)
    return done


async def test_a_recording_begins_once(world):
    stream_id = await world.live(await world.user())
    recordings = world.stores.recordings
    assert await recordings.find(stream_id) is None
    begun = await recordings.begin(stream_id, BEGUN)
    assert await recordings.begin(stream_id, RecordingState.OFF) == begun
    assert await recordings.find(stream_id) == begun == Recording(stream_id, BEGUN)


async def test_a_rule_of_its_own_may_come_before_the_recording(world):
    stream_id = await world.live(await world.user())
    recordings = world.stores.recordings
    await recordings.set_keep_days(stream_id, 7)
    assert (await recordings.find(stream_id)).state is RecordingState.PENDING
    begun = await recordings.begin(stream_id, BEGUN)
    assert (begun.state, begun.keep_days) == (BEGUN, 7)
    await recordings.set_keep_days(stream_id, None)
    assert (await recordings.find(stream_id)).keep_days is None


async def test_one_of_several_changes_wins(world):
    stream_id = await world.live(await world.user())
    recordings = world.stores.recordings
    begun = await recordings.begin(stream_id, UNSAVED)
    changes = [replace(begun, state=state) for state in (BEGUN, GONE, BEGUN)]
    won = await asyncio.gather(*(recordings.change(one, UNSAVED) for one in changes))
    assert sorted(won) == [False, False, True]


async def test_what_takes_room_is_listed_oldest_first(world):
    newer = await finished(world, READY, days_ago=1)
    older = await finished(world, UNSAVED, days_ago=2, save_until=world.clock.now())
    leaving = await finished(world, GONE, days_ago=3)
    await finished(world, GONE, days_ago=4, size=0)
    await finished(world, RecordingState.EMPTY)
    assert await world.stores.recordings.kept() == [leaving, older, newer]


async def test_the_rules_take_the_old_and_then_the_oldest(world):
    now = world.clock.now()
    old = await finished(world, READY, days_ago=40)
    kept = await finished(world, READY, days_ago=39)
    await world.stores.recordings.set_keep_days(kept.stream_id, 0)
    own = await finished(world, READY, days_ago=3)
    await world.stores.recordings.set_keep_days(own.stream_id, 2)
    missed = await finished(world, UNSAVED, save_until=now - timedelta(seconds=1))
    saveable = await finished(world, UNSAVED, save_until=now + timedelta(hours=1))
    new = await finished(world, READY)
    everything = await world.stores.recordings.kept()

    def ruled(rules):
        return {one.stream_id: rule for one, rule in rules.to_delete(everything, now)}

    by_age = dict.fromkeys([old.stream_id, own.stream_id, missed.stream_id], "age")
    assert ruled(RetentionRules(keep_days=30)) == by_age
    assert ruled(RetentionRules(keep_days=30, most_bytes=10)) == by_age | {
        kept.stream_id: "total_size"
    }
    assert ruled(RetentionRules(keep_days=30, most_bytes=20)) == by_age
    assert saveable.stream_id not in ruled(RetentionRules(keep_days=1, most_bytes=1))
    assert new.stream_id in ruled(RetentionRules(most_bytes=1))


async def test_a_recording_that_is_gone_takes_with_it_what_was_made_of_it(world):
    stream_id = await world.live(await world.user())
    streams, derived = world.stores.streams, world.stores.derived
    await streams.set_vod(stream_id, "https://vod.test/a.m3u8")
    await derived.begin_recording(stream_id, uuid4())
    nothing = RecordingOutcome(mp4=None, mp4_error=None, poster=None, sheets=0, interval_s=0.0)
    urls = DerivedUrls("https://vod.test/a.mp4", "https://vod.test/a.jpg", "https://vod.test/a.vtt")
    await derived.finish_recording(stream_id, nothing, urls)
    await streams.forget_vod(stream_id)
    found = await streams.get(stream_id)
    left = (found.vod_url, found.mp4_url, found.poster_url, found.storyboard_url)
    assert left == (None, None, None, None)
    assert found.thumbnail_url is None
    assert await derived.recording(stream_id) is None
    assert await derived.clips(stream_id) == []
