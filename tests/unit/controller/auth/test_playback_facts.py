"""Facts about streams' media: asked for once for all, and kept while the database is away."""

import asyncio
from uuid import uuid4

import pytest

from controller.auth.playback_facts import RememberedFacts
from controller.domain.access import PlaybackFacts
from controller.domain.states import StreamStatus
from controller.domain.streams import Audience
from controller.errors import StoreUnavailable

STREAM = uuid4()


class Lookups:
    """A database whose answers are given by hand, and a clock that is set."""

    def __init__(self):
        self.now_s = 0.0
        self.asked = 0
        self.answer = asyncio.get_running_loop().create_future()
        self.remembered = RememberedFacts(self._look_up, lambda: self.now_s)

    async def _look_up(self, stream_id):
        assert stream_id == STREAM
        self.asked += 1
        return await asyncio.shield(self.answer)

    def tell(self, outcome):
        answer, self.answer = self.answer, asyncio.get_running_loop().create_future()
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)

    async def asking(self, count=1):
        asking = [asyncio.create_task(self.remembered.get(STREAM)) for _ in range(count)]
        while not self.asked:
            await asyncio.sleep(0)
        return asking


@pytest.fixture
async def lookups():
    made = Lookups()
    yield made
    await made.remembered.close()


def facts(status=StreamStatus.LIVE):
    return PlaybackFacts(STREAM, Audience.EVERYONE, status)


async def known(lookups, found):
    """The facts are there, and have just become too old."""
    (asking,) = await lookups.asking()
    lookups.tell(found)
    assert await asking == found
    assert await lookups.remembered.get(STREAM) == found
    assert lookups.asked == 1
    lookups.asked = 0
    lookups.now_s += 10.1


async def test_all_who_ask_at_a_time_are_one_question(lookups):
    everyone = await lookups.asking(5_000)
    lookups.tell(facts())
    assert await asyncio.gather(*everyone) == [facts()] * 5_000
    assert lookups.asked == 1


async def test_they_are_asked_for_again_after_a_while(lookups):
    await known(lookups, facts())
    asking = await lookups.asking(3)
    lookups.tell(facts(StreamStatus.ENDED))
    assert await asyncio.gather(*asking) == [facts(StreamStatus.ENDED)] * 3
    assert lookups.asked == 1


async def test_who_leaves_takes_the_answer_from_nobody(lookups):
    first, second = await lookups.asking(2)
    first.cancel()
    await asyncio.wait({first})
    lookups.tell(facts())
    assert await second == facts()
    assert await lookups.remembered.get(STREAM) == facts()


async def test_what_is_known_counts_while_the_database_fails(lookups):
    await known(lookups, facts())
    (asking,) = await lookups.asking()
    lookups.tell(StoreUnavailable())
    assert await asking == facts()
    assert await lookups.remembered.get(STREAM) == facts()
    assert lookups.asked == 1, "asked again at once"
    lookups.now_s += 1.1
    lookups.asked = 0
    (asking,) = await lookups.asking()
    lookups.tell(None)
    assert await asking is None


async def test_what_is_known_counts_while_the_database_hangs(lookups):
    await known(lookups, facts())
    (asking,) = await lookups.asking()
    assert await asking == facts()
    lookups.now_s += 0.6
    with pytest.raises(StopIteration) as at_once:  # nobody waits any more
        lookups.remembered.get(STREAM).send(None)
    assert at_once.value.value == facts()
    assert lookups.asked == 1


@pytest.mark.parametrize("before", ["nothing", "no such stream"])
async def test_where_nothing_is_known_the_failure_is_told(lookups, before):
    if before == "no such stream":
        await known(lookups, None)
    (asking,) = await lookups.asking()
    lookups.tell(StoreUnavailable())
    with pytest.raises(StoreUnavailable):
        await asking
    lookups.asked = 0
    (asking,) = await lookups.asking()
    lookups.tell(facts())
    assert await asking == facts()


async def test_another_error_is_no_outage(lookups):
    await known(lookups, facts())
    (asking,) = await lookups.asking()
    lookups.tell(ValueError("a fault of ours"))
    with pytest.raises(ValueError, match="a fault of ours"):
        await asking


async def test_closing_ends_a_question_that_hangs(lookups):
    (asking,) = await lookups.asking()
    await lookups.remembered.close()
    await asyncio.wait({asking})
    assert asking.cancelled()
