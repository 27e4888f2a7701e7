"""What Prometheus reads about rooms."""

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from controller.hub.closing import CloseCode
from controller.hub.errors import RateLimitExceeded
from controller.hub.limits import HubLimits
from tests.unit.controller.hub.doubles import Installation, a_user, idle


@pytest.fixture
def place():
    return Installation(HubLimits(big_room_viewers=2, backlog_bytes=4_000, unwritten_records=3))


@pytest.fixture
def read(place):
    registry = CollectorRegistry()
    place.service.show_metrics(registry)
    return lambda name, **labels: registry.get_sample_value(f"golive_room_{name}", labels)


async def test_who_is_there_and_what_is_said_is_told_without_a_streams_name(place, read):
    stream, host = place.streams.add(), a_user("host")
    connection, _ = await place.joined(stream, host)
    await place.joined(stream, viewer="anon-1")
    place.watchers.seen(stream.id, place.sessions.issue(stream.id, f"anon-{'a' * 20}"))
    await place.service.upkeep.tick()
    await idle()
    await place.say(connection, stream, "hello")
    react = {"stream_id": str(stream.id), "emoji": "🔥"}
    await place.hub.handle(connection, "stream_reaction", react)
    assert (read("connections"), read("open"), read("viewers"), read("players")) == (2, 1, 3, 1)
    assert read("messages_total", outcome="said") == 1
    assert read("reactions_total") == 1
    assert read("coalesced_total") >= 1
    assert read("events_total") > 0
    assert read("deliveries_total") >= read("writes_total") > 0
    registry = CollectorRegistry()
    place.service.show_metrics(registry)
    shown = generate_latest(registry).decode()
    assert str(stream.id) not in shown
    assert str(host.user_id) not in shown


async def test_what_is_refused_dropped_and_closed_is_counted_though_it_is_gone(place, read):
    stream = place.streams.add()
    connection, wire = await place.joined(stream, a_user())
    for _ in range(place.limits.chat.burst):
        await place.say(connection, stream, "x" * 100)
    with pytest.raises(RateLimitExceeded):
        await place.say(connection, stream, "x" * 100)
    assert read("rate_refused_total") == 1
    assert read("dropped_total", what="record") > 0
    wire.stuck = True
    for _ in range(60):
        place.time.pass_by(20)
        if not connection.is_open:
            break
        await place.say(connection, stream, "y" * 200)
    assert read("dropped_total", what="write") > 0
    before = read("dropped_total", what="write")
    for _ in range(2):
        place.hub.disconnect(connection)
    assert read("connections_closed_total", reason="too_slow") == 1
    assert read("connections_closed_total", reason="flooding") == 0
    assert read("dropped_total", what="write") == before
    for _ in range(3):
        place.time.pass_by(place.limits.room_linger_s + 1)
        await place.service.upkeep.tick()
        await idle()
    assert read("open") == 0
    assert read("dropped_total", what="record") > 0
    assert {code.name.lower() for code in CloseCode} >= {"too_slow", "flooding"}
