"""What was counted and not written when a daemon died: told by its successor, once."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from controller.domain.room import ChatMessage, Leaving, Visit
from controller.errors import StoreUnavailable
from controller.hub import room_journal
from controller.hub.recovery import BookRecovery
from controller.hub.room_journal import Reaction, RoomJournal
from tests.unit.controller.hub.doubles import RoomMemory

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)


def a_message(room) -> ChatMessage:
    return ChatMessage(uuid4(), room, uuid4(), "ann", None, "hello\n❤️", NOW, 2.5)


@pytest.fixture
def opened(tmp_path):
    """Journals of one folder; those that the test has not closed are."""
    made = []

    def make() -> RoomJournal:
        made.append(RoomJournal(tmp_path / "rooms"))
        made[-1].open()
        return made[-1]

    yield make
    for journal in made:
        journal.close(is_written=True)


def told(journal) -> list:
    found = []
    for dead in journal.left_behind():
        found += dead.additions()
        dead.close(is_told=True)
    return found


def test_everything_comes_back_as_it_was(opened):
    first, room = opened(), uuid4()
    user = uuid4()
    visit = Visit(str(user), user, NOW, 7, "DE")
    leaving = Leaving("anon-1", None, NOW, NOW + timedelta(seconds=3), 8, is_cut=True)
    message = a_message(room)
    for record in (visit, leaving, message, Reaction("🔥"), Reaction("🔥"), Reaction("❤️")):
        first.append(room, record)
    first.close(is_written=False)
    [(where, figures)] = told(opened())
    assert where == room
    assert figures.visits == (visit,)
    assert figures.leavings == (leaving,)
    assert figures.messages == (message,)
    assert figures.reactions == {"🔥": 2, "❤️": 1}
    assert (figures.viewers_now, figures.holder) == (None, first.holder)


def test_additions_come_back_with_their_numbers_and_the_rest_behind_them(opened):
    first, room, other = opened(), uuid4(), uuid4()
    first.append(room, Reaction("🔥"))
    first.append(other, Reaction("👏"))
    first.taken(room, 3)
    first.append(room, Reaction("❤️"))
    first.close(is_written=False)
    found = [(where, f.number, dict(f.reactions)) for where, f in told(opened())]
    assert found[0] == (room, 3, {"🔥": 1})
    assert {(where, *reactions) for where, _, reactions in found[1:]} == {
        (room, "❤️"),
        (other, "👏"),
    }
    # Whatever the run had numbered, nothing of what it left comes after this.
    assert {number for _, number, _ in found[1:]} == {2**31 - 1}


def test_what_the_store_has_is_forgotten_and_what_came_meanwhile_is_not(opened):
    first, room = opened(), uuid4()
    first.append(room, Reaction("🔥"))
    page = first.turn_page()
    first.append(room, Reaction("❤️"))
    first.taken(room, 1)
    first.append(room, Reaction("👏"))
    first.forget(page)
    first.close(is_written=False)
    found = [(f.number, dict(f.reactions)) for _, f in told(opened())]
    assert found == [(1, {"❤️": 1}), (2**31 - 1, {"👏": 1})]


def test_a_store_that_is_away_costs_few_files(opened, tmp_path):
    first, room = opened(), uuid4()
    for _ in range(50):
        first.append(room, Reaction("🔥"))
        page = first.turn_page()
    assert len([*(tmp_path / "rooms" / first.holder).iterdir()]) == 3  # with the lock
    first.forget(page)
    first.append(room, Reaction("🔥"))
    first.forget(first.turn_page())
    assert len([*(tmp_path / "rooms" / first.holder).iterdir()]) == 1


def test_a_journal_is_its_runs_while_it_lives_and_one_successors_then(opened):
    first, room = opened(), uuid4()
    first.append(room, Reaction("🔥"))
    second, third = opened(), opened()
    assert second.left_behind() == []
    first.close(is_written=False)
    [dead] = second.left_behind()
    assert third.left_behind() == []
    dead.close(is_told=False)
    assert len(told(third)) == 1
    assert second.left_behind() == []


def test_the_last_line_may_be_half_of_one(opened, tmp_path):
    first, room = opened(), uuid4()
    first.append(room, Reaction("🔥"))
    first.append(room, Reaction("❤️"))
    first.close(is_written=False)
    [file] = (tmp_path / "rooms" / first.holder).glob("0*")
    file.write_bytes(file.read_bytes()[:-9])
    [(_, figures)] = told(opened())
    assert figures.reactions == {"🔥": 1}


def test_what_does_not_fit_is_counted(opened, monkeypatch):
    monkeypatch.setattr(room_journal, "MOST_BYTES", 200)
    first, room = opened(), uuid4()
    for _ in range(10):
        first.append(room, Reaction("🔥"))
    assert 0 < first.dropped < 10
    first.forget(first.turn_page())
    before = first.dropped
    first.append(room, Reaction("🔥"))
    assert first.dropped == before


async def test_a_store_that_is_away_is_told_at_the_next_start(opened):
    first, room, store = opened(), uuid4(), RoomMemory()
    first.append(room, Reaction("🔥"))
    first.close(is_written=False)
    store.is_down = True
    await BookRecovery(opened(), store).recover()
    store.is_down = False
    await BookRecovery(opened(), store).recover()
    await BookRecovery(opened(), store).recover()
    assert [dict(figures.reactions) for figures in store.figures] == [{"🔥": 1}]
    assert store.summed_up == [room]


async def test_a_failure_half_way_tells_the_same_again(opened):
    class Tired(RoomMemory):
        async def record(self, stream_id, figures):
            if self.figures:
                raise StoreUnavailable
            await super().record(stream_id, figures)

    first, room, store = opened(), uuid4(), Tired()
    first.append(room, Reaction("🔥"))
    first.taken(room, 1)
    first.append(room, Reaction("❤️"))
    first.close(is_written=False)
    await BookRecovery(opened(), store).recover()
    assert len(told(opened())) == 2
