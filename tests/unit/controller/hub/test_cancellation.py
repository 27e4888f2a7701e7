"""A cancellation that a library has eaten is not lost."""

import asyncio

import pytest

from controller.hub.cancellation import heeding_cancellation


async def eaten(*, fails: bool = False) -> None:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        if fails:
            raise ConnectionError from None


@pytest.mark.parametrize("fails", [False, True])
async def test_a_task_that_was_cancelled_within_ends(fails):
    went_on = []

    async def work() -> None:
        with heeding_cancellation():
            await eaten(fails=fails)
        went_on.append(True)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not went_on


async def test_errors_and_results_pass_when_nobody_cancelled():
    with heeding_cancellation():
        await asyncio.sleep(0)
    with pytest.raises(ConnectionError), heeding_cancellation():
        raise ConnectionError


async def test_a_timeout_within_is_nobodys_cancellation():
    with heeding_cancellation(), pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.sleep(60)


async def test_a_task_that_was_cancelled_before_may_still_clean_up():
    cleaned = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            with heeding_cancellation():
                await asyncio.sleep(0)
            cleaned.append(True)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert cleaned
