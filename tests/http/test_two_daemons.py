"""Two daemons on one PostgreSQL, 50 clients who all want something else from the same streams.

Whatever they do, the database has seen legal transitions only, one valid key per stream, and
every success that was answered. `GOLIVE_TEST_RACE_S=30` for a longer race.
"""

import asyncio
import itertools
import os
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from uuid import UUID

import aiohttp
from sqlalchemy import func, select

from controller.auth.stream_keys import StreamKeys, StreamKeyVault
from controller.domain.publications import KeyState
from controller.domain.states import STATUS_TRANSITIONS, StreamStatus
from controller.stores.opening import Stores, open_stores
from controller.stores.schema import stream_keys, stream_products
from tests.http.api_daemon import api_daemon
from tests.http.running_api import KEY_SECRET, FakeClock
from tests.support.databases import DatabaseFactory, postgres_server
from tests.support.tokens import person

RACE_S = float(os.environ.get("GOLIVE_TEST_RACE_S", "6"))
ROUND_S = 3.0
CLIENTS, STREAMS = 50, 20
HOST = person("seller", "racer")
READY = {"camera_ready": True, "checklist_complete": True}
WEIGHTS = {"go-live": 2, "end": 1, "rotate-key": 4, "attach": 4, "detach": 4}


@dataclass
class Round:
    """What one round has been answered."""

    product_id: str
    streams: list[str]
    answers: Counter = field(default_factory=Counter)
    keys: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def successes(self, stream_id: str, action: str) -> int:
        return self.answers[stream_id, action, 200]


async def test_a_race_between_two_daemons_leaves_a_legal_history(request, tmp_path):
    factory = DatabaseFactory("postgresql", tmp_path, postgres_server(request.config))
    url = await factory.fresh()
    stores = open_stores(url, FakeClock())
    total: Counter = Counter()
    try:
        with api_daemon(url) as one, api_daemon(url) as other:
            async with aiohttp.ClientSession(headers=HOST.headers) as session:
                deadline = time.monotonic() + RACE_S
                while time.monotonic() < deadline:
                    played = await play(session, [one, other])
                    await judge(stores, played)
                    total += played.answers
    finally:
        await stores.database.close()
        await factory.dispose(url)
    outcomes = Counter()
    for (_stream_id, action, status), count in total.items():
        outcomes[action, status] += count
    assert {status for _action, status in outcomes} == {200, 400, 404}, outcomes
    # Both sides of every race have really happened.
    for action in ("go-live", "end", "rotate-key", "attach", "detach"):
        assert outcomes[action, 200] > 0, outcomes
        assert outcomes[action, 400] > 0, outcomes


async def play(session: aiohttp.ClientSession, daemons: list[str]) -> Round:
    """One round: new streams, and all clients at once on any of them, through any daemon."""
    product_id = "9a0a1c2e-3d4f-4a6b-8c7d-0e1f2a3b4c5d"
    base = daemons[0]
    product = {"title": "Mug", "price": 1, "currency": "EUR"}
    await send(session, "PUT", f"{base}/api/v1/products/{product_id}", product)
    new = {"title": "Mugs", "category": "kitchen", "product_ids": [product_id]}
    made = [await send(session, "POST", f"{base}/api/v1/streams", new) for _ in range(STREAMS)]
    played = Round(product_id, [data["streamId"] for _status, data in made])
    until = time.monotonic() + ROUND_S
    await asyncio.gather(
        *(client(session, daemons, played, until, random.Random(seed)) for seed in range(CLIENTS))
    )
    return played


async def client(session, daemons, played: Round, until: float, chance: random.Random) -> None:
    while time.monotonic() < until:
        stream_id = chance.choice(played.streams)
        action = chance.choices([*WEIGHTS], [*WEIGHTS.values()])[0]
        at = f"{chance.choice(daemons)}/api/v1/streams/{stream_id}"
        if action == "attach":
            call = ("POST", f"{at}/products", [played.product_id])
        elif action == "detach":
            call = ("DELETE", f"{at}/products/{played.product_id}", None)
        else:
            call = ("POST", f"{at}/{action}", READY if action == "go-live" else None)
        status, data = await send(session, *call)
        played.answers[stream_id, action, status] += 1
        if action == "rotate-key" and status == 200:
            played.keys[stream_id].append(data["streamKey"])


async def send(session, method, url, body=None) -> tuple[int, dict]:
    async with session.request(method, url, json=body) as response:
        answer = await response.json(content_type=None)
        return response.status, answer.get("data", answer)


async def judge(stores: Stores, played: Round) -> None:
    keys = StreamKeys(StreamKeyVault(KEY_SECRET), stores.keys)
    for word in played.streams:
        stream_id = UUID(word)
        stream = await stores.streams.get(stream_id)
        history = await stores.streams.history(stream_id)
        # A chain from the creation to the present, each step of it legal.
        assert (history[0].from_status, history[0].to_status) == (None, StreamStatus.SCHEDULED)
        for before, after in itertools.pairwise(history):
            assert after.from_status is before.to_status
            assert after.to_status in STATUS_TRANSITIONS[before.to_status]
        assert history[-1].to_status is stream.status
        # Every success was committed, and nothing else.
        reached = [change.to_status for change in history]
        assert played.successes(word, "go-live") == reached.count(StreamStatus.LIVE)
        assert played.successes(word, "end") == reached.count(StreamStatus.ENDED)
        async with stores.database.read() as connection:
            mine = stream_keys.c.stream_id == stream_id
            all_keys = select(func.count()).where(mine)
            active = select(func.count()).where(mine, stream_keys.c.revoked_at.is_(None))
            sold = select(func.count()).where(stream_products.c.stream_id == stream_id)
            assert (await connection.execute(active)).scalar() == 1
            rotations = played.successes(word, "rotate-key")
            assert (await connection.execute(all_keys)).scalar() == 1 + rotations
            if stream.status is not StreamStatus.SCHEDULED:
                assert (await connection.execute(sold)).scalar() == 1, "live without a product"
        # Of all keys that were ever answered, the active one alone opens.
        issued = played.keys[word]
        valid = (await keys.reveal([stream_id]))[stream_id]
        states = {key: (await keys.find_key(key)).key_state for key in issued}
        assert [key for key, state in states.items() if state is KeyState.ACTIVE] == (
            [valid] if issued else []
        )
