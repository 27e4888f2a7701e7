"""Pins, cues and the replay of the room, on both databases."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from controller.domain.products import ProductTag
from controller.domain.replay import Stretch
from controller.domain.room import ChatMessage, RoomFigures
from controller.domain.showcase import CueKind, Moment, ProductPin
from controller.domain.states import EndReason
from controller.errors import ProductNotInStream, StreamNotFound, StreamNotLive
from controller.stores.room import SqlRooms


@pytest.fixture
async def show(world):
    """A live stream with two products, as (stream id, product id, product id)."""
    host = await world.user()
    first, second = await world.product(host), await world.product(host)
    stream_id = await world.stream(host, first, second)
    await world.stores.streams.go_live(stream_id)
    world.began_at = (await world.stores.streams.get(stream_id)).started_at
    return stream_id, first, second


def moment(world, after_s):
    began = world.began_at
    return Moment(began + timedelta(seconds=after_s), float(after_s))


def a_pin(world, stream_id, product, after_s=0):
    return ProductPin(uuid4(), stream_id, product, after_s, moment(world, after_s))


async def test_one_product_is_shown_at_a_time(world, show):
    stream_id, first, second = show
    store = world.stores.showcase
    one, again = a_pin(world, stream_id, first, 5), a_pin(world, stream_id, first, 7)
    await store.pin(one)
    await store.pin(again)
    assert await store.shown(stream_id) == one, "it was shown already"
    other = a_pin(world, stream_id, second, 9)
    await store.pin(other)
    assert await store.shown(stream_id) == other
    assert await store.unpin(stream_id, first, moment(world, 11)) is None
    gone = await store.unpin(stream_id, second, moment(world, 12))
    assert gone == replace(other, until=moment(world, 12))
    assert await store.shown(stream_id) is None
    cues = await store.cues([stream_id])
    assert [(cue.product_id, cue.at, cue.until) for cue in cues] == [
        (first, one.since.at, other.since.at),
        (second, other.since.at, moment(world, 12).at),
    ]


async def test_the_room_starts_with_what_is_shown(world, show):
    stream_id, first, _ = show
    rooms = SqlRooms(world.stores.database, world.clock)
    assert (await rooms.load(stream_id)).active_pin is None
    pin = a_pin(world, stream_id, first, 5)
    await world.stores.showcase.pin(pin)
    shown = (await rooms.load(stream_id)).active_pin
    assert (shown.product_id, shown.at) == (first, pin.since.at)


async def test_pins_that_come_together_leave_one(world, show):
    stream_id, first, second = show
    pins = [a_pin(world, stream_id, product, n) for n, product in enumerate((first, second) * 4)]
    await asyncio.gather(*(world.stores.showcase.pin(pin) for pin in pins))
    cues = await world.stores.showcase.cues([stream_id])
    assert sum(cue.until is None for cue in cues) == 1


async def test_only_live_streams_show_products_of_their_own(world, show):
    stream_id, first, _ = show
    store = world.stores.showcase
    with pytest.raises(ProductNotInStream):
        await store.pin(a_pin(world, stream_id, uuid4()))
    with pytest.raises(StreamNotFound):
        await store.pin(a_pin(world, uuid4(), first))
    await world.stores.streams.end(stream_id, EndReason.HOST)
    with pytest.raises(StreamNotLive):
        await store.pin(a_pin(world, stream_id, first))
    with pytest.raises(StreamNotLive):
        await store.unpin(stream_id, first, moment(world, 1))


def a_tag(world, stream_id, product, after_s, *, placed=True):
    at = moment(world, after_s)
    media = (at.at, at.stream_time_s) if placed else (None, None)
    return ProductTag(stream_id, product, 0.25, 0.75, after_s, world.clock.now(), *media)


async def test_cues_are_tags_and_pins_in_order_and_those_of_before_are_placed(world, show):
    stream_id, first, second = show
    store, engagement = world.stores.showcase, world.stores.engagement
    await engagement.tag(a_tag(world, stream_id, first, 30))
    await store.pin(a_pin(world, stream_id, second, 20))
    await engagement.tag(a_tag(world, stream_id, second, 10, placed=False))
    cues = await store.cues([stream_id, uuid4()])
    assert [(cue.kind, cue.product_id, cue.x) for cue in cues] == [
        (CueKind.TAG, second, 0.25),
        (CueKind.PIN, second, None),
        (CueKind.TAG, first, 0.25),
    ]
    assert cues[0].at == world.began_at + timedelta(seconds=10)
    assert await store.cues([]) == []


async def test_changes_are_found_by_their_time(world, show):
    stream_id, first, _ = show
    store = world.stores.showcase
    pin = a_pin(world, stream_id, first)
    await store.pin(pin)
    world.clock.ahead += timedelta(seconds=60)
    since = world.clock.now()
    assert await store.cues([stream_id], since) == []
    await store.unpin(stream_id, first, moment(world, 0))
    await world.stores.engagement.tag(a_tag(world, stream_id, first, 61))
    changed = await store.cues([stream_id], since)
    assert {cue.kind for cue in changed} == {CueKind.PIN, CueKind.TAG}


def a_message(world, stream_id, at_s, **fields):
    return ChatMessage(
        id=uuid4(),
        stream_id=stream_id,
        user_id=uuid4(),
        username="ann",
        avatar_url=None,
        text=f"at {at_s}",
        sent_at=world.clock.now(),
        stream_time_s=at_s,
        **fields,
    )


async def replay(world, stream_id, from_s, to_s, most=500):
    return await world.stores.replays.replay(stream_id, Stretch(from_s, to_s), most)


async def test_a_stretch_of_the_room_again(world, show):
    stream_id, first, second = show
    rooms = SqlRooms(world.stores.database, world.clock)
    messages = [a_message(world, stream_id, float(n)) for n in range(10)]
    messages.append(a_message(world, stream_id, None))  # a comment on the recording
    messages.append(a_message(world, stream_id, 5.5, is_held=True))
    felt = {(0, "🔥"): 2, (5, "🔥"): 3, (5, "💎"): 1, (15, "🔥"): 1}
    await rooms.record(stream_id, RoomFigures(1, 1, messages=tuple(messages)))
    for _ in range(2):
        await rooms.record(stream_id, RoomFigures(1, 1, reaction_moments=felt))
    await world.stores.showcase.pin(a_pin(world, stream_id, first, 2))
    await world.stores.showcase.pin(a_pin(world, stream_id, second, 6))
    for at_s in (1, 8, 30):
        await world.stores.engagement.tag(a_tag(world, stream_id, first, at_s))
    found = await replay(world, stream_id, 4.0, 9.0)
    assert [said.text for said in found.chat] == [f"at {n}.0" for n in range(4, 9)]
    assert [(one.at_s, one.emoji, one.count) for one in found.reactions] == [
        (0, "🔥", 4),
        (5, "💎", 2),
        (5, "🔥", 6),
    ]
    assert [tag.at_s for tag in found.tags] == [1.0, 8.0], "one of before is still shown"
    assert [(pin.product_id, pin.at_s, pin.until_s) for pin in found.pins] == [
        (first, 2.0, 6.0),
        (second, 6.0, None),
    ]
    assert (found.covers, found.more) == (Stretch(4.0, 9.0), False)
    later = await replay(world, stream_id, 100.0, 160.0)
    assert [pin.product_id for pin in later.pins] == [second]
    assert (later.chat, later.reactions, later.tags) == ((), (), ())


async def test_much_chat_comes_in_stretches_without_a_gap_or_a_repetition(world, show):
    stream_id = show[0]
    rooms = SqlRooms(world.stores.database, world.clock)
    times = [0.5, 1.0, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0, 2.0, 3.5, 4.0]
    messages = tuple(a_message(world, stream_id, at_s) for at_s in times)
    await rooms.record(stream_id, RoomFigures(1, 1, messages=messages))
    for most in (1, 2, 3, 4, 100):
        seen, from_s, calls = [], 0.0, 0
        while True:
            found = await replay(world, stream_id, from_s, 10.0, most)
            seen += [said.stream_time_s for said in found.chat]
            calls += 1
            assert found.covers.from_s == from_s
            if not found.more:
                break
            assert found.covers.to_s > from_s
            from_s = found.covers.to_s
        assert seen == times, most
        assert calls == 1 or most < len(times)
