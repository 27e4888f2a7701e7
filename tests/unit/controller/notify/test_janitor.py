"""What is old is forgotten: some rows at a time, each kind after days of its own."""

import asyncio

from controller.errors import StoreUnavailable
from controller.notify.janitor import Janitor


class Rows:
    """So many that are old; `fails` once."""

    def __init__(self, old: int, *, fails: bool = False) -> None:
        self.old = old
        self.fails = fails
        self.asked: list[int] = []
        self.is_empty = asyncio.Event()

    async def prune(self, keep_days: int, limit: int) -> int:
        if self.fails:
            self.fails = False
            raise StoreUnavailable
        self.asked.append(keep_days)
        gone = min(self.old, limit)
        self.old -= gone
        if not self.old:
            self.is_empty.set()
        return gone


async def test_all_that_is_old_goes_some_at_a_time():
    many, few = Rows(1_234), Rows(3)
    await Janitor((many.prune, 30), (few.prune, 7)).prune()
    assert (many.old, few.old) == (0, 0)
    assert (many.asked, few.asked) == ([30] * 3, [7])


async def test_a_store_that_is_away_is_asked_again_later(monkeypatch):
    monkeypatch.setattr("controller.notify.janitor._EVERY_S", 0)
    rows = Rows(3, fails=True)
    work = asyncio.create_task(Janitor((rows.prune, 30)).run())
    async with asyncio.timeout(10):
        await rows.is_empty.wait()
    work.cancel()
