"""Streams: states, products, idempotency, on both databases, also when two do it at once."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from controller.domain.people import Role
from controller.domain.states import (
    INGEST_TRANSITIONS,
    EndReason,
    IngestState,
    StreamStatus,
)
from controller.domain.streams import Audience, IdempotentCall, StreamChanges
from controller.errors import (
    IdempotencyKeyReused,
    IllegalIngestState,
    ProductNotInStream,
    ProductsNotAvailable,
    ProductsNotFound,
    StreamNotAttachable,
    StreamNotEditable,
    StreamNotFound,
    StreamNotLive,
    StreamNotScheduled,
    StreamWithoutProducts,
)


async def outcomes(*calls):
    """How each of several calls made at once came out: a result, or the kind of error."""
    done = await asyncio.gather(*calls, return_exceptions=True)
    return [type(result) if isinstance(result, Exception) else result for result in done]


async def test_a_stream_is_read_as_it_was_written(world):
    host = await world.user()
    stream, key = world.draft(host, audience=Audience.FOLLOWERS, enable_chat=False)
    stream = replace(stream, description="Blue ones", scheduled_at=world.clock.now())
    await world.stores.streams.create(stream, [], key)
    assert await world.stores.streams.get(stream.id) == stream


async def test_an_unknown_stream_is_not_found_by_any_call(world):
    streams, nobody = world.stores.streams, uuid4()
    for call in (
        streams.get(nobody),
        streams.update(nobody, StreamChanges({"title": "x"})),
        streams.attach_products(nobody, []),
        streams.detach_product(nobody, uuid4()),
        streams.go_live(nobody),
        streams.end(nobody, EndReason.HOST),
        streams.cancel(nobody),
        streams.set_ingest_state(nobody, IngestState.IDLE, IngestState.CONNECTED),
        streams.set_vod(nobody, "https://x/"),
        world.stores.catalogue.describe(nobody),
    ):
        with pytest.raises(StreamNotFound):
            await call
    assert await streams.playback_facts(nobody) is None


async def test_going_live_needs_a_product_and_happens_once(world):
    host = await world.user()
    streams = world.stores.streams
    empty = await world.stream(host)
    with pytest.raises(StreamWithoutProducts):
        await streams.go_live(empty)
    assert (await streams.get(empty)).status is StreamStatus.SCHEDULED
    stream_id = await world.stream(host, await world.product(host))
    live = (await streams.go_live(stream_id)).stream
    assert live.status is StreamStatus.LIVE
    assert live.started_at is not None
    with pytest.raises(StreamNotScheduled):
        await streams.go_live(stream_id)


async def test_of_many_who_go_live_or_end_at_once_one_wins(world):
    host = await world.user()
    streams = world.stores.streams
    stream_id = await world.stream(host, await world.product(host))
    went = await outcomes(*(streams.go_live(stream_id) for _ in range(6)))
    assert went.count(StreamNotScheduled) == 5
    ended = await outcomes(*(streams.end(stream_id, EndReason.HOST) for _ in range(6)))
    assert ended.count(StreamNotLive) == 5
    history = await streams.history(stream_id)
    assert [change.to_status for change in history] == ["scheduled", "live", "ended"]


async def test_going_live_and_cancelling_at_once_do_not_both_succeed(world):
    host = await world.user()
    streams = world.stores.streams
    for _round in range(5):
        stream_id = await world.stream(host, await world.product(host))
        done = await outcomes(streams.go_live(stream_id), streams.cancel(stream_id))
        assert done.count(StreamNotScheduled) == 1


async def test_the_last_product_does_not_leave_while_its_stream_goes_live(world):
    host = await world.user()
    streams = world.stores.streams
    for _round in range(10):
        product = await world.product(host)
        stream_id = await world.stream(host, product)
        await outcomes(streams.detach_product(stream_id, product), streams.go_live(stream_id))
        is_live = (await streams.get(stream_id)).status is StreamStatus.LIVE
        assert is_live == bool(await world.stores.catalogue.products_of(stream_id))


async def test_an_ended_stream_keeps_when_why_and_how_long(world):
    host = await world.user()
    stream_id = await world.live(host)
    world.clock.ahead += timedelta(seconds=95)
    ended = await world.stores.streams.end(stream_id, EndReason.GRACE_ELAPSED)
    assert ended.status is StreamStatus.ENDED
    assert ended.ingest_state is IngestState.FINISHED
    assert ended.end_reason is EndReason.GRACE_ELAPSED
    assert ended.duration_s == int((ended.ended_at - ended.started_at).total_seconds())
    assert ended.duration_s >= 95


async def test_only_a_live_stream_ends_and_only_a_scheduled_one_is_cancelled(world):
    host = await world.user()
    streams = world.stores.streams
    scheduled, live = await world.stream(host), await world.live(host)
    with pytest.raises(StreamNotLive):
        await streams.end(scheduled, EndReason.HOST)
    with pytest.raises(StreamNotScheduled):
        await streams.cancel(live)
    assert (await streams.cancel(scheduled)).ingest_state is IngestState.FINISHED
    with pytest.raises(StreamNotLive):
        await streams.end(scheduled, EndReason.HOST)


@pytest.mark.parametrize("source", IngestState)
@pytest.mark.parametrize("target", IngestState)
async def test_the_ingest_state_follows_its_table(world, source, target):
    host = await world.user()
    streams = world.stores.streams
    stream_id = await world.live(host)
    path = {
        IngestState.IDLE: [],
        IngestState.CONNECTED: [IngestState.CONNECTED],
        IngestState.INTERRUPTED: [IngestState.CONNECTED, IngestState.INTERRUPTED],
        IngestState.FINISHED: [IngestState.FINISHED],
    }[source]
    state = IngestState.IDLE
    for step in path:
        state = (await streams.set_ingest_state(stream_id, state, step)).ingest_state
    if target in INGEST_TRANSITIONS[source]:
        changed = await streams.set_ingest_state(stream_id, source, target)
        assert changed.ingest_state is target
    else:
        with pytest.raises(IllegalIngestState):
            await streams.set_ingest_state(stream_id, source, target)
        assert (await streams.get(stream_id)).ingest_state is source


async def test_an_ingest_state_is_compared_before_it_is_set(world):
    streams = world.stores.streams
    stream_id = await world.live(await world.user())
    step = (stream_id, IngestState.IDLE, IngestState.CONNECTED)
    done = await outcomes(*(streams.set_ingest_state(*step) for _ in range(4)))
    assert done.count(IllegalIngestState) == 3


async def test_only_given_settings_change_and_only_while_scheduled(world):
    streams = world.stores.streams
    host = await world.user()
    stream_id = await world.stream(host, enable_chat=False)
    before = await streams.get(stream_id)
    world.clock.ahead += timedelta(seconds=1)
    changed = await streams.update(
        stream_id, StreamChanges({"title": "Bowls", "audience": Audience.FOLLOWERS})
    )
    assert changed == replace(
        before,
        title="Bowls",
        options=replace(before.options, audience=Audience.FOLLOWERS),
        updated_at=changed.updated_at,
    )
    assert changed.updated_at > before.updated_at
    live = await world.live(host)
    with pytest.raises(StreamNotEditable):
        await streams.update(live, StreamChanges({"title": "Bowls"}))


async def test_changes_made_at_once_are_all_kept(world):
    streams = world.stores.streams
    stream_id = await world.stream(await world.user())
    await asyncio.gather(
        streams.update(stream_id, StreamChanges({"title": "Bowls"})),
        streams.update(stream_id, StreamChanges({"description": "Blue"})),
        streams.update(stream_id, StreamChanges({"enable_chat": False})),
    )
    kept = await streams.get(stream_id)
    assert (kept.title, kept.description, kept.options.enable_chat) == ("Bowls", "Blue", False)


async def test_status_is_not_among_what_may_be_changed(world):
    stream_id = await world.stream(await world.user())
    with pytest.raises(ValueError, match="status"):
        await world.stores.streams.update(stream_id, StreamChanges({"status": "live"}))


async def test_products_keep_the_order_of_attaching_and_are_attached_once(world):
    host = await world.user()
    one, two, three = [await world.product(host) for _ in range(3)]
    stream_id = await world.stream(host, two)
    await world.stores.streams.attach_products(stream_id, [three, two, three])
    listed = await world.stores.streams.attach_products(stream_id, [one])
    assert [product.id for product in listed] == [two, three, one]
    left = await world.stores.streams.detach_product(stream_id, three)
    assert [product.id for product in left] == [two, one]


async def test_attaching_at_once_attaches_each_once(world):
    host = await world.user()
    products = [await world.product(host) for _ in range(4)]
    stream_id = await world.stream(host)
    await asyncio.gather(
        *(world.stores.streams.attach_products(stream_id, products) for _ in range(4))
    )
    attached = await world.stores.catalogue.products_of(stream_id)
    assert [product.id for product in attached] == products


async def test_only_own_available_products_are_attached_and_all_or_none(world):
    host, other = await world.user(), await world.user()
    good, foreign = await world.product(host), await world.product(other)
    sold_out = await world.product(host, is_available=False)
    deleted = await world.product(host)
    await world.stores.products.delete(deleted, host.user_id)
    stream_id = await world.stream(host)
    for bad in (foreign, sold_out, deleted, uuid4()):
        with pytest.raises(ProductsNotFound):
            await world.stores.streams.attach_products(stream_id, [good, bad])
        with pytest.raises(ProductsNotAvailable):
            await world.stream(host, good, bad)
    assert await world.stores.catalogue.products_of(stream_id) == []


async def test_products_are_fixed_once_a_stream_is_live(world):
    host = await world.user()
    live, product = await world.live(host), await world.product(host)
    with pytest.raises(StreamNotAttachable):
        await world.stores.streams.attach_products(live, [product])
    with pytest.raises(StreamNotAttachable):
        await world.stores.streams.detach_product(live, product)
    scheduled = await world.stream(host)
    with pytest.raises(ProductNotInStream):
        await world.stores.streams.detach_product(scheduled, product)


async def test_a_deleted_product_leaves_scheduled_streams_and_stays_in_others(world):
    host = await world.user()
    product = await world.product(host)
    scheduled, live = await world.stream(host, product), await world.stream(host, product)
    await world.stores.streams.go_live(live)
    await world.stores.products.delete(product, host.user_id)
    assert await world.stores.catalogue.products_of(scheduled) == []
    assert [kept.id for kept in await world.stores.catalogue.products_of(live)] == [product]


async def test_a_repeated_creation_creates_nothing_and_is_answered_alike(world):
    host = await world.user()
    call = IdempotentCall(host.user_id, "key-1", "fingerprint")
    made = await asyncio.gather(*(world.create(host, call) for _ in range(5)))
    assert {created.stream_id for created in made} == {made[0].stream_id}
    assert [created.replayed for created in made].count(False) == 1
    assert len({replace(created, replayed=False) for created in made}) == 1


async def test_an_idempotency_key_is_for_one_request_of_one_user(world):
    host, other = await world.user(), await world.user()
    first = await world.create(host, IdempotentCall(host.user_id, "key-1", "one"))
    with pytest.raises(IdempotencyKeyReused):
        await world.create(host, IdempotentCall(host.user_id, "key-1", "two"))
    foreign = await world.create(other, IdempotentCall(other.user_id, "key-1", "one"))
    assert foreign.stream_id != first.stream_id


async def test_a_refused_creation_does_not_use_up_its_key(world):
    host = await world.user()
    call = IdempotentCall(host.user_id, "key-1", "one")
    with pytest.raises(ProductsNotAvailable):
        await world.create(host, call, products=(uuid4(),))
    assert (await world.create(host, call)).replayed is False


async def test_an_idempotency_key_is_forgotten_after_a_day(world):
    host = await world.user()
    call = IdempotentCall(host.user_id, "key-1", "one")
    first = await world.create(host, call)
    world.clock.ahead += timedelta(hours=25)
    assert (await world.create(host, call)).stream_id != first.stream_id


async def test_the_live_streams_are_listed_oldest_first(world):
    host = await world.user()
    first, second, third = [await world.live(host) for _ in range(3)]
    await world.stores.streams.end(second, EndReason.HOST)
    await world.stream(host)
    assert [stream.id for stream in await world.stores.streams.live_streams()] == [first, third]


async def test_the_recording_is_remembered(world):
    stream_id = await world.live(await world.user(Role.SELLER))
    await world.stores.streams.set_vod(stream_id, "https://vod.test/x.m3u8")
    assert (await world.stores.streams.get(stream_id)).vod_url == "https://vod.test/x.m3u8"
    facts = await world.stores.streams.playback_facts(stream_id)
    assert (facts.audience, facts.status) == (Audience.EVERYONE, StreamStatus.LIVE)
