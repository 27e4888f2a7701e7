"""`stream_prepare`: every need is asked for, none for longer than it may take."""

import asyncio
from uuid import uuid4

from controller.domain.room import Need
from controller.hub.preparation import CheckedPreparation, RecentAnswer
from tests.unit.controller.hub.doubles import HeldTime

STREAM = uuid4()


async def passes(_stream_id) -> bool:
    return True


async def fails(_stream_id) -> bool:
    return False


async def raises(_stream_id) -> bool:
    raise OSError("no route")


async def hangs(_stream_id) -> bool:
    await asyncio.Event().wait()
    return True


async def test_what_fails_raises_or_hangs_is_named_in_order_and_the_rest_is_not():
    checks = {
        Need.RTMP: passes,
        Need.DATABASE: raises,
        Need.SLOT: fails,
        Need.STORE: hangs,
        Need.SPACE: passes,
    }
    asked = CheckedPreparation(checks, lambda _: None, timeout_s=0.05)
    readiness = await asked.readiness(STREAM)
    assert readiness.problems == (Need.DATABASE, Need.SLOT, Need.STORE)
    assert readiness.latency_s is None


async def test_ready_with_the_latency_of_the_stream_that_was_asked_about():
    asked = CheckedPreparation(dict.fromkeys(Need, passes), {STREAM: 0.9}.get)
    readiness = await asked.readiness(STREAM)
    assert (readiness.problems, readiness.latency_s) == ((), 0.9)


class Store:
    """Counts how often it is asked; away, or without an answer, as the test wants it."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_away = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def check(self) -> None:
        self.asked += 1
        await self.answers.wait()
        if self.is_away:
            raise ConnectionError


async def test_a_store_is_asked_once_for_all_and_anew_after_a_while():
    store, time = Store(), HeldTime()
    recent = RecentAnswer(store.check, time.monotonic_s, every_s=5.0)
    store.answers.clear()
    asking = [asyncio.create_task(recent(STREAM)) for _ in range(20)]
    await asyncio.sleep(0)
    store.answers.set()
    assert await asyncio.gather(*asking) == [True] * 20
    store.is_away = True
    time.pass_by(4.9)
    assert await recent(STREAM)
    assert store.asked == 1
    time.pass_by(0.2)
    assert not await recent(STREAM)
    store.is_away = False
    assert not await recent(STREAM)
    time.pass_by(5.0)
    assert await recent(STREAM)
    assert store.asked == 3


async def test_a_store_that_hangs_is_given_up_and_not_asked_by_everybody():
    store, time = Store(), HeldTime()
    store.answers.clear()
    recent = RecentAnswer(store.check, time.monotonic_s)
    asked = CheckedPreparation({Need.STORE: recent}, lambda _: None, timeout_s=0.05)
    for _ in range(3):
        assert (await asked.readiness(STREAM)).problems == (Need.STORE,)
    assert store.asked == 1
