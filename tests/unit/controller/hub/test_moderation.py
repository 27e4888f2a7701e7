"""What moderators may do, to whom, and who hears of it."""

import pytest

from controller.domain.people import Role
from controller.domain.room import KeptRoom, ModerationKind, RoomRules
from controller.errors import ControllerError, StoreUnavailable
from tests.unit.controller.hub.doubles import Installation, a_user, idle


@pytest.fixture
def place() -> Installation:
    return Installation()


@pytest.fixture
def host():
    return a_user("host", Role.SELLER)


@pytest.fixture
def stream(place, host):
    return place.streams.add(owner_id=host.user_id)


async def moderate(place, connection, stream, action: str, **data) -> None:
    data = {"stream_id": str(stream.id), "action": action, **data}
    await place.hub.handle(connection, "stream_moderate", data)
    await idle()
    place.time.pass_by(1)


async def code_of(awaitable) -> str:
    with pytest.raises(ControllerError) as caught:
        await awaitable
    return caught.value.code


async def test_a_deleted_message_is_gone_for_everybody(place, stream, host):
    boss, _ = await place.joined(stream, host)
    ann, wire = await place.joined(stream, a_user("ann"))
    await place.say(ann, stream, "rude")
    message_id = wire.named("chat:message")[0]["messageId"]
    await moderate(place, boss, stream, "delete", message_id=message_id)
    assert wire.named("chat:deleted") == [{"streamId": str(stream.id), "messageId": message_id}]
    _, late = await place.joined(stream)
    assert late.named("stream:joined")[0]["history"] == []
    assert place.store.messages == ["rude"]  # written before it was deleted there
    assert [one.kind for one in place.store.moderations] == [ModerationKind.DELETE]


async def test_a_banned_user_is_put_out_of_every_tab_and_stays_out(place, stream, host):
    boss, boss_wire = await place.joined(stream, host)
    ann = a_user("ann")
    tabs = [await place.joined(stream, ann) for _ in range(2)]
    elsewhere = place.streams.add()
    await place.hub.handle(tabs[0][0], "stream_join", {"stream_id": str(elsewhere.id)})
    await moderate(place, boss, stream, "ban", user_id=str(ann.user_id), reason="rude")
    for connection, wire in tabs:
        assert wire.named("error")[-1] == {"message": "You are banned", "code": "banned"}
        assert stream.id not in connection.rooms
    assert elsewhere.id in tabs[0][0].rooms
    assert boss_wire.named("viewer:left")[0]["viewerCount"] == 1
    again, _ = place.connect(ann)
    data = {"stream_id": str(stream.id), "message": "back"}
    assert await code_of(place.hub.handle(again, "stream_join", data)) == "banned"
    assert await code_of(place.hub.handle(again, "stream_chat", data)) == "banned"
    await moderate(place, boss, stream, "unban", user_id=str(ann.user_id))
    await place.joined(stream, ann)


async def test_a_ban_is_remembered_by_the_store(place, stream):
    ann = a_user("ann")
    place.store.kept[stream.id] = KeptRoom(rules=RoomRules(sanctions={str(ann.user_id): None}))
    connection, _ = place.connect(ann)
    joining = place.hub.handle(connection, "stream_join", {"stream_id": str(stream.id)})
    assert await code_of(joining) == "banned"


async def test_an_anonymous_viewer_can_be_banned(place, stream, host):
    boss, _ = await place.joined(stream, host)
    guest, _ = await place.joined(stream, viewer="anon-0123456789")
    await moderate(place, boss, stream, "ban", user_id="anon-0123456789")
    assert not guest.rooms


async def test_a_banned_guests_network_is_banned_for_guests_until_the_ban_is_lifted(
    place, stream, host
):
    boss, _ = await place.joined(stream, host)
    guest, _ = await place.joined(stream, viewer="anon-1", network="net-a")
    neighbour, wire = await place.joined(stream, viewer="anon-2", network="net-a")
    ann, _ = await place.joined(stream, a_user("ann"), network="net-a")
    far, _ = await place.joined(stream, viewer="anon-3", network="net-b")
    await moderate(place, boss, stream, "ban", user_id="anon-1")
    await idle()
    assert not guest.rooms
    assert not neighbour.rooms
    assert wire.named("error")[-1]["code"] == "banned"
    assert ann.rooms
    assert far.rooms
    data = {"stream_id": str(stream.id)}
    # Cookies thrown away, the guest is somebody else from the same place.
    again, _ = place.connect(viewer="anon-4", network="net-a")
    assert await code_of(place.hub.handle(again, "stream_join", data)) == "banned"
    network_ban = place.store.moderations[-1]
    assert (network_ban.viewer, network_ban.actor_id) == ("net-a", host.user_id)

    await moderate(place, boss, stream, "unban", user_id="anon-1")
    await place.joined(stream, viewer="anon-4", network="net-a")
    assert [one.viewer for one in place.store.moderations[-2:]] == ["anon-1", "net-a"]


async def test_a_network_can_be_freed_by_itself(place, stream, host):
    boss, wire = await place.joined(stream, host)
    await place.joined(stream, viewer="anon-1", network="net-a")
    await moderate(place, boss, stream, "ban", user_id="anon-1")
    await idle()
    place.time.pass_by(1)
    assert [one["viewerId"] for one in wire.named("viewer:sanctioned")] == ["anon-1", "net-a"]
    await moderate(place, boss, stream, "unban", user_id="net-a")
    await place.joined(stream, viewer="anon-2", network="net-a")
    back, _ = place.connect(viewer="anon-1", network="net-a")
    joining = place.hub.handle(back, "stream_join", {"stream_id": str(stream.id)})
    assert await code_of(joining) == "banned"


