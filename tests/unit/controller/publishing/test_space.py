"""Which step is taken at how much free space, and that each is taken back."""

import asyncio
import os
from types import SimpleNamespace

import pytest

from controller.publishing import space
from controller.publishing.space import SpaceGuard, SpaceMarks, SpaceStep
from ingest import Thrift

PERCENTS = (40.0, 30.0, 20.0, 10.0)
GIB = 1 << 30


class Disk:
    """What statvfs says; a real full disk is in tests/faults."""

    def __init__(self, monkeypatch):
        self.free = 1000
        self.real = os.statvfs
        monkeypatch.setattr(space.os, "statvfs", self)

    def __call__(self, _path):
        return SimpleNamespace(f_blocks=1000, f_frsize=1, f_bavail=self.free)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


@pytest.fixture
def thrifts():
    return []


@pytest.fixture
def guard(tmp_path, thrifts):
    return SpaceGuard({"data": tmp_path}, PERCENTS, economize=thrifts.append)


def test_large_volumes_have_marks_in_gigabytes():
    assert SpaceMarks.of((15, 10, 6, 3), 4000 * GIB).free_bytes == (
        20 * GIB,
        10 * GIB,
        6 * GIB,
        3 * GIB,
    )


def test_a_step_is_kept_until_a_tenth_more_is_free():
    marks = SpaceMarks((400, 300, 200, 100))
    assert marks.step(399, SpaceStep.NONE) is SpaceStep.PRUNE
    assert marks.step(401, SpaceStep.NONE) is SpaceStep.NONE
    assert marks.step(439, SpaceStep.PRUNE) is SpaceStep.PRUNE
    assert marks.step(441, SpaceStep.PRUNE) is SpaceStep.NONE
    assert marks.step(325, SpaceStep.NO_PUBLISHERS) is SpaceStep.NO_RECORDINGS


async def test_each_step_is_taken_in_order_and_taken_back(guard, disk, thrifts):
    seen = []
    for free in (1000, 350, 250, 150, 50, 150, 250, 350, 1000):
        disk.free = free
        await guard.look()
        seen.append((guard.may_record, guard.may_publish))
    assert seen == [
        (True, True),
        (True, True),
        (False, True),
        (False, False),
        (False, False),
        (False, False),
        (False, True),
        (True, True),
        (True, True),
    ]
    assert thrifts == [
        Thrift.SHORT_WINDOWS,
        Thrift.LIVE_ONLY,
        Thrift.SHORT_WINDOWS,
        Thrift.NONE,
    ]


async def test_a_disk_that_fills_at_once_goes_through_every_step(guard, disk):
    disk.free = 10
    await guard.look()
    assert dict(guard.steps_taken) == {
        ("data", word): 1 for word in ("prune", "no_recordings", "no_publishers", "live_only")
    }


async def test_pruning_goes_on_while_space_is_short(guard, disk):
    pruned = []

    async def prune():
        pruned.append(disk.free)

    guard.on_short(prune)
    for free in (1000, 350, 360, 1000):
        disk.free = free
        await guard.look()
        await asyncio.sleep(0)
    assert pruned == [350, 360]


async def test_a_prune_that_takes_long_holds_no_step_up(guard, disk):
    waits = asyncio.Event()
    guard.on_short(waits.wait)
    for free in (350, 250, 150):
        disk.free = free
        await guard.look()
    assert not guard.may_publish
    waits.set()


async def test_a_spool_of_its_own_keeps_encoders_out_and_touches_no_recording(
    tmp_path, disk, thrifts
):
    guard = SpaceGuard({"spool": tmp_path}, PERCENTS, economize=thrifts.append)
    disk.free = 10
    await guard.look()
    assert (guard.may_record, guard.may_publish, thrifts) == (True, False, [])
