"""How playback goes, as players tell it request by request."""

import asyncio
import socket
from uuid import uuid4

import pytest

from controller.errors import ConfigurationError
from controller.hub.cmcd import ClientData
from controller.hub.endpoint.player_log import PlayerLog
from controller.hub.limits import HubLimits
from controller.hub.quality import QualityBook
from tests.unit.controller.hub.doubles import HeldTime, QualityMemory

STREAM = uuid4()


class Desk:
    def __init__(self, **limits) -> None:
        self.time, self.store = HeldTime(), QualityMemory()
        self.limits = HubLimits(**limits)
        self.book = QualityBook(self.store, "holder", self.limits, self.time)

    def tell(self, session="s", *, after=0.0, stream=STREAM, **fields) -> None:
        self.time.pass_by(after)
        self.book.told(stream, ClientData(session, **fields))

    async def written(self):
        await self.book.write(all_of_it=True)
        return list(self.store.sessions.values())


@pytest.fixture
def desk():
    return Desk()


async def test_a_player_starts_with_the_first_request_that_nothing_waits_for(desk):
    desk.tell(is_startup=True)
    desk.tell(is_startup=True, after=0.5)
    desk.tell(after=0.75)
    desk.tell(after=10, is_startup=True, is_starved=True)
    desk.tell(after=3)
    [session] = await desk.written()
    assert (session.startup_ms, session.rebuffers, session.rebuffered_ms) == (1250, 1, None)


async def test_what_the_player_has_measured_itself_is_better(desk):
    desk.tell(is_startup=True)
    desk.tell(after=2, start_delay_ms=800)
    desk.tell(after=1, is_starved=True, starved_ms=400)
    desk.tell(after=1, is_starved=True, starved_ms=350)
    [session] = await desk.written()
    assert (session.startup_ms, session.rebuffers, session.rebuffered_ms) == (800, 2, 750)


async def test_a_player_that_plays_already_has_no_start_that_is_known(desk):
    desk.tell()
    desk.tell("asleep", is_startup=True)
    desk.tell("asleep", after=1_000)
    assert {one.startup_ms for one in await desk.written()} == {None}


async def test_the_bit_rate_is_that_of_the_time_shown(desk):
    desk.tell(bitrate_kbps=1_000, duration_ms=2_000)
    desk.tell(bitrate_kbps=4_000, duration_ms=6_000)
    desk.tell(bitrate_kbps=9_000)
    desk.tell(duration_ms=2_000)
    [session] = await desk.written()
    assert (session.bits, session.shown_ms) == (26_000_000, 8_000)


async def test_sessions_are_told_when_they_are_due_and_changed_and_by_no_name_of_theirs(desk):
    desk.tell("a-players-own-name", is_starved=True)
    await desk.book.write()
    assert not desk.store.sessions
    desk.time.pass_by(desk.limits.sum_up_s)
    await desk.book.write()
    [first] = desk.store.sessions.values()
    assert first.session != "a-players-own-name"
    assert len(first.session) == 32
    desk.tell("a-players-own-name", is_starved=True)
    desk.store.is_down = True
    assert [one.rebuffers for one in await desk.written()] == [1]
    desk.store.is_down = False
    # The same session, as it is by now.
    assert [one.rebuffers for one in await desk.written()] == [2]


async def test_players_are_bounded_and_forgotten():
    desk = Desk(players=3)
    for number in range(5):
        desk.tell(f"player-{number}")
    assert (len(desk.book), desk.book.statistics.dropped) == (3, 2)
    await desk.written()
    desk.time.pass_by(1_000)
    await desk.written()
    assert len(desk.book) == 0
    assert len(desk.store.sessions) == 3


async def test_lines_that_are_none_are_counted_and_hurt_nobody(tmp_path):
    desk = Desk()
    log = PlayerLog(tmp_path / "players.sock", desk.book)
    await log.open()
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    lines = [
        b"",
        b"<190>Jan  2 03:04:05 golive_player: {",
        b'<190>golive_player: {"stream":"show"}',
        b'golive_player: {"stream":"' + str(STREAM).encode() + b'","query":7}',
        b"\xff" * 9_000,
        b'golive_player: {"stream":"' + str(STREAM).encode() + b'","query":"sid%3Dx%2Cbs"}',
    ]
    try:
        for line in lines:
            sender.sendto(line, str(tmp_path / "players.sock"))
        async with asyncio.timeout(30):
            while not desk.book.statistics.told:
                await asyncio.sleep(0.01)
    finally:
        sender.close()
        await log.close()
        await log.close()
    assert log.malformed >= 4
    assert [one.rebuffers for one in await desk.written()] == [1]


async def test_a_successor_takes_the_socket_over(tmp_path):
    first, second = (PlayerLog(tmp_path / "players.sock", Desk().book) for _ in range(2))
    await first.open()
    await second.open()
    await second.close()
    await first.close()
    with pytest.raises(ConfigurationError, match="player_log"):
        await PlayerLog(tmp_path / ("x" * 120), Desk().book).open()
