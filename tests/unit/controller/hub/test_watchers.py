"""Players without a socket as viewers: counted while they ask, once with their socket."""

from dataclasses import replace
from uuid import uuid4

import pytest

from controller.domain.states import StreamStatus
from controller.hub.limits import HubLimits
from tests.unit.controller.hub.doubles import Installation, a_user, idle

LIMITS = HubLimits(unseen_s=20.0, players=100)


@pytest.fixture
def place():
    return Installation(LIMITS)


@pytest.fixture
def stream(place):
    return place.streams.add()


def a_guest() -> str:
    return f"anon-{uuid4().hex[:20]}"


async def tick(place) -> None:
    await place.service.upkeep.tick()
    await idle()


def play(place, stream, viewer: str) -> bool:
    return place.watchers.seen(stream.id, place.sessions.issue(stream.id, viewer))


async def viewers(place, stream) -> int:
    return await place.realtime.viewers(stream.id)


async def test_a_player_counts_from_the_next_tick_until_it_stops_asking(place, stream):
    guest = a_guest()
    assert play(place, stream, guest)
    await tick(place)
    assert await viewers(place, stream) == 1

    for _ in range(5):
        place.time.pass_by(15)
        play(place, stream, guest)
        await tick(place)
    assert await viewers(place, stream) == 1

    place.time.pass_by(LIMITS.unseen_s + 1)
    await tick(place)
    assert await viewers(place, stream) == 0
    assert len(place.watchers) == 0


async def test_watch_time_ends_with_the_last_request_and_not_when_it_is_missed(place, stream):
    guest = a_guest()
    play(place, stream, guest)
    await tick(place)
    place.time.pass_by(60)
    play(place, stream, guest)
    place.time.pass_by(LIMITS.unseen_s + 1)
    await tick(place)
    await place.hub.settle(stream.id)

    [leaving] = [one for figures in place.store.figures for one in figures.leavings]
    assert place.store.stays() == [(guest, 0.0, pytest.approx(60))]
    assert (place.time.now() - leaving.left_at).total_seconds() == pytest.approx(21)


async def test_a_player_and_a_socket_of_one_person_are_one_viewer(place, stream):
    ann, guest = a_user("ann"), a_guest()
    _host, wire = await place.joined(stream)
    play(place, stream, str(ann.user_id))
    play(place, stream, guest)
    await tick(place)
    place.time.pass_by(1)
    ann_socket, _ = await place.joined(stream, ann)
    guest_socket, _ = await place.joined(stream, viewer=guest)
    assert await viewers(place, stream) == 3
    assert {one["viewerId"] for one in wire.named("viewer:joined")} >= {str(ann.user_id), guest}

    # Whichever goes first, the viewer goes with the second.
    place.hub.disconnect(ann_socket)
    await idle()
    assert await viewers(place, stream) == 3
    place.time.pass_by(LIMITS.unseen_s + 1)
    await tick(place)
    assert await viewers(place, stream) == 2
    place.hub.disconnect(guest_socket)
    await idle()
    assert await viewers(place, stream) == 1
    visits = [one.viewer for figures in place.store.figures for one in figures.visits]
    assert len(visits) == len(set(visits)) == 3


async def test_a_player_that_outlives_its_socket_is_not_cut_short(place, stream):
    """The socket goes after the player was last seen: the viewer was there until then."""
    guest = a_guest()
    play(place, stream, guest)
    await tick(place)
    socket, _ = await place.joined(stream, viewer=guest)
    place.time.pass_by(9)
    place.hub.disconnect(socket)
    place.time.pass_by(LIMITS.unseen_s)
    await tick(place)
    await place.hub.settle(stream.id)
    assert place.store.stays() == [(guest, 0.0, pytest.approx(10))]


async def test_a_player_has_watched_from_its_first_request_and_not_from_the_next_tick(
    place, stream
):
    guest = a_guest()
    play(place, stream, guest)
    place.time.pass_by(0.75)
    await tick(place)
    place.time.pass_by(2)
    await tick(place)
    assert place.store.stays() == [(guest, 0.0, pytest.approx(2.75))]


