"""Signs of life come while there is progress, and stop when there is none."""

import asyncio

import pytest

from controller.supervision.notify import ManagerAddress
from controller.supervision.watchdog import Progress, Watchdog


class HearingManager:
    watchdog_s = 0.02

    def __init__(self):
        self.signs = 0
        self.said = []

    def alive(self):
        self.signs += 1

    def status(self, text):
        self.said.append(text)


@pytest.fixture
def manager():
    return HearingManager()


async def test_signs_come_several_times_within_the_limit(manager):
    running = asyncio.create_task(Watchdog(manager, list, lambda: "fine").run())
    async with asyncio.timeout(20):
        while manager.signs < 5:
            await asyncio.sleep(0)
    running.cancel()
    assert manager.said == ["fine"], "a status that stays is said once"


def test_without_progress_there_is_no_sign_and_the_status_says_why(manager):
    stuck = []
    watchdog = Watchdog(manager, lambda: stuck, lambda: "fine")
    watchdog.look()
    stuck[:] = ["stream 1", "stream 2"]
    watchdog.look()
    watchdog.look()
    assert manager.signs == 1
    stuck.clear()
    watchdog.look()
    assert manager.signs == 2
    assert manager.said == ["fine", "no progress: stream 1, stream 2", "fine"]


def test_a_part_is_stuck_when_it_was_not_heard_of_for_too_long():
    now = [0.0]
    part = Progress("job sweep", 60, lambda: now[0])
    now[0] = 60
    assert part.stuck() == []
    now[0] = 61
    assert part.stuck() == ["job sweep"]
    part.made()
    assert part.stuck() == []


def test_nobody_watches_without_a_service_manager():
    assert ManagerAddress().watchdog_s == 0
