"""The contract's events and sentences, without a transport."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec
import pytest

from controller.domain.coach import Advice, AdviceCode, Change
from controller.domain.people import Role
from controller.domain.products import ProductTag
from controller.domain.room import REACTIONS
from controller.domain.showcase import Moment, ProductPin
from controller.domain.states import StreamStatus
from controller.domain.streams import Audience
from controller.errors import ControllerError, StoreUnavailable
from controller.hub import payloads
from controller.hub.closing import CloseCode
from controller.hub.limits import HubLimits
from tests.unit.controller.hub.doubles import Installation, a_user, idle


@pytest.fixture
def place() -> Installation:
    return Installation()


async def refusal(place: Installation, connection, event: str, data: object) -> tuple[str, str]:
    with pytest.raises(ControllerError) as caught:
        await place.hub.handle(connection, event, data)
    return caught.value.detail, caught.value.code


async def test_joining_shows_the_room(place):
    stream = place.streams.add()
    _, wire = await place.joined(stream)
    [joined] = wire.named("stream:joined")
    assert joined["streamId"] == str(stream.id)
    assert joined["viewerCount"] == 1
    assert joined["history"] == []
    assert joined["status"] == "live"
    assert joined["recovered"] is False


async def test_others_hear_of_who_comes_and_goes(place):
    stream = place.streams.add()
    _, wire = await place.joined(stream)
    ann = a_user()
    connection, _ = await place.joined(stream, ann)
    [joined] = wire.named("viewer:joined")
    assert joined == {
        "streamId": str(stream.id),
        "viewerId": str(ann.user_id),
        "viewerCount": 2,
        "timestamp": joined["timestamp"],
    }
    await place.hub.handle(connection, "stream_leave", {"stream_id": str(stream.id)})
    await idle()
    place.time.pass_by(1)
    assert wire.named("viewer:left") == [
        {"streamId": str(stream.id), "viewerId": str(ann.user_id), "viewerCount": 1}
    ]


async def test_a_user_counts_once_however_many_tabs(place):
    stream, ann = place.streams.add(), a_user()
    tabs = [(await place.joined(stream, ann))[0] for _ in range(5)]
    _, wire = await place.joined(stream)
    assert wire.named("stream:joined")[0]["viewerCount"] == 2
    for tab in tabs[:4]:
        place.hub.disconnect(tab)
    await idle()
    place.time.pass_by(1)
    assert wire.named("viewer:left") == []
    place.hub.disconnect(tabs[4])
    await idle()
    place.time.pass_by(1)
    assert wire.named("viewer:left")[0]["viewerCount"] == 1


async def test_chat_reaches_everybody_and_the_next_to_come(place):
    stream, ann = place.streams.add(), a_user()
    connection, _ = await place.joined(stream, ann)
    _, wire = await place.joined(stream)
    await place.say(connection, stream, "  hello  ")
    [message] = wire.named("chat:message")
    assert message == {
        "streamId": str(stream.id),
        "userId": str(ann.user_id),
        "username": "ann",
        "avatarUrl": ann.avatar_url,
        "message": "hello",
        "timestamp": "2026-01-02T03:04:07.000+00:00",
        "messageId": message["messageId"],
    }
    _, late = await place.joined(stream)
    assert late.named("stream:joined")[0]["history"] == [message]


async def test_the_last_hundred_messages_are_replayed(place):
    stream = place.streams.add()
    for number in range(120):
        speaker, _ = place.connect(a_user(f"u{number}"))
        await place.say(speaker, stream, str(number))
    _, wire = await place.joined(stream)
    history = [message["message"] for message in wire.named("stream:joined")[0]["history"]]
    assert history == [str(number) for number in range(20, 120)]


async def test_ten_messages_a_minute_per_user_and_stream(place):
    stream, other, ann = place.streams.add(), place.streams.add(), a_user()
    tabs = [place.connect(ann)[0] for _ in range(2)]
    for number in range(10):
        await place.say(tabs[number % 2], stream, "m")
    limit = ("Rate limit exceeded", "rate_limited")
    say = {"stream_id": str(stream.id), "message": "m"}
    assert await refusal(place, tabs[0], "stream_chat", say) == limit
    assert await refusal(place, tabs[1], "stream_chat", say) == limit
    await place.say(tabs[0], other, "elsewhere")
    place.time.pass_by(6)
    await place.say(tabs[0], stream, "later")
    assert await refusal(place, tabs[0], "stream_chat", say) == limit


@pytest.mark.parametrize(
    ("event", "data", "sentence", "code"),
    [
        ("stream_join", {}, "stream_id required", "stream_id_required"),
        ("stream_join", {"stream_id": ""}, "stream_id required", "stream_id_required"),
        ("stream_join", {"stream_id": 7}, "stream_id required", "stream_id_required"),
        ("stream_join", {"stream_id": "x"}, "Stream not found", "stream_not_found"),
        ("stream_join", {"stream_id": str(uuid4())}, "Stream not found", "stream_not_found"),
        ("stream_leave", {}, "stream_id required", "stream_id_required"),
        ("stream_prepare", {}, "stream_id required", "stream_id_required"),
        ("stream_chat", {}, "stream_id and message required", "message_required"),
        ("stream_chat", {"message": "m"}, "stream_id and message required", "message_required"),
        (
            "stream_chat",
            {"stream_id": "LIVE"},
            "stream_id and message required",
            "message_required",
        ),
        (
            "stream_chat",
            {"stream_id": "LIVE", "message": " \n\x00 "},
            "stream_id and message required",
            "message_required",
        ),
        (
            "stream_chat",
            {"stream_id": "LIVE", "message": "x" * 201},
            "Message too long (max 200 chars)",
            "message_too_long",
        ),
        (
            "stream_chat",
            {"stream_id": str(uuid4()), "message": "m"},
            "Stream not found",
            "stream_not_found",
        ),
        (
            "stream_reaction",
            {"stream_id": "LIVE"},
            "stream_id and emoji required",
            "emoji_required",
        ),
        ("stream_reaction", {"stream_id": "LIVE", "emoji": "x"}, "Unknown emoji", "unknown_emoji"),
        ("stream_moderate", {"stream_id": "LIVE", "action": "?"}, None, "moderation_malformed"),
        ("what", {}, "Unknown event", "unknown_event"),
        ("stream_join", [], "Malformed frame", "malformed_frame"),
    ],
)
async def test_what_is_refused_and_in_which_words(place, event, data, sentence, code):
    stream = place.streams.add()
    if isinstance(data, dict) and data.get("stream_id") == "LIVE":
        data = {**data, "stream_id": str(stream.id)}
    connection, _ = place.connect(a_user())
    found = await refusal(place, connection, event, data)
    assert found[1] == code
    assert sentence is None or found[0] == sentence


@pytest.mark.parametrize(
    "event", ["stream_chat", "stream_reaction", "stream_moderate", "stream_prepare"]
)
async def test_guests_watch_and_no_more(place, event):
    guest, _ = await place.joined(place.streams.add())
    assert await refusal(place, guest, event, {}) == ("Not authenticated", "not_authenticated")


async def test_a_message_of_two_hundred_characters_is_not_too_long(place):
    stream = place.streams.add()
    connection, wire = await place.joined(stream, a_user())
    await place.say(connection, stream, " " + "é" * 200 + " ")
    assert wire.named("chat:message")[0]["message"] == "é" * 200


@pytest.mark.parametrize("emoji", REACTIONS)
async def test_each_of_the_six_reactions_is_passed_on(place, emoji):
    stream, ann = place.streams.add(), a_user()
    connection, wire = await place.joined(stream, ann)
    data = {"stream_id": str(stream.id), "emoji": emoji}
    await place.hub.handle(connection, "stream_reaction", data)
    place.time.pass_by(1)
    [reaction] = wire.named("reaction:new")
    assert (reaction["emoji"], reaction["userId"]) == (emoji, str(ann.user_id))
    assert reaction["streamId"] == str(stream.id)


async def test_reactions_are_limited(place):
    stream = place.streams.add()
    connection, _ = await place.joined(stream, a_user())
    data = {"stream_id": str(stream.id), "emoji": "🔥"}
    for _ in range(20):
        await place.hub.handle(connection, "stream_reaction", data)
    assert (await refusal(place, connection, "stream_reaction", data))[1] == "rate_limited"


async def test_a_big_room_hears_counts_instead_of_names(place):
    place = Installation(HubLimits(big_room_viewers=3))
    stream = place.streams.add()
    _, wire = await place.joined(stream)
    users = [await place.joined(stream, a_user(f"u{n}")) for n in range(10)]
    assert len(wire.named("viewer:joined")) == 2
    for connection, _ in users:
        data = {"stream_id": str(stream.id), "emoji": "👏"}
        await place.hub.handle(connection, "stream_reaction", data)
    await place.service.upkeep.tick()
    place.time.pass_by(1)
    assert wire.named("viewer:count") == [{"streamId": str(stream.id), "viewerCount": 11}]
    assert [one["count"] for one in wire.named("reaction:new")] == [10]


@pytest.mark.parametrize(
    ("status", "chat", "comments", "expected"),
    [
        (StreamStatus.SCHEDULED, True, False, None),
        (StreamStatus.LIVE, True, False, None),
        (StreamStatus.SCHEDULED, False, True, ("Chat is disabled", "chat_disabled")),
        (StreamStatus.LIVE, False, True, ("Chat is disabled", "chat_disabled")),
        (StreamStatus.ENDED, False, True, None),
        (StreamStatus.ENDED, True, False, ("Comments are disabled", "comments_disabled")),
    ],
)
async def test_chat_until_the_end_comments_from_then_on(place, status, chat, comments, expected):
    stream = place.streams.add(status=status, enable_chat=chat, enable_comments=comments)
    connection, wire = await place.joined(stream, a_user())
    [joined] = wire.named("stream:joined")
    assert joined["chatEnabled"] is (chat and status is not StreamStatus.ENDED)
    assert joined["commentsEnabled"] is comments
    data = {"stream_id": str(stream.id), "message": "m"}
    if expected is not None:
        assert await refusal(place, connection, "stream_chat", data) == expected
        return
    await place.say(connection, stream, "m")
    assert [one["message"] for one in wire.named("chat:message")] == ["m"]


async def test_what_is_said_is_kept_with_its_place_in_the_recording(place):
    stream = place.streams.add()
    connection, _ = await place.joined(stream, a_user())
    place.time.pass_by(60)
    for media_s in (12.5, None):
        place.media_time_s = media_s
        await place.say(connection, stream, f"at {media_s}")
    for other in (StreamStatus.SCHEDULED, StreamStatus.ENDED):
        elsewhere = place.streams.add(status=other)
        await place.say(connection, elsewhere, str(other))
    await place.service.upkeep.tick()
    found = {one.text: one.stream_time_s for some in place.store.figures for one in some.messages}
    assert found["at 12.5"] == 12.5
    assert found["at None"] == pytest.approx(61.2)
    assert found["scheduled"] is found["ended"] is None


async def test_a_token_that_runs_out_is_announced_and_then_ends_the_connection(place):
    stream = place.streams.add()
    until_s = place.limits.token_warning_s + 30
    expires_at = place.time.now() + timedelta(seconds=until_s)
    ann = replace(a_user(), expires_at=expires_at)
    _, wire = await place.joined(stream, ann)
    _, guest = await place.joined(stream)
    await place.service.upkeep.tick()
    assert wire.named("auth:expiring") == []
    place.time.pass_by(31)
    for _ in range(3):
        await place.service.upkeep.tick()
    [warning] = wire.named("auth:expiring")
    assert datetime.fromisoformat(warning["expiresAt"]) == expires_at
    assert wire.closed is None
    place.time.pass_by(until_s)
    await place.service.upkeep.tick()
    assert wire.named("error") == [{"message": "Token expired", "code": "token_expired"}]
    assert (wire.closed, guest.closed) == (CloseCode.TOKEN_EXPIRED, None)


async def test_a_room_is_as_closed_as_its_stream(place):
    host, fan = a_user("host"), a_user("fan")
    stream = place.streams.add(owner_id=host.user_id, audience=Audience.FOLLOWERS)
    place.users.followers.add((fan.user_id, host.user_id))
    await place.joined(stream, fan)
    await place.joined(stream, host)
    for identity in (None, a_user("stranger")):
        connection, _ = place.connect(identity)
        found = await refusal(place, connection, "stream_join", {"stream_id": str(stream.id)})
        assert found[1] == "not_in_audience"


async def test_the_stream_is_announced(place):
    stream = place.streams.add(status=StreamStatus.SCHEDULED)
    _, wire = await place.joined(stream)
    live = place.streams.add()
    live = place.streams.by_id[stream.id] = type(live)(
        **{f: getattr(live, f) for f in live.__slots__ if f != "id"}, id=stream.id
    )
    announcer = place.service.announcer
    await announcer.started(live)
    await announcer.product_tagged(ProductTag(stream.id, uuid4(), 0.25, 0.5, 12, place.time.now()))
    await announcer.interrupted(live)
    await announcer.resumed(live)
    await announcer.ended(place.ended(live))
    place.time.pass_by(1)
    names = [name for name, _ in wire.events()]
    assert names[-5:] == [
        "stream:started",
        "product:tagged",
        "stream:interrupted",
        "stream:resumed",
        "stream:ended",
    ]
    tagged = wire.named("product:tagged")[0]
    assert (tagged["x"], tagged["y"], tagged["timestamp"]) == (0.25, 0.5, 12)
    _, late = await place.joined(stream)
    joined = late.named("stream:joined")[0]
    assert joined["status"] == "ended"
    assert joined["pinnedProduct"]["productId"] == tagged["productId"]


async def test_prepare_answers_what_was_measured(place):
    stream = place.streams.add(status=StreamStatus.SCHEDULED)
    connection, wire = place.connect(a_user())
    await place.hub.handle(connection, "stream_prepare", {"stream_id": str(stream.id)})
    assert wire.named("stream:ready") == [
        {
            "streamId": str(stream.id),
            "estimatedLatency": 1.25,
            "status": "ready",
            "problems": [],
        }
    ]


async def test_the_stream_gets_the_figures_of_its_room(place):
    stream, ann = place.streams.add(), a_user()
    connection, _ = await place.joined(stream, ann)
    guest, _ = await place.joined(stream, viewer="anon-1")
    await place.say(connection, stream, "hello")
    await place.hub.handle(
        connection, "stream_reaction", {"stream_id": str(stream.id), "emoji": "❤️"}
    )
    place.time.pass_by(9.8)
    place.hub.disconnect(guest)
    await idle()
    await place.service.upkeep.tick()
    [figures] = place.store.figures
    assert (figures.viewers_now, figures.peak_viewers) == (1, 2)
    assert {visit.user_id for visit in figures.visits} == {ann.user_id, None}
    assert [message.text for message in figures.messages] == ["hello"]
    assert figures.messages[0].stream_time_s == pytest.approx(2.0)
    assert figures.reactions == {"❤️": 1}
    assert sorted(place.store.stays(), key=str) == sorted(
        [
            (str(ann.user_id), 0.0, pytest.approx(12.0)),
            ("anon-1", pytest.approx(1.0), pytest.approx(12.0)),
        ],
        key=str,
    )


async def test_what_the_store_refuses_is_written_later(place):
    stream = place.streams.add()
    connection, _ = await place.joined(stream, a_user())
    place.store.is_down = True
    await place.say(connection, stream, "kept")
    await place.service.upkeep.tick()
    with pytest.raises(StoreUnavailable):
        await place.hub.settle(stream.id)
    place.store.is_down = False
    await place.say(connection, stream, "too")
    await place.hub.settle(stream.id)
    assert place.store.messages == ["kept", "too"]


async def test_a_room_that_nobody_uses_is_closed_and_opened_again(place):
    stream = place.streams.add()
    connection, _ = await place.joined(stream, a_user())
    await place.say(connection, stream, "hello")
    place.hub.disconnect(connection)
    await idle()
    await place.service.upkeep.tick()
    place.time.pass_by(place.limits.room_linger_s + 1)
    await place.service.upkeep.tick()
    reads = place.streams.reads
    _, wire = await place.joined(stream)
    assert place.streams.reads == reads + 1
    assert [one["message"] for one in wire.named("stream:joined")[0]["history"]] == ["hello"]


async def test_a_crowd_opens_a_room_once(place):
    stream = place.streams.add()
    await asyncio.gather(*(place.joined(stream) for _ in range(50)))
    assert place.streams.reads == 1


async def test_closing_tells_everybody_and_writes_the_books(place):
    stream = place.streams.add()
    _, wire = await place.joined(stream)
    closing = asyncio.create_task(place.service.close())
    await idle()
    assert wire.closed is CloseCode.SERVER_STOPPING
    for connection in place.hub.connections:
        place.hub.disconnect(connection)
    await closing
    assert place.store.viewers_now == {stream.id: 0}
    assert place.hub.refusal is CloseCode.SERVER_STOPPING


async def test_a_killed_daemons_counts_are_set_right(place):
    stream = place.streams.add()
    place.store.viewers_now[stream.id] = 40
    await place.service.upkeep.correct_counts()
    assert place.store.viewers_now[stream.id] == 0


async def test_a_flood_of_frames_closes_the_connection(place):
    connection, wire = place.connect()
    assert [place.hub.may_send(connection) for _ in range(61)] == [True] * 60 + [False]
    assert wire.closed is CloseCode.FLOODING


async def test_one_connection_watches_a_few_rooms(place):
    connection, _ = place.connect()
    for _ in range(place.limits.rooms_per_connection):
        data = {"stream_id": str(place.streams.add().id)}
        await place.hub.handle(connection, "stream_join", data)
    data = {"stream_id": str(place.streams.add().id)}
    assert (await refusal(place, connection, "stream_join", data))[1] == "too_many_rooms"


async def test_hosts_and_administrators_enter_as_themselves(place):
    host = a_user("host", Role.SELLER)
    stream = place.streams.add(owner_id=host.user_id, audience=Audience.NEIGHBORHOOD)
    await place.joined(stream, host)
    await place.joined(stream, a_user("root", Role.ADMIN))


async def test_five_hundred_users_at_their_limits_are_heard_exactly_as_allowed(place):
    stream = place.streams.add()
    listener, wire = place.connect()
    listener._backlog_limit_bytes = 10**9
    await place.hub.handle(listener, "stream_join", {"stream_id": str(stream.id)})
    speakers = [place.connect(a_user(f"u{n}"))[0] for n in range(500)]
    refused: dict[str, int] = {}
    for number in range(12):
        for speaker in speakers:
            text = "x" * 201 if number == 0 else f"{speaker.identity.username}:{number}"
            data = {"stream_id": str(stream.id), "message": text}
            try:
                await place.hub.handle(speaker, "stream_chat", data)
            except ControllerError as error:
                refused[error.code] = refused.get(error.code, 0) + 1
    place.time.pass_by(1)
    heard = [one["message"] for one in wire.named("chat:message")]
    assert len(heard) == len(set(heard)) == 500 * 10
    assert refused == {"message_too_long": 500, "rate_limited": 500}


async def test_a_count_that_was_told_out_of_order_is_set_right(place):
    """Two daemons tell of their changes one after the other, not in the order of the changes."""
    stream = place.streams.add()
    _, wire = await place.joined(stream, a_user())
    stale = {"streamId": str(stream.id), "viewerId": "x", "viewerCount": 7}
    await place.realtime.publish(stream.id, "viewer:left", msgspec.json.encode(stale))
    await place.service.upkeep.tick()
    place.time.pass_by(1.0)
    assert wire.named("viewer:count")[-1]["viewerCount"] == 1
    await place.service.upkeep.tick()
    assert place.store.viewers_now[stream.id] == 1
    told = len(wire.named("viewer:count"))
    for _ in range(3):
        await place.service.upkeep.tick()
        place.time.pass_by(1.0)
    assert len(wire.named("viewer:count")) == told


async def test_a_client_that_is_ahead_of_this_daemon_is_waited_for_and_hears_nothing_twice(place):
    stream = place.streams.add()
    connection, _ = await place.joined(stream, a_user())
    await place.say(connection, stream, "one")
    room = place.service._rooms.find(stream.id).room
    ahead = {"epoch": room.position.epoch, "offset": room.position.offset + 1}
    late, wire = place.connect(a_user())
    data = {"stream_id": str(stream.id), **ahead}
    joining = asyncio.create_task(place.hub.handle(late, "stream_join", data))
    await idle()
    assert not joining.done()
    await place.say(connection, stream, "two")
    await joining
    await place.say(connection, stream, "three")
    assert wire.named("stream:joined")[0]["recovered"] is True
    assert [one["message"] for one in wire.named("chat:message")] == ["three"]


async def test_a_position_that_never_comes_is_answered_with_a_snapshot():
    place = Installation(HubLimits(behind_s=0.01))
    stream = place.streams.add()
    connection, _ = await place.joined(stream, a_user())
    await place.say(connection, stream, "one")
    epoch = place.service._rooms.find(stream.id).room.position.epoch
    liar, wire = place.connect(a_user())
    data = {"stream_id": str(stream.id), "epoch": epoch, "offset": 2**50}
    await place.hub.handle(liar, "stream_join", data)
    [joined] = wire.named("stream:joined")
    assert joined["recovered"] is False
    assert [one["message"] for one in joined["history"]] == ["one"]


async def test_a_crash_costs_no_more_than_what_came_after_the_last_tick(place):
    stream, ann = place.streams.add(), a_user()
    await place.joined(stream, ann)
    place.time.pass_by(40)
    await place.service.upkeep.tick()
    place.time.pass_by(40)
    await place.service.upkeep.tick()
    assert place.store.stays() == [(str(ann.user_id), 0.0, pytest.approx(81.0))]
    assert place.store.summed_up == [stream.id] * 2


async def test_the_very_same_is_told_again_when_the_store_did_not_answer(place):
    stream = place.streams.add()
    connection, _ = await place.joined(stream, a_user())
    place.store.is_down = True
    await place.service.upkeep.tick()
    ledger = place.service._rooms.find(stream.id).ledger
    told = ledger.pending
    react = {"stream_id": str(stream.id), "emoji": "❤️"}
    await place.hub.handle(connection, "stream_reaction", react)
    await place.service.upkeep.tick()
    assert ledger.pending is told
    assert not ledger.is_empty
    place.store.is_down = False
    await place.service.upkeep.tick()
    first, second = place.store.figures
    assert first is told
    assert (second.reactions, second.visits) == ({"❤️": 1}, ())
    assert second.number > first.number
    assert second.holder == first.holder
    assert ledger.is_empty


async def test_whoever_goes_because_the_daemon_stops_is_expected_back(place):
    stream = place.streams.add()
    _, _ = await place.joined(stream, a_user())
    leaver, _ = await place.joined(stream, viewer="anon-1")
    place.hub.disconnect(leaver)
    connections = place.hub.connections
    closing = asyncio.create_task(place.service.close())
    await idle()
    for connection in connections:
        place.hub.disconnect(connection)
    await closing
    leavings = [one for figures in place.store.figures for one in figures.leavings]
    assert [one.is_cut for one in leavings] == [False, True]
    assert place.store.beats[-1] == place.time.now()


async def test_figures_are_summed_up_once_a_stream_is_over_and_again_for_who_was_missed_late(place):
    stream, ann = place.streams.add(), a_user()
    connection, _ = await place.joined(stream, ann)
    await place.service.upkeep.tick()
    before = len(place.store.summed_up)
    await place.service.announcer.ended(place.ended(stream))
    assert len(place.store.summed_up) == before + 1
    for _ in range(3):
        await place.service.upkeep.tick()
    assert len(place.store.summed_up) == before + 2
    place.hub.disconnect(connection)
    for _ in range(3):
        await place.service.upkeep.tick()
    assert len(place.store.summed_up) == before + 3


async def test_what_a_dead_daemon_had_not_written_another_writes_from_the_log(place):
    stream = place.streams.add()
    connection, _ = await place.joined(stream, a_user())
    await place.say(connection, stream, "written")
    await place.hub.settle(stream.id)
    [message] = place.store.figures[-1].messages
    lost = replace(message, id=uuid4(), text="said elsewhere", stream_time_s=None)
    data = msgspec.json.encode(payloads.chat_message(lost))
    await place.realtime.publish(stream.id, "chat:message", data)
    place.service._rooms.keep_unwritten(stream.id)
    await place.hub.settle(stream.id)
    assert place.store.messages[-2:] == ["written", "said elsewhere"]
    assert place.store.figures[-1].messages[-1].stream_time_s is not None


async def test_the_coach_talks_to_the_host_alone(place):
    host, moderator = a_user("host"), a_user("ann")
    stream = place.streams.add(owner_id=host.user_id)
    wires = {}
    for name, identity in (("host", host), ("viewer", moderator), ("guest", None)):
        _, wires[name] = await place.joined(stream, identity)
    advice = Advice(AdviceCode.LONG_GOP, place.time.now())
    await place.service.announcer.advised(stream.id, Change(advice, is_raised=True))
    place.time.pass_by(1)
    (told,) = wires["host"].named("stream:advice")
    assert (told["code"], told["state"], told["severity"]) == ("long_gop", "raised", "problem")
    assert "Keyframe Interval" in told["obs"]
    assert wires["viewer"].named("stream:advice") == wires["guest"].named("stream:advice") == []
    _, late = await place.joined(stream, host)
    assert late.named("stream:advice") == [told], "what holds is told to who comes later"
    await place.service.announcer.advised(stream.id, Change(advice, is_raised=False))
    place.time.pass_by(1)
    assert wires["host"].named("stream:advice")[-1]["state"] == "cleared"
    _, later = await place.joined(stream, host)
    assert later.named("stream:advice") == []


async def test_what_is_shown_now_is_told_to_who_comes_later(place):
    stream = place.streams.add()
    announcer = place.service.announcer
    _, wire = await place.joined(stream)
    pin = ProductPin(uuid4(), stream.id, uuid4(), 12, Moment(place.time.now()))
    await announcer.product_pinned(pin)
    place.time.pass_by(1)
    assert wire.named("product:pinned")[0]["productId"] == str(pin.product_id)
    _, late = await place.joined(stream)
    assert late.named("stream:joined")[0]["activePin"]["productId"] == str(pin.product_id)
    await announcer.product_unpinned(replace(pin, until=Moment(place.time.now())))
    place.time.pass_by(1)
    _, later = await place.joined(stream)
    assert later.named("stream:joined")[0]["activePin"] is None