async def test_a_player_is_in_the_books_of_an_open_room_at_once(place, stream):
    """A daemon that is killed before its next tick leaves it to its successor."""
    await place.joined(stream)
    guest = a_guest()
    play(place, stream, guest)
    await place.hub.settle(stream.id)
    visits = [one.viewer for figures in place.store.figures for one in figures.visits]
    assert guest in visits

    play(place, stream, guest)
    await tick(place)
    assert await viewers(place, stream) == 2
    visits = [one.viewer for figures in place.store.figures for one in figures.visits]
    assert visits.count(guest) == 1


async def test_a_player_that_came_just_before_the_end_has_watched_until_then(place, stream):
    await place.joined(stream)
    guest = a_guest()
    play(place, stream, guest)
    place.time.pass_by(0.5)
    await place.service.announcer.ended(place.ended(stream))
    place.time.pass_by(0.5)
    await tick(place)
    assert (guest, pytest.approx(1.0), pytest.approx(2.0)) in place.store.stays()


async def test_a_player_that_came_before_the_socket_has_watched_from_then(place, stream):
    """Though no tick was between the two."""
    await place.joined(stream)
    guest = a_guest()
    play(place, stream, guest)
    place.time.pass_by(0.5)
    await place.joined(stream, viewer=guest)
    await tick(place)
    assert (guest, pytest.approx(1.0), pytest.approx(2.5)) in place.store.stays()


async def test_what_is_no_session_of_ours_is_ignored_and_counted(place, stream):
    other = place.streams.add()
    good = place.sessions.issue(stream.id, a_guest())
    for forged in (
        "",
        "x" * 44,
        "é" * 44,
        good[:-1],
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        "x" * 10_000,
    ):
        assert not place.watchers.seen(stream.id, forged)
    assert not place.watchers.seen(other.id, good)
    await tick(place)
    assert place.watchers.statistics.refused == 7
    assert len(place.watchers) == 0
    assert await viewers(place, stream) == 0


async def test_players_are_bounded_and_those_beyond_are_counted_as_dropped(place, stream):
    for _ in range(LIMITS.players + 7):
        assert play(place, stream, a_guest())
    await tick(place)
    assert await viewers(place, stream) == LIMITS.players
    assert place.watchers.statistics.dropped == 7


async def test_a_player_that_says_it_goes_is_gone_at_once(place, stream):
    guest = a_guest()
    play(place, stream, guest)
    await tick(place)
    place.watchers.left(stream.id, place.sessions.issue(stream.id, guest))
    await idle()
    assert await viewers(place, stream) == 0


@pytest.mark.parametrize("status", [StreamStatus.SCHEDULED, StreamStatus.ENDED])
async def test_only_a_live_stream_has_players(place, status):
    stream = place.streams.add(status=status)
    play(place, stream, a_guest())
    await tick(place)
    assert await viewers(place, stream) == 0


async def test_a_stream_that_does_not_exist_costs_nothing_and_is_forgotten(place, stream):
    nowhere = replace(stream, id=uuid4())
    play(place, nowhere, a_guest())
    await tick(place)
    assert place.service._rooms.find(nowhere.id) is None
    place.time.pass_by(LIMITS.unseen_s + 1)
    await tick(place)
    assert len(place.watchers) == 0


async def test_a_banned_viewer_counts_no_more(place, stream):
    host = a_user("host")
    stream = place.streams.add(owner_id=host.user_id)
    boss, _ = await place.joined(stream, host)
    guest = a_guest()
    play(place, stream, guest)
    await tick(place)
    assert await viewers(place, stream) == 2
    data = {"stream_id": str(stream.id), "action": "ban", "user_id": guest}
    await place.hub.handle(boss, "stream_moderate", data)
    play(place, stream, guest)
    await tick(place)
    play(place, stream, guest)
    await tick(place)
    assert await viewers(place, stream) == 1


async def test_stopping_gives_the_players_back(place, stream):
    play(place, stream, a_guest())
    await tick(place)
    await place.service.close()
    assert place.store.viewers_now[stream.id] == 0
