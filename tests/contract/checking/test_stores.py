"""`golive check` against real databases, Redis and S3 that are not as they should be."""

import email.utils
import json
import re
import time

import pytest
from aiohttp import web
from redis.asyncio import Redis

from controller.checking.findings import Level
from controller.checking.store_checks import (
    BucketCheck,
    DatabaseCheck,
    KeySetCheck,
    RedisCheck,
    bounded_session,
)
from controller.stores.migration import migrate
from controller.stores.revision import head_revision
from ingest.s3 import S3Settings
from tests.support.processes import free_ports


def wrong(findings):
    return [finding for finding in findings if finding.level is not Level.OK]


def only(findings):
    (finding,) = wrong(findings)
    return finding


# --- databases


async def test_a_database_of_this_release_is_well(database_url):
    findings = await DatabaseCheck(database_url).run()

    assert wrong(findings) == []
    assert findings[0].found.endswith(f"at revision {head_revision()}")


async def test_a_database_behind_on_migrations_is_found(database_factory):
    url = await database_factory.empty()
    await migrate(url, "0005")

    finding = only(await DatabaseCheck(url).run())

    assert finding.remedy == "Run `golive migrate`."
    assert f"at revision 0005, this release needs {head_revision()}" in finding.found
    await database_factory.dispose(url)


async def test_an_empty_database_is_found_and_left_empty(database_factory):
    url = await database_factory.empty()

    for _ in range(2):
        finding = only(await DatabaseCheck(url).run())

    assert finding.found.endswith("has no schema yet")
    if url.startswith("postgresql"):
        await database_factory.dispose(url)


async def test_a_database_that_does_not_answer_is_found_without_its_password():
    (port,) = free_ports(1)
    url = f"postgresql://golive:very-secret@127.0.0.1:{port}/golive"

    finding = only(await DatabaseCheck(url).run())

    assert "GOLIVE_DATABASE_URL" in finding.remedy
    assert "very-secret" not in repr(finding)


async def test_a_url_of_no_database_is_found():
    finding = only(await DatabaseCheck("mysql://very-secret@x/y").run())

    assert finding.remedy == "Mend GOLIVE_DATABASE_URL."
    assert "very-secret" not in repr(finding)


async def test_a_database_that_takes_no_writes_is_found(database_factory):
    if database_factory.server is None:
        pytest.skip("SQLite has no such mode")
    url = await database_factory.fresh()
    name = url.rpartition("/")[2]
    await database_factory.server._execute(
        f"ALTER DATABASE {name} SET default_transaction_read_only = on"
    )

    finding = only(await DatabaseCheck(url).run())

    assert "Let GOLIVE_DATABASE_URL name the primary" in finding.remedy
    await database_factory.dispose(url)


# --- Redis


async def test_a_redis_as_it_should_be_is_well(own_redis):
    findings = await RedisCheck(own_redis.url).run()

    assert wrong(findings) == []
    assert [finding.subject for finding in findings] == ["redis", "clock"]


async def test_a_redis_that_takes_no_writes_is_found(own_redis, shared_redis):
    async with Redis.from_url(own_redis.url) as client:
        await client.replicaof("127.0.0.1", shared_redis.port)

        finding = only(await RedisCheck(own_redis.url).run())

    assert finding.found == "it takes no writes (READONLY)"
    assert finding.remedy.startswith("Let GOLIVE_REDIS_URL name the primary")


async def test_a_redis_that_forgets_is_found(own_redis):
    async with Redis.from_url(own_redis.url) as client:
        await client.config_set("maxmemory", "100mb")
        await client.config_set("maxmemory-policy", "allkeys-lru")

        finding = only(await RedisCheck(own_redis.url).run())

    assert "allkeys-lru" in finding.found
    assert finding.remedy == "Set `maxmemory-policy noeviction` in redis.conf."


