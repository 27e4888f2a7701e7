"""Keys and the visits of encoders, on both databases."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from controller.domain.publications import KeyState
from controller.domain.states import EndReason, StreamStatus
from controller.errors import (
    AlreadyPublishing,
    KeyNotRotatable,
    KeyRevoked,
    StreamNotFound,
    StreamNotLive,
)
from controller.stores.schema import publications as publications_table
from tests.contract.store_world import PUBLISHER, VAULT


async def test_a_key_is_found_by_its_hash_with_all_that_a_hook_asks(world):
    host = await world.user()
    stream, _ = world.draft(host, record_stream=False)
    plaintext, key = VAULT.issue(stream.id)
    await world.stores.streams.create(stream, [], key)
    match = await world.stores.keys.find(VAULT.lookup_hash(plaintext))
    assert match.key_id == key.id
    assert match.stream_id == stream.id
    assert match.owner_id == host.user_id
    assert match.key_state is KeyState.ACTIVE
    assert match.stream_status is StreamStatus.SCHEDULED
    assert match.record_stream is False
    assert match.may_publish is False
    assert await world.stores.keys.find(VAULT.lookup_hash("sk_other")) is None


async def test_a_rotated_key_is_revoked_and_remembered(world):
    stream_id = await world.live(await world.user())
    old = (await world.stores.keys.active([stream_id]))[stream_id]
    new = VAULT.issue(stream_id)[1]
    await world.stores.keys.rotate(stream_id, new)
    assert (await world.stores.keys.find(old.lookup_hash)).key_state is KeyState.REVOKED
    assert (await world.stores.keys.find(new.lookup_hash)).may_publish is True
    assert await world.stores.keys.active([stream_id, uuid4()]) == {stream_id: new}
    assert await world.stores.keys.active([]) == {}


async def test_of_keys_rotated_at_once_one_is_active(world):
    stream_id = await world.stream(await world.user())
    keys = [VAULT.issue(stream_id)[1] for _ in range(6)]
    await asyncio.gather(*(world.stores.keys.rotate(stream_id, key) for key in keys))
    found = [await world.stores.keys.find(key.lookup_hash) for key in keys]
    assert [match.key_state for match in found].count(KeyState.ACTIVE) == 1


async def test_a_key_of_a_finished_stream_is_not_rotated(world):
    host = await world.user()
    ended, cancelled = await world.live(host), await world.stream(host)
    await world.stores.streams.end(ended, EndReason.HOST)
    await world.stores.streams.cancel(cancelled)
    for stream_id in (ended, cancelled):
        with pytest.raises(KeyNotRotatable):
            await world.stores.keys.rotate(stream_id, VAULT.issue(stream_id)[1])
    with pytest.raises(StreamNotFound):
        await world.stores.keys.rotate(uuid4(), VAULT.issue(uuid4())[1])


async def test_one_encoder_publishes_a_stream(world):
    stream_id = await world.live(await world.user())
    publications = world.stores.publications
    opened = await asyncio.gather(
        *(world.publish(stream_id) for _ in range(5)), return_exceptions=True
    )
    assert [type(result) for result in opened].count(AlreadyPublishing) == 4
    (publication,) = await publications.list_open()
    assert publication.stream_id == stream_id
    assert publication.publisher == PUBLISHER
    assert await publications.find_open(stream_id) == publication


async def test_a_publication_is_closed_once_and_makes_room(world):
    stream_id = await world.live(await world.user())
    publications = world.stores.publications
    first = await world.publish(stream_id)
    closed = await publications.close(first.id, "encoder_gone")
    assert closed.end_reason == "encoder_gone"
    assert closed.ended_at >= closed.started_at
    assert await publications.close(first.id, "again") is None
    assert await publications.close(uuid4(), "never opened") is None
    assert await publications.find_open(stream_id) is None
    second = await world.publish(stream_id)
    assert await publications.list_open() == [second]


async def test_where_an_encoder_came_from_is_forgotten_some_days_after_it_has_gone(world):
    publications = world.stores.publications
    host = await world.user()
    streams = [await world.live(host) for _ in range(4)]
    gone = [await world.publish(stream_id) for stream_id in streams[:3]]
    there = await world.publish(streams[3])
    for publication in gone[:2]:
        await publications.close(publication.id, "encoder_gone")
    world.clock.ahead += timedelta(days=5)
    await publications.close(gone[2].id, "encoder_gone")
    world.clock.ahead += timedelta(days=26)

    assert [await publications.forget_addresses(30, 1) for _ in range(3)] == [1, 1, 0]
    assert await addresses(world) == {
        gone[0].id: "",
        gone[1].id: "",
        gone[2].id: PUBLISHER.client_address,
        there.id: PUBLISHER.client_address,
    }
    assert await publications.forget_addresses(0, 10) == 1
    # A hook asks by it as long as the encoder is there.
    assert await publications.list_open() == [there]


async def addresses(world):
    query = select(publications_table.c.id, publications_table.c.client_address)
    async with world.stores.database.read() as connection:
        return dict((await connection.execute(query)).all())


async def test_an_internal_name_is_used_once(world):
    host = await world.user()
    await world.publish(await world.live(host), "one-time")
    with pytest.raises(ValueError, match="taken"):
        await world.publish(await world.live(host), "one-time")


async def test_only_a_live_stream_with_a_valid_key_is_published(world):
    host = await world.user()
    publications = world.stores.publications
    scheduled, live = await world.stream(host), await world.live(host)
    with pytest.raises(StreamNotLive):
        await world.publish(scheduled)
    revoked = await world.key_id(live)
    foreign = await world.key_id(scheduled)
    await world.stores.keys.rotate(live, VAULT.issue(live)[1])
    for key_id in (revoked, foreign, uuid4()):
        with pytest.raises(KeyRevoked):
            await publications.open(live, key_id, uuid4().hex, PUBLISHER)
    await world.stores.streams.end(live, EndReason.HOST)
    with pytest.raises(StreamNotLive):
        await world.publish(live)


async def test_a_publication_opened_while_the_stream_ends_is_known_or_refused(world):
    host = await world.user()
    for _round in range(8):
        stream_id = await world.live(host)
        opened, _ended = await asyncio.gather(
            world.publish(stream_id),
            world.stores.streams.end(stream_id, EndReason.HOST),
            return_exceptions=True,
        )
        known = await world.stores.publications.find_open(stream_id)
        assert known == (None if isinstance(opened, StreamNotLive) else opened)
