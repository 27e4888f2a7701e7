"""Fan-out: encoded once, written together, in order, without waiting for anybody."""

from dataclasses import replace

import pytest

from controller.domain.room import KeptRoom, Position, RoomEvent
from controller.hub.closing import CloseCode
from controller.hub.codecs import SocketIoCodec
from controller.hub.connection import Connection
from controller.hub.limits import HubLimits
from controller.hub.room import Room
from controller.hub.room_state import RoomState
from tests.unit.controller.hub.doubles import HeldTime, RecordingWire, a_stream

LIMITS = HubLimits(log_events=5, rest_per_member_s=0.01, most_rest_s=0.1, backlog_bytes=2_000)


class CountingCodec(SocketIoCodec):
    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, message) -> bytes:
        self.encoded += 1
        return super().encode(message)


@pytest.fixture
def time() -> HeldTime:
    return HeldTime()


@pytest.fixture
def room(time: HeldTime) -> Room:
    return Room(RoomState(a_stream(), KeptRoom()), LIMITS, time, lambda *_: None)


def an_event(offset: int, epoch: str = "e", name: str = "test:event") -> RoomEvent:
    return RoomEvent(name, b'{"n":%d}' % offset, Position(epoch, offset))


def a_member(room: Room, since: Position | None = None, codec=None):
    wire = RecordingWire(codec) if codec else RecordingWire()
    connection = Connection(wire, LIMITS.backlog_bytes, None, "anon-1")
    room.admit(connection, since)
    return connection, wire


def numbers(wire: RecordingWire) -> list[int]:
    return [data["n"] for data in wire.named("test:event")]


def test_an_event_is_encoded_once_for_all_members_of_a_transport(room, time):
    codec = CountingCodec()
    wires = [a_member(room, codec=codec)[1] for _ in range(10)]
    codec.encoded = 0
    room.receive(an_event(1))
    time.pass_by(0)
    assert codec.encoded == 1
    assert all(numbers(wire) == [1] for wire in wires)


def test_events_within_a_rest_go_out_in_one_write(room, time):
    _, wire = a_member(room)
    wire.writes.clear()
    room.receive(an_event(1))
    time.pass_by(0)
    for offset in (2, 3, 4):
        room.receive(an_event(offset))
    time.pass_by(0.005)
    assert len(wire.writes) == 1
    time.pass_by(0.006)
    assert len(wire.writes) == 2
    assert numbers(wire) == [1, 2, 3, 4]


def test_the_rest_grows_with_the_room_up_to_its_limit(room, time):
    wires = [a_member(room)[1] for _ in range(50)]
    room.receive(an_event(1))
    time.pass_by(0)
    room.receive(an_event(2))
    time.pass_by(0.099)
    assert numbers(wires[0]) == [1]
    time.pass_by(0.002)
    assert numbers(wires[0]) == [1, 2]


def test_a_client_that_does_not_read_is_closed_and_nobody_else_notices(room, time):
    slow, slow_wire = a_member(room)
    slow_wire.stuck = True
    _, quick_wire = a_member(room)
    for offset in range(1, 200):
        room.receive(an_event(offset))
        time.pass_by(1)
    assert slow_wire.closed is CloseCode.TOO_SLOW
    assert slow_wire.backlog_bytes() <= LIMITS.backlog_bytes
    assert slow.dropped == 199 - len(numbers(slow_wire))
    assert numbers(quick_wire) == [*range(1, 200)]


class ReadingWire(RecordingWire):
    """Its peer reads at a steady rate."""

    def __init__(self, time: HeldTime, bytes_per_s: float) -> None:
        super().__init__()
        self._time = time
        self._bytes_per_s = bytes_per_s
        self._looked_at_s = 0.0
        self.stuck = True

    def backlog_bytes(self) -> int:
        now_s = self._time.monotonic_s()
        taken = int((now_s - self._looked_at_s) * self._bytes_per_s)
        self._unread, self._looked_at_s = max(0, self._unread - taken), now_s
        return self._unread


BURST = 40
QUICK_BYTES_PER_S = 2 * LIMITS.write_bytes / LIMITS.full_write_rest_s


def a_bursting_room(time: HeldTime, pending_bytes: int = 100_000) -> Room:
    limits = replace(LIMITS, log_events=BURST, pending_bytes=pending_bytes)
    return Room(RoomState(a_stream(), KeptRoom()), limits, time, lambda *_: None)


def a_reader(room: Room, time: HeldTime, since: Position | None = None) -> ReadingWire:
    wire = ReadingWire(time, QUICK_BYTES_PER_S)
    room.admit(Connection(wire, LIMITS.backlog_bytes, None, "anon-1"), since)
    return wire


def burst(room: Room, first: int) -> None:
    for offset in range(first, first + BURST):
        data = b'{"n":%d,"filler":"%s"}' % (offset, b"x" * 150)
        room.receive(RoomEvent("test:event", data, Position("e", offset)))