async def test_a_redis_that_is_away_or_wants_a_password_is_found(own_redis):
    (port,) = free_ports(1)
    away = only(await RedisCheck(f"redis://:very-secret@127.0.0.1:{port}/0").run())
    async with Redis.from_url(own_redis.url) as client:
        await client.config_set("requirepass", "another")
        refused = only(await RedisCheck(own_redis.url).run())
    malformed = only(await RedisCheck("http://very-secret").run())

    assert "GOLIVE_REDIS_URL" in away.remedy
    assert "GOLIVE_REDIS_URL" in refused.remedy
    assert malformed.found == "GOLIVE_REDIS_URL cannot be read"
    assert "very-secret" not in repr([away, malformed])


# --- buckets


def bucket_check(settings: S3Settings) -> BucketCheck:
    return BucketCheck("GOLIVE_STORE_URL", settings, bounded_session)


async def test_a_bucket_with_a_good_key_is_well_and_stays_empty(s3_server):
    bucket = s3_server.bucket()

    findings = await bucket_check(s3_server.settings(bucket, prefix="shop")).run()

    assert wrong(findings) == []
    assert [finding.subject for finding in findings] == ["bucket", "clock"]
    assert s3_server.contents(bucket) == {}


@pytest.mark.parametrize(
    ("may", "lacks"),
    [
        (["ListBucket", "PutObject"], ["readFiles", "deleteFiles"]),
        (["GetObject", "DeleteObject"], ["listFiles", "writeFiles"]),
    ],
)
async def test_a_key_without_a_capability_is_found_by_its_name(s3_server, may, lacks):
    bucket = s3_server.bucket()
    key_id, secret = s3_server.limited_key(bucket, may)
    settings = s3_server.settings(bucket, access_key_id=key_id, secret_access_key=secret)

    findings = wrong(await bucket_check(settings).run())

    told = [finding.remedy for finding in findings]
    assert told == [
        f"Give the key the capability {c} (B2), or make one that has it." for c in lacks
    ]
    assert secret not in repr(findings)


@pytest.mark.parametrize("broken", ["bucket", "key", "secret", "endpoint"])
async def test_a_bucket_that_cannot_be_reached_is_found(s3_server, broken):
    (port,) = free_ports(1)
    changes = {
        "bucket": {},
        "key": {"access_key_id": "nobody"},
        "secret": {"secret_access_key": "very-secret-and-wrong"},
        "endpoint": {"endpoint": f"http://127.0.0.1:{port}"},
    }[broken]
    bucket = "no-such-bucket" if broken == "bucket" else s3_server.bucket()

    finding = only(await bucket_check(s3_server.settings(bucket, **changes)).run())

    assert finding.level is Level.FAIL
    assert "GOLIVE_S3_ENDPOINT" in finding.remedy
    assert "very-secret" not in repr(finding)


# --- servers whose clock or answer is wrong


async def test_a_clock_that_differs_from_the_stores_is_found(aiohttp_server):
    async def answer(_request: web.Request) -> web.Response:
        date = email.utils.formatdate(time.time() - 7200, usegmt=True)
        return web.Response(headers={"Date": date}, body=b"<ListBucketResult/>")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    server = await aiohttp_server(app)
    settings = S3Settings("b", endpoint=str(server.make_url("")), access_key_id="a", secret_access_key="b")  # fmt: skip

    clock = [f for f in await bucket_check(settings).run() if f.subject == "clock"]

    assert re.fullmatch(r"720\d s ahead of the object store's", only(clock).found)
    assert "chrony" in only(clock).remedy


@pytest.mark.parametrize(
    ("body", "is_well"), [({"keys": [{"kid": "1"}]}, True), ({"keys": []}, False), ("", False)]
)
async def test_an_issuer_without_keys_is_found(aiohttp_server, body, is_well):
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=json.dumps(body) if body else "<html>")

    app = web.Application()
    app.router.add_get("/keys", answer)
    server = await aiohttp_server(app)

    findings = await KeySetCheck(str(server.make_url("/keys")), bounded_session).run()

    assert (wrong(findings) == []) is is_well
