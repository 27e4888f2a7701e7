"""What `golive check` asks of Redis: does it answer, take writes, forget, and whose clock."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from controller.hub.errors import RealtimeUnavailable
from controller.hub.redis_scripts import PREFIX

_ANSWER_S = 3.0
_PROBE_LIFE_S = 5


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """eviction: its `maxmemory-policy` where a limit is set and it is not `noeviction`; else empty.
    write_error: why it takes no writes; empty when it does."""

    time_s: float
    eviction: str
    write_error: str


async def inspect_redis(url: str) -> RedisFacts:
    """Ask the server at `url`; a key that lives for seconds is written.

    Raises RealtimeUnavailable, and ValueError for a URL that cannot be read.
    """
    redis = Redis.from_url(
        url,
        socket_timeout=_ANSWER_S,
        socket_connect_timeout=_ANSWER_S,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        async with asyncio.timeout(2 * _ANSWER_S):
            seconds, microseconds = await redis.time()
            memory = await redis.info("memory")
            return RedisFacts(
                time_s=int(seconds) + int(microseconds) / 1e6,
                eviction=_eviction(memory),
                write_error=await _write_error(redis),
            )
    except (RedisError, OSError, TimeoutError) as error:
        raise RealtimeUnavailable from error
    finally:
        with suppress(RedisError, OSError):
            await redis.aclose()


def _eviction(memory: dict[str, object]) -> str:
    policy = str(memory.get("maxmemory_policy", ""))
    is_limited = int(str(memory.get("maxmemory", 0))) > 0
    return policy if is_limited and policy != "noeviction" else ""


async def _write_error(redis: Redis) -> str:
    """Redis' own word for why not: `READONLY`, `MISCONF`, `OOM`, `NOPERM`."""
    try:
        await redis.set(f"{PREFIX}check:{uuid4().hex}", "1", ex=_PROBE_LIFE_S)
    except ReadOnlyError:
        return "READONLY"
    except ResponseError as error:
        return str(error).partition(" ")[0]
    return ""
