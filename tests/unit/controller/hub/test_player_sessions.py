"""What a playlist's request tells: that somebody watches, from where, and how it goes."""

from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from controller.domain.rehearsals import new_rehearsal_id
from controller.hub.endpoint.players import PlayerSessions
from controller.hub.guests import GUEST_COOKIE, GuestSessions
from tests.unit.controller.hub.doubles import Installation, idle


@dataclass
class Asked:
    remote: str | None = "192.0.2.7"
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def place():
    return Installation()


@pytest.fixture
def players(place):
    def country_of(request) -> str | None:
        looked_up.append(request.remote)
        return "DE" if request.remote == "192.0.2.7" else None

    looked_up: list[str] = []
    guests = GuestSessions(b"g" * 32)
    sessions = PlayerSessions(
        place.watchers, place.sessions, guests, country_of, place.service.quality
    )
    sessions.looked_up = looked_up
    return sessions


async def test_a_player_is_counted_with_its_country_which_is_looked_up_once(place, players):
    stream = place.streams.add()
    session = players.open(str(stream.id), "", Asked())
    for _ in range(5):
        players.seen(str(stream.id), session, Asked())
    await place.service.upkeep.tick()
    await idle()
    await place.service.upkeep.tick()
    [visit] = [one for figures in place.store.figures for one in figures.visits]
    assert visit.country == "DE"
    assert players.looked_up == ["192.0.2.7"]


async def test_a_socket_brings_its_country_too(place):
    stream = place.streams.add()
    wire = place.connect(viewer="anon-1")[0]
    wire.country = "FR"
    await place.hub.handle(wire, "stream_join", {"stream_id": str(stream.id)})
    await place.hub.settle(stream.id)
    assert [one.country for figures in place.store.figures for one in figures.visits] == ["FR"]


async def test_what_it_says_of_its_playback_is_heard(place, players):
    stream = place.streams.add()
    session = players.open(str(stream.id), "", Asked())
    players.seen(str(stream.id), session, Asked(query={"CMCD": 'sid="a",su,ot=m'}))
    place.time.pass_by(0.5)
    players.seen(str(stream.id), session, Asked(headers={"CMCD-Session": 'sid="a"'}))
    place.time.pass_by(place.limits.sum_up_s)
    await place.service.upkeep.tick()
    assert [one.startup_ms for one in place.quality.sessions.values()] == [500]


def test_nonsense_is_nobody_and_a_browser_is_the_guest_of_its_cookie(place, players):
    stream, guests = place.streams.add(), GuestSessions(b"g" * 32)
    players.seen("no uuid", "x", Asked())
    assert players.open("no uuid", "", Asked()) == ""
    guest = guests.recognise("")
    session = players.open(str(stream.id), "bad", Asked(cookies={GUEST_COOKIE: guest.token}))
    assert place.sessions.read(stream.id, session).viewer == guest.viewer
    assert players.open(str(stream.id), session, Asked()) == session


async def test_who_watches_a_rehearsal_is_not_counted(place, players):
    rehearsal_id, stream = new_rehearsal_id(), place.streams.add()
    session = place.sessions.issue(rehearsal_id, str(uuid4()))
    told = Asked(query={"CMCD": 'sid="a",su,ot=m'})
    for offered in ("", session):
        assert players.open(str(rehearsal_id), offered, told) == ""
        players.seen(str(rehearsal_id), offered, told)
    assert (len(place.watchers), len(place.service.quality)) == (0, 0)
    assert place.watchers.statistics.refused == 0
    players.seen(str(stream.id), players.open(str(stream.id), "", told), told)
    assert (len(place.watchers), len(place.service.quality)) == (1, 1)
