"""The database, Redis and the bucket: reachable, ours, writable, and with the right clock."""

import email.utils
from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

import aiohttp

from controller.checking.clock_check import skew_finding
from controller.checking.findings import Finding, fail, ok, warn
from controller.errors import ControllerError
from controller.hub.errors import RealtimeUnavailable
from controller.hub.redis_inspection import inspect_redis
from controller.stores.inspection import DatabaseFacts, inspect_database
from ingest import ObjectKind, ObjectStoreError
from ingest.s3 import S3ObjectStore, S3Settings, s3_client

_ASK_S = 6.0
_PROBE_BYTES = b"golive check\n"
_NOT_ALLOWED = "may not do this"
"""The store's word for a key without the capability, as the object store translates it."""

_PROBE_KIND = ObjectKind("text/plain", "no-store")


class DatabaseCheck:
    """`url` as the daemon opens it; it may hold a password, and is never told."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def run(self) -> Sequence[Finding]:
        """Its state, and its clock where it has one."""
        try:
            facts = await inspect_database(self._url)
        except ControllerError:
            return [
                fail(
                    "database",
                    "it does not answer, or refuses golive's user",
                    "Start it, and see that GOLIVE_DATABASE_URL names it with the right password.",
                )
            ]
        except ValueError as error:
            return [fail("database", str(error), "Mend GOLIVE_DATABASE_URL.")]
        clock = [] if facts.time_s is None else [skew_finding("the database", facts.time_s)]
        return [_state(facts), *clock]


def _state(facts: DatabaseFacts) -> Finding:
    found, expected = facts.revision, facts.expected_revision
    if not facts.is_writable:
        return fail(
            "database",
            f"{facts.dialect} takes no writes",
            "Let GOLIVE_DATABASE_URL name the primary, with read-write transactions.",
        )
    if not found:
        return fail("database", f"{facts.dialect} has no schema yet", "Run `golive migrate`.")
    if found < expected:
        return fail(
            "database",
            f"{facts.dialect} is at revision {found}, this release needs {expected}",
            "Run `golive migrate`.",
        )
    if found > expected:
        return fail(
            "database",
            f"{facts.dialect} is at revision {found}, newer than this release's {expected}",
            "Install the release that made it, or restore the backup from before.",
        )
    return ok("database", f"{facts.dialect} at revision {found}")


class RedisCheck:
    """`url` may hold a password, and is never told."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def run(self) -> Sequence[Finding]:
        """Its state and its clock."""
        try:
            facts = await inspect_redis(self._url)
        except RealtimeUnavailable:
            return [
                fail(
                    "redis",
                    "it does not answer, or refuses golive's password",
                    "Start it, and see that GOLIVE_REDIS_URL names it with the right password.",
                )
            ]
        except ValueError:
            return [
                fail(
                    "redis",
                    "GOLIVE_REDIS_URL cannot be read",
                    "Set it to redis://host:port/db.",
                )
            ]
        found = []
        if facts.write_error:
            found.append(
                fail(
                    "redis",
                    f"it takes no writes ({facts.write_error})",
                    "Let GOLIVE_REDIS_URL name the primary, with free memory and disk.",
                )
            )
        if facts.eviction:
            found.append(
                fail(
                    "redis",
                    f"it forgets keys when its memory is full ({facts.eviction})",
                    "Set `maxmemory-policy noeviction` in redis.conf.",
                )
            )
        clock = skew_finding("Redis", facts.time_s)
        return [*(found or [ok("redis", "answers and takes writes")]), clock]


class BucketCheck:
    """One bucket, with an object that is written, read and removed again."""

    def __init__(
        self, setting: str, at: S3Settings, session_factory: Callable[[], aiohttp.ClientSession]
    ) -> None:
        self._setting = setting
        self._at = at
        self._session_factory = session_factory

    async def run(self) -> Sequence[Finding]:
        """What the key may not do, in the order in which golive would need it."""
        try:
            store = S3ObjectStore(self._at, s3_client(self._at))
        except ValueError:
            return [
                fail(
                    "bucket",
                    "the endpoint, the region or the bucket's name cannot be used",
                    f"Mend GOLIVE_S3_ENDPOINT, GOLIVE_S3_REGION or {self._setting}.",
                )
            ]
        try:
            found = await self._capabilities(store)
        finally:
            await store.close()
        clock = await self._clock()
        name = f"{self._setting} ({self._at.bucket})"
        return [*(found or [ok("bucket", f"{name} can be listed, written, read, cleared")]), *clock]

    async def _capabilities(self, store: S3ObjectStore) -> list[Finding]:
        key = f".golive-check-{uuid4().hex}"
        steps: list[tuple[str, Callable[[], Awaitable[object]]]] = [
            ("listFiles", store.check),
            ("writeFiles", lambda: store.put_bytes(key, _PROBE_BYTES, _PROBE_KIND)),
            ("readFiles", lambda: store.read(key, len(_PROBE_BYTES))),
            ("deleteFiles", lambda: store.delete(key)),
        ]
        found: list[Finding] = []
        lacking: set[str] = set()
        for capability, step in steps:
            if capability == "readFiles" and "writeFiles" in lacking:
                continue  # what is not there cannot be read, whatever the key may do
            try:
                await step()
            except ObjectStoreError as error:
                found.append(self._failed(capability, str(error)))
                if _NOT_ALLOWED not in str(error):
                    break  # the store is away, or knows no such key: no more is to be learnt
                lacking.add(capability)
        return found

    def _failed(self, capability: str, reason: str) -> Finding:
        if _NOT_ALLOWED in reason:
            return fail(
                "bucket",
                f"the key lacks {capability} in {self._at.bucket}: {reason}",
                f"Give the key the capability {capability} (B2), or make one that has it.",
            )
        return fail(
            "bucket",
            f"{self._setting} ({self._at.bucket}): {reason}",
            "See that GOLIVE_S3_ENDPOINT answers, and that the bucket's name, GOLIVE_S3_REGION "
            "and the key are right.",
        )

    async def _clock(self) -> list[Finding]:
        """The store's clock, from the Date of whatever it answers."""
        if not self._at.endpoint:
            return []
        try:
            async with (
                self._session_factory() as session,
                session.get(self._at.endpoint, allow_redirects=False) as answer,
            ):
                date = answer.headers.get("Date", "")
                return [
                    skew_finding(
                        "the object store", email.utils.parsedate_to_datetime(date).timestamp()
                    )
                ]
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return []


def bounded_session() -> aiohttp.ClientSession:
    """For one question to a server that may be away."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ASK_S))


class KeySetCheck:
    """GOLIVE_AUTH_JWKS_URL: whether the issuer publishes keys there."""

    def __init__(self, url: str, session_factory: Callable[[], aiohttp.ClientSession]) -> None:
        self._url = url
        self._session_factory = session_factory

    async def run(self) -> Sequence[Finding]:
        """One finding."""
        try:
            async with self._session_factory() as session, session.get(self._url) as answer:
                document = await answer.json(content_type=None)
            if isinstance(document, dict) and document.get("keys"):
                return [ok("auth", "the token issuer publishes keys")]
        except (aiohttp.ClientError, TimeoutError, ValueError):
            pass
        return [
            warn(
                "auth",
                "GOLIVE_AUTH_JWKS_URL answers no keys: nobody's token will be believed",
                "See that the address is right and can be reached from this machine.",
            )
        ]
