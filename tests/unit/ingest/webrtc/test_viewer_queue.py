"""What one viewer gets: at once, in order, and never more than there is room for."""

import asyncio

import pytest

from ingest.webrtc.viewer_queue import Unit, ViewerQueue

FRAME = 3_000


def unit(index: int, *, key: bool = False) -> Unit:
    return Unit(index * FRAME, (b"%d" % index,), key)


def drained(queue: ViewerQueue) -> list[Unit]:
    async def take() -> list[Unit]:
        return [await queue.get() for _ in range(len(queue))]

    return asyncio.run(take())


def names(units: list[Unit]) -> list[int]:
    return [int(one.payloads[0]) for one in units]


def rises(units: list[Unit]) -> bool:
    stamps = [one.timestamp for one in units]
    return stamps == sorted(set(stamps))


def test_a_viewer_who_joins_gets_the_group_of_pictures_squeezed_before_the_newest():
    queue = ViewerQueue()
    group = [unit(index, key=index == 0) for index in range(50)]

    queue.catch_up(group, FRAME)
    queue.put(unit(50))

    got = drained(queue)
    assert names(got) == list(range(51))
    assert rises(got)
    assert got[-2].timestamp == 49 * FRAME
    assert got[-1].timestamp - got[0].timestamp < 50 * FRAME / 4
    assert all(one.hurried for one in got[:-2])
    assert not got[-1].hurried


def test_a_replay_fits_between_what_was_sent_and_what_comes():
    queue = ViewerQueue()
    group = [unit(index, key=index == 0) for index in range(60)]
    queue.catch_up(group, FRAME)
    before = drained(queue)

    queue.catch_up(group, FRAME)
    queue.put(unit(60))

    got = drained(queue)
    assert names(got) == [*range(60), 60]
    assert rises([*before, *got])
    assert got[-1].timestamp == 60 * FRAME


def test_without_a_keyframe_nothing_is_sent_until_one_comes():
    queue = ViewerQueue()
    queue.catch_up([], FRAME)
    for index in range(5):
        queue.put(unit(index))
    queue.put(unit(5, key=True))
    queue.put(unit(6))

    assert names(drained(queue)) == [5, 6]
    assert queue.dropped == 5


def test_a_viewer_who_lags_goes_on_at_the_next_keyframe():
    queue = ViewerQueue(most_units=10)
    queue.put(unit(0, key=True))
    for index in range(1, 25):
        queue.put(unit(index))
    assert len(queue) == 0
    assert queue.dropped == 25

    queue.put(unit(25, key=True))
    queue.put(unit(26))

    assert names(drained(queue)) == [25, 26]


def test_the_past_that_a_viewer_catches_up_with_does_not_count_as_lag():
    queue = ViewerQueue(most_units=10)
    queue.catch_up([unit(index, key=index == 0) for index in range(60)], FRAME)
    for index in range(60, 65):
        queue.put(unit(index))

    assert len(queue) == 65
    assert queue.dropped == 0


def test_a_keyframe_is_replayed_once_in_a_while():
    queue = ViewerQueue()

    assert queue.may_replay(10.0)
    assert not queue.may_replay(10.1)
    assert queue.may_replay(11.0)


def test_a_closed_queue_takes_nothing():
    queue = ViewerQueue()
    queue.put(unit(0, key=True))
    queue.close()
    queue.put(unit(1, key=True))

    assert len(queue) == 0


async def test_get_waits_for_what_comes():
    queue = ViewerQueue()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not waiting.done()

    queue.put(unit(7, key=True))

    assert names([await waiting]) == [7]


@pytest.mark.parametrize("late", [0, -FRAME])
def test_stamps_only_rise(late):
    queue = ViewerQueue()
    queue.put(unit(10, key=True))
    queue.put(Unit(10 * FRAME + late, (b"11",), is_key=False))

    assert rises(drained(queue))