async def test_a_timed_out_user_watches_in_silence_for_a_while(place, stream, host):
    boss, _ = await place.joined(stream, host)
    ann = a_user("ann")
    connection, _ = await place.joined(stream, ann)
    await moderate(place, boss, stream, "timeout", user_id=str(ann.user_id), duration_s=60)
    assert await code_of(place.say(connection, stream, "m")) == "timed_out"
    place.time.pass_by(60)
    await place.say(connection, stream, "m")


async def test_slow_mode_makes_viewers_wait_and_moderators_not(place, stream, host):
    boss, wire = await place.joined(stream, host)
    ann, _ = await place.joined(stream, a_user("ann"))
    await moderate(place, boss, stream, "slow_mode", interval_s=30)
    assert wire.named("chat:settings") == [{"streamId": str(stream.id), "slowMode": 30}]
    await place.say(ann, stream, "one")
    assert await code_of(place.say(ann, stream, "two")) == "rate_limited"
    await place.say(boss, stream, "a")
    await place.say(boss, stream, "b")
    place.time.pass_by(30)
    await place.say(ann, stream, "three")
    await moderate(place, boss, stream, "slow_mode", interval_s=0)
    await place.say(ann, stream, "four")


async def test_a_pinned_message_is_shown_to_newcomers(place, stream, host):
    boss, wire = await place.joined(stream, host)
    await place.say(boss, stream, "welcome")
    message = wire.named("chat:message")[0]
    await moderate(place, boss, stream, "pin", message_id=message["messageId"])
    assert wire.named("chat:pinned")[-1]["message"] == message
    _, late = await place.joined(stream)
    assert late.named("stream:joined")[0]["pinnedMessage"] == message
    await moderate(place, boss, stream, "unpin")
    assert wire.named("chat:pinned")[-1]["message"] is None


async def test_a_blocked_word_is_held_for_a_moderator(place, stream, host):
    boss, boss_wire = await place.joined(stream, host)
    ann, wire = await place.joined(stream, a_user("ann"))
    await moderate(place, boss, stream, "block_words", words=["SCAM"])
    assert await code_of(place.say(ann, stream, "a sCam!")) == "message_held"
    place.time.pass_by(1)
    assert wire.named("chat:message") == wire.named("chat:held") == []
    [held] = boss_wire.named("chat:held")
    again, again_wire = await place.joined(stream, host)
    assert again_wire.named("chat:held") == [held]
    await moderate(place, again, stream, "approve", message_id=held["messageId"])
    assert [one["message"] for one in wire.named("chat:message")] == ["a sCam!"]
    twice = moderate(place, again, stream, "approve", message_id=held["messageId"])
    assert await code_of(twice) == "message_not_found"


async def test_moderators_are_appointed_by_the_host_alone(place, stream, host):
    boss, _ = await place.joined(stream, host)
    ann, bob = a_user("ann"), a_user("bob")
    helper, _ = await place.joined(stream, ann)
    ban = {"user_id": str(bob.user_id)}
    assert await code_of(moderate(place, helper, stream, "ban", **ban)) == "not_moderator"
    await moderate(place, boss, stream, "appoint", user_id=str(ann.user_id))
    await moderate(place, helper, stream, "ban", **ban)
    appoint = moderate(place, helper, stream, "appoint", **ban)
    assert await code_of(appoint) == "not_moderator"
    mutiny = moderate(place, helper, stream, "ban", user_id=str(host.user_id))
    assert await code_of(mutiny) == "not_moderator"
    await moderate(place, boss, stream, "dismiss", user_id=str(ann.user_id))
    assert await code_of(moderate(place, helper, stream, "unban", **ban)) == "not_moderator"


async def test_an_administrator_moderates_everywhere(place, stream, host):
    admin, _ = await place.joined(stream, a_user("root", Role.ADMIN))
    await moderate(place, admin, stream, "slow_mode", interval_s=5)


async def test_what_could_not_be_written_is_not_done(place, stream, host):
    boss, _ = await place.joined(stream, host)
    ann = a_user("ann")
    connection, _ = await place.joined(stream, ann)
    place.store.is_down = True
    with pytest.raises(StoreUnavailable):
        await moderate(place, boss, stream, "ban", user_id=str(ann.user_id))
    assert connection.rooms


@pytest.mark.parametrize(
    "data",
    [
        {"action": None},
        {"action": "delete"},
        {"action": "delete", "message_id": "x"},
        {"action": "timeout", "user_id": "x", "duration_s": 5},
        {"action": "timeout", "duration_s": 5},
        {"action": "timeout", "user_id": "anon-1"},
        {"action": "timeout", "user_id": "anon-1", "duration_s": -1},
        {"action": "timeout", "user_id": "anon-1", "duration_s": 1.5},
        {"action": "timeout", "user_id": "anon-1", "duration_s": 10**9},
        {"action": "slow_mode", "interval_s": "5"},
        {"action": "block_words", "words": "scam"},
        {"action": "block_words", "words": [1]},
        {"action": "block_words", "words": [""]},
        {"action": "block_words", "words": ["x"] * 300},
        {"action": "ban", "user_id": "anon-1", "reason": "x" * 300},
        {"action": "appoint", "user_id": "anon-1"},
    ],
)
async def test_an_incomplete_act_is_refused(place, stream, host, data):
    boss, _ = await place.joined(stream, host)
    act = place.hub.handle(boss, "stream_moderate", {"stream_id": str(stream.id), **data})
    assert await code_of(act) == "moderation_malformed"
