"""Rehearsals in the store, on both databases: at most one runs, and nothing is left of any."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from controller.domain.publications import KeyState
from controller.domain.rehearsals import is_rehearsal
from controller.domain.states import EndReason, IngestState
from controller.errors import (
    AlreadyPublishing,
    IllegalIngestState,
    KeyRevoked,
    StreamNotFound,
    StreamNotLive,
    StreamNotScheduled,
)
from controller.stores.rehearsal_schema import rehearsals
from tests.contract.store_world import PUBLISHER, VAULT, World

LASTS = timedelta(minutes=30)


@pytest.fixture
async def rehearsed(world: World):
    """A scheduled stream with a product, its rehearsal, and its key's hash."""
    owner = await world.user()
    stream, key = world.draft(owner)
    await world.stores.streams.create(stream, [await world.product(owner)], key)
    rehearsal, is_new = await world.stores.rehearsals.begin(stream.id, LASTS)
    assert is_new
    return rehearsal, key


async def rows(world: World) -> int:
    query = select(func.count()).select_from(rehearsals)
    async with world.stores.database.read() as connection:
        return (await connection.execute(query)).scalar_one()


async def test_one_runs_at_a_time(world: World, rehearsed):
    rehearsal, _ = rehearsed
    store = world.stores.rehearsals
    assert is_rehearsal(rehearsal.id)
    assert not is_rehearsal(rehearsal.stream_id)
    assert rehearsal.expires_at - rehearsal.started_at == LASTS
    assert (rehearsal.ingest_state, rehearsal.is_over) == (IngestState.IDLE, False)
    again, is_new = await store.begin(rehearsal.stream_id, LASTS)
    assert (again, is_new) == (rehearsal, False)
    assert await store.running(rehearsal.stream_id) == rehearsal
    assert await store.end(rehearsal.stream_id) == [rehearsal.id]
    assert await store.running(rehearsal.stream_id) is None
    another, is_new = await store.begin(rehearsal.stream_id, LASTS)
    assert is_new
    assert another.id != rehearsal.id
    assert {one.id: one.is_over for one in await store.all()} == {
        rehearsal.id: True,
        another.id: False,
    }
    await store.forget(rehearsal.id)
    await store.forget(another.id)
    assert await rows(world) == 0


async def test_time_runs_out(world: World, rehearsed):
    rehearsal, key = rehearsed
    store = world.stores.rehearsals
    world.clock.ahead += LASTS
    assert await store.running(rehearsal.stream_id) is None
    assert await store.playback_facts(rehearsal.id) is None
    assert (await world.stores.keys.find(key.lookup_hash)).rehearsal_id is None
    with pytest.raises(StreamNotLive):
        await store.open(rehearsal.id, key.id, "p_1", PUBLISHER)
    another, is_new = await store.begin(rehearsal.stream_id, LASTS)
    assert is_new
    assert another.id != rehearsal.id


async def test_only_what_is_scheduled_is_rehearsed(world: World):
    owner = await world.user()
    live = await world.live(owner)
    with pytest.raises(StreamNotScheduled):
        await world.stores.rehearsals.begin(live, LASTS)
    await world.stores.streams.end(live, EndReason.HOST)
    with pytest.raises(StreamNotScheduled):
        await world.stores.rehearsals.begin(live, LASTS)
    with pytest.raises(StreamNotFound):
        await world.stores.rehearsals.begin(uuid4(), LASTS)


@pytest.mark.parametrize("step", ["go_live", "cancel", "rotate", "end"])
async def test_what_ends_one_ends_it_with_the_same_commit(world: World, rehearsed, step):
    rehearsal, key = rehearsed
    stores, stream_id = world.stores, rehearsal.stream_id
    before = await stores.keys.find(key.lookup_hash)
    assert (before.rehearsal_id, before.media_id) == (rehearsal.id, rehearsal.id)
    assert before.may_publish
    if step == "rotate":
        await stores.keys.rotate(stream_id, VAULT.issue(stream_id)[1])
    elif step == "end":
        await stores.rehearsals.end(stream_id)
    else:
        await getattr(stores.streams, step)(stream_id)
    assert (await stores.rehearsals.find(rehearsal.id)).is_over
    assert await stores.rehearsals.running(stream_id) is None
    assert await stores.rehearsals.playback_facts(rehearsal.id) is None
    after = await stores.keys.find(key.lookup_hash)
    assert (after.rehearsal_id, after.media_id) == (None, stream_id)
    assert after.may_publish is (step == "go_live")
    assert (after.key_state is KeyState.REVOKED) is (step == "rotate")
    with pytest.raises(StreamNotLive):
        await stores.rehearsals.open(rehearsal.id, key.id, "p_1", PUBLISHER)


async def test_one_encoder_at_a_time_and_nothing_is_kept_of_it(world: World, rehearsed):
    rehearsal, key = rehearsed
    store = world.stores.rehearsals
    with pytest.raises(KeyRevoked):
        await store.open(rehearsal.id, uuid4(), "p_0", PUBLISHER)
    opened = await store.open(rehearsal.id, key.id, "p_1", PUBLISHER)
    assert (opened.stream_id, opened.internal_name) == (rehearsal.id, "p_1")
    assert opened.publisher == PUBLISHER
    with pytest.raises(AlreadyPublishing):
        await store.open(rehearsal.id, key.id, "p_2", PUBLISHER)
    assert await store.list_open() == [opened]
    await store.forget(rehearsal.id)
    assert await store.find(rehearsal.id) is not None, "its encoder is to be disconnected"
    assert await world.stores.publications.list_open() == []
    assert (await store.close(opened.id, "encoder disconnected")).id == opened.id
    assert await store.close(opened.id, "encoder disconnected") is None
    assert await store.list_open() == []
    async with world.stores.database.read() as connection:
        row = (await connection.execute(select(rehearsals))).one()
    assert (row.internal_name, row.nginx_client_id, row.client_address) == (None, None, None)


async def test_what_the_encoder_does(world: World, rehearsed):
    rehearsal, _ = rehearsed
    store, stream_id = world.stores.rehearsals, rehearsal.stream_id
    idle, connected = IngestState.IDLE, IngestState.CONNECTED
    assert (await store.set_ingest_state(rehearsal.id, idle, connected)).ingest_state is connected
    for from_state, to_state in ((idle, connected), (connected, idle)):
        with pytest.raises(IllegalIngestState):
            await store.set_ingest_state(rehearsal.id, from_state, to_state)
    assert (await store.running(stream_id)).ingest_state is connected
    assert (await world.stores.streams.get(stream_id)).ingest_state is idle, "that of the stream"


async def test_its_media_need_a_token(world: World, rehearsed):
    rehearsal, _ = rehearsed
    facts = await world.stores.rehearsals.playback_facts(rehearsal.id)
    assert facts.stream_id == rehearsal.id
    assert facts.audience != "everyone"
    assert await world.stores.streams.playback_facts(rehearsal.id) is None
    assert await world.stores.rehearsals.playback_facts(rehearsal.stream_id) is None


async def test_a_key_without_a_rehearsal_opens_nothing(world: World):
    owner = await world.user()
    stream, key = world.draft(owner)
    await world.stores.streams.create(stream, [], key)
    match = await world.stores.keys.find(key.lookup_hash)
    assert (match.rehearsal_id, match.may_publish) == (None, False)