def test_a_burst_above_the_backlog_goes_out_in_pieces_and_closes_no_reader(time):
    room = a_bursting_room(time)
    wire = a_reader(room, time)
    time.pass_by(1)
    wire.writes.clear()
    burst(room, 1)
    time.pass_by(1)
    assert sum(map(len, wire.writes)) > 3 * LIMITS.backlog_bytes
    assert max(map(len, wire.writes)) <= LIMITS.write_bytes
    assert wire.closed is None
    assert numbers(wire) == [*range(1, BURST + 1)]


def test_whoever_joins_during_a_burst_hears_nothing_twice_and_misses_nothing(time):
    room = a_bursting_room(time)
    first = a_reader(room, time)
    time.pass_by(1)
    burst(room, 1)
    time.pass_by(LIMITS.full_write_rest_s)
    assert 0 < len(numbers(first)) < BURST
    fresh = a_reader(room, time)
    back = a_reader(room, time, Position("e", BURST - 10))
    gone, _ = a_member(room)
    room.dismiss(gone)
    room.receive(an_event(BURST + 1))
    room.receive(an_event(BURST + 2))
    time.pass_by(5)
    assert numbers(first) == [*range(1, BURST + 3)]
    assert fresh.named("stream:joined")[0]["offset"] == BURST
    assert numbers(fresh) == [BURST + 1, BURST + 2]
    assert numbers(back) == [*range(BURST - 9, BURST + 3)]
    assert {wire.closed for wire in (first, fresh, back)} == {None}


def test_no_more_than_its_bound_ever_waits_in_a_room(time):
    room = a_bursting_room(time, pending_bytes=1_000)
    _, wire = a_member(room)
    burst(room, 1)
    waiting = BURST - len(numbers(wire))
    assert 0 <= waiting * 260 <= 1_000 + 260


def test_what_was_missed_may_be_more_than_the_backlog(time):
    room = a_bursting_room(time)
    burst(room, 1)
    wire = a_reader(room, time, Position("e", 0))
    assert len(wire.writes[0]) > LIMITS.backlog_bytes
    assert (wire.closed, numbers(wire)) == (None, [*range(1, BURST + 1)])


def test_a_client_that_stalls_in_a_quiet_room_is_closed_too(time):
    wire = RecordingWire()
    connection = Connection(wire, LIMITS.backlog_bytes, None, "anon-1")
    wire.stuck = True
    connection.write(b"x")
    connection.look(0.0, 10.0)
    connection.look(9.0, 10.0)
    assert wire.closed is None
    connection.look(10.5, 10.0)
    assert wire.closed is CloseCode.TOO_SLOW


def test_a_newcomer_gets_nothing_twice_and_misses_nothing(room, time):
    a_member(room)
    room.receive(an_event(1))  # pending when the newcomer joins
    _, wire = a_member(room)
    room.receive(an_event(2))
    time.pass_by(1)
    [(name, snapshot), *_] = wire.events()
    assert (name, snapshot["offset"], snapshot["epoch"]) == ("stream:joined", 1, "e")
    assert numbers(wire) == [2]


@pytest.mark.parametrize(
    ("since", "recovered", "expected"),
    [
        (Position("e", 5), True, [6, 7, 8]),
        (Position("e", 8), True, []),
        (Position("e", 3), True, [4, 5, 6, 7, 8]),
        (Position("e", 2), False, []),  # the log does not reach back so far
        (Position("e", 9), False, []),  # from a future that was lost
        (Position("old", 5), False, []),
        (None, False, []),
    ],
)
def test_whoever_comes_back_gets_what_it_missed_or_a_snapshot(room, since, recovered, expected):
    for offset in range(1, 9):
        room.receive(an_event(offset))
    _, wire = a_member(room, since)
    assert wire.named("stream:joined")[0]["recovered"] is recovered
    assert numbers(wire) == expected


def test_what_passes_is_not_repeated_to_whoever_comes_back(room):
    room.receive(an_event(1))
    room.receive(RoomEvent("viewer:count", b'{"streamId":"s","viewerCount":7}', Position("e", 2)))
    _, wire = a_member(room, Position("e", 0))
    assert [name for name, _ in wire.events()] == ["stream:joined", "test:event"]
    assert wire.named("stream:joined")[0]["viewerCount"] == 7


def test_a_new_epoch_starts_a_new_tail(room):
    for offset in (1, 2, 3):
        room.receive(an_event(offset))
    room.receive(an_event(1, "f"))
    _, wire = a_member(room, Position("f", 0))
    assert numbers(wire) == [1]
    _, wire = a_member(room, Position("e", 2))
    assert wire.named("stream:joined")[0]["recovered"] is False


def test_a_gap_in_the_log_is_followed_by_a_snapshot(room, time):
    room.receive(an_event(1))
    _, wire = a_member(room)
    for offset in (40, 41):
        room.receive(an_event(offset))
    time.pass_by(1)
    assert [data["offset"] for data in wire.named("stream:joined")] == [1, 41]
    assert wire.named("stream:joined")[1]["recovered"] is False
    _, late = a_member(room, Position("e", 20))
    assert late.named("stream:joined")[0]["recovered"] is False
    _, late = a_member(room, Position("e", 40))
    assert numbers(late) == [41]
