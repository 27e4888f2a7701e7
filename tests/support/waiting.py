"""Waiting for something to be so."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

_LOOKS_EVERY_S = 0.02


async def until(
    condition: Callable[[], object | Awaitable[object]],
    what: str = "what was waited for",
    within_s: float = 60.0,
) -> None:
    """Return as soon as `condition`, which may be a coroutine function, is true; AssertionError
    that tells `what` when it does not come true in time."""
    try:
        async with asyncio.timeout(within_s):
            while True:
                found = condition()
                if await found if inspect.isawaitable(found) else found:
                    return
                await asyncio.sleep(_LOOKS_EVERY_S)
    except TimeoutError:
        raise AssertionError(f"not within {within_s:g} s: {what}") from None
