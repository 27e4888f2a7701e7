"""Workers' parts over the world's database."""

import asyncio
import random
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest

from controller.auth.webhook_secrets import WebhookSecrets
from controller.domain.webhooks import BackOff
from controller.notify.guarded_http import AddressGuard, open_session
from controller.notify.webhook_pump import WebhookPump, WebhookPumpSettings

SECRETS = WebhookSecrets(b"only the tests of webhooks know this secret, 32 bytes")
LOOPBACK = [ip_network("127.0.0.0/8")]
# Long enough for a test's machine to be slow, short enough for a test.
SOON = BackOff(first_s=0.05, factor=1.5, longest_s=0.4, attempts=10_000)


@pytest.fixture
def pumping(world):
    """Run a worker's pump of webhooks over the world's database."""

    @asynccontextmanager
    async def run(name="one", *, stores=None, allowed=LOOPBACK, timeout_s=30.0, **changed):
        settings = WebhookPumpSettings(
            **{"timeout_s": timeout_s, "poll_s": 0.05, "grace_s": 0.1, "back_off": SOON, **changed}
        )
        queue = (stores or world.stores).webhook_queue
        async with open_session(AddressGuard(allowed)) as session:
            pump = WebhookPump(
                queue, SECRETS.open, session, name, random.Random(1), settings, "golive/test"
            )
            running = asyncio.create_task(pump.run())
            try:
                yield pump
            finally:
                running.cancel()
                await asyncio.wait({running})
                if not running.cancelled():
                    running.result()

    return run


async def until(condition, what, limit_s=60.0, pause_s=0.02):
    """Wait for it; `condition` may be asynchronous."""
    try:
        async with asyncio.timeout(limit_s):
            while True:
                found = condition()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return
                await asyncio.sleep(pause_s)
    except TimeoutError:
        raise AssertionError(f"not in time: {what}") from None
