"""What S3 adds: keys that are wrong, a store that is away, and Backblaze B2's own rules."""

import asyncio
import hashlib
import logging
import re
import time
import traceback
import urllib.error
import urllib.request
from dataclasses import replace

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session

from ingest.errors import ObjectStoreError, ObjectStoreRefused
from ingest.ports import ObjectKind
from ingest.vod.s3_settings import S3Settings
from tests.contract.object_store.conftest import s3_store
from tests.support.processes import free_ports
from tests.support.s3 import KEY_ID, SECRET

MEDIA = ObjectKind("video/iso.segment", "public, max-age=31536000, immutable")
QUICK = {"connect_timeout_s": 1.0, "read_timeout_s": 1.0}


@pytest.fixture
def bucket(s3_server):
    return s3_server.bucket()


@pytest.fixture
def settings(s3_server, b2, bucket):
    """Through the proxy that behaves as B2."""
    return s3_server.settings(bucket, endpoint=b2.endpoint)


# --- what is sent


async def test_objects_carry_their_type_and_how_long_they_may_be_cached(settings, b2, bucket):
    async with s3_store(settings) as store:
        await store.put_bytes("a", b"media", MEDIA)
        head = store._client.head_object(Bucket=bucket, Key="a")
    assert (head["ContentType"], head["CacheControl"]) == (MEDIA.content_type, MEDIA.cache_control)


async def test_nothing_is_sent_that_b2_refuses(settings, b2, bucket, tmp_path):
    path = tmp_path / "segment"
    path.write_bytes(b"media" * 100_000)
    async with s3_store(settings) as store:
        await store.put_file("a", path, MEDIA)
        await store.put_bytes("b", b"", MEDIA)
        await store.stat("a")
        await store.check()
    assert b2.refused == []
    headers = {k.lower(): v for k, v in b2.put_headers[f"/{bucket}/a"].items()}
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 ")
    assert "expect" not in headers
    assert "content-md5" in headers


async def test_a_large_file_is_sent_in_parts(settings, s3_server, b2, bucket, tmp_path):
    path = tmp_path / "show.mp4"
    path.write_bytes(bytes(range(251)) * 50_000)  # 12.5 MB
    async with s3_store(replace(settings, part_bytes=5 << 20)) as store:
        stored = await store.put_file("vods/show.mp4", path, MEDIA)
        head = store._client.head_object(Bucket=bucket, Key="vods/show.mp4")
    assert stored.size == path.stat().st_size
    assert (head["ContentType"], head["CacheControl"]) == (MEDIA.content_type, MEDIA.cache_control)
    assert s3_server.contents(bucket) == {"vods/show.mp4": path.read_bytes()}
    assert b2.puts[f"/{bucket}/vods/show.mp4"] == 3
    assert b2.refused == []


async def test_a_part_that_fails_leaves_nothing_behind(settings, b2, bucket, tmp_path):
    path = tmp_path / "show.mp4"
    path.write_bytes(bytes(12_000_000))
    async with s3_store(replace(settings, part_bytes=5 << 20)) as store:

        def refuse(**_):
            b2.faults = replace(b2.faults, share_503=1.0)

        events = store._client.meta.events
        events.register("after-call.s3.CreateMultipartUpload", refuse)
        events.register(
            "before-call.s3.AbortMultipartUpload",
            lambda **_: setattr(b2, "faults", replace(b2.faults, share_503=0.0)),
        )
        with pytest.raises(ObjectStoreError) as caught:
            await store.put_file("vods/show.mp4", path, MEDIA)
        left = store._client.list_multipart_uploads(Bucket=bucket)
        assert await store.stat("vods/show.mp4") is None
    assert caught.value.retryable
    assert not left.get("Uploads")


def test_the_defaults_of_the_client_fail_at_b2(settings, b2):
    """The reason for our settings; when this test fails, they may be reconsidered."""
    client = Session().create_client(
        "s3",
        endpoint_url=settings.endpoint,
        region_name=settings.region,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(ClientError, match=re.compile("Unsupported header|aws-chunked")):
        client.put_object(Bucket=settings.bucket, Key="a", Body=b"media")
    client.close()
    assert b2.refused


async def test_the_environment_of_the_machine_changes_nothing(settings, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "somebody-elses")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_supported")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody-elses")
    async with s3_store(settings) as store:
        await store.put_bytes("a", b"media", MEDIA)


async def test_host_style_addresses_are_a_setting(settings):
    b2_itself = replace(settings, endpoint="https://s3.us-west-004.backblazeb2.com")
    async with s3_store(replace(b2_itself, path_style=False)) as store:
        url = store._client.generate_presigned_url("get_object", {"Bucket": "shop", "Key": "a"})
    assert url.startswith("https://shop.s3.us-west-004.backblazeb2.com/a?")


async def test_an_object_over_the_limit_is_refused_before_it_is_sent(settings, b2):
    async with s3_store(replace(settings, max_object_bytes=10)) as store:
        with pytest.raises(ObjectStoreRefused, match="11 bytes; one PUT takes at most 10"):
            await store.put_bytes("a", b"x" * 11, MEDIA)
    assert not b2.requests["PUT"]


# --- what is said when it does not work


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"access_key_id": "wrongkey"}, "does not know the access key id"),
        ({"secret_access_key": "wrong"}, "secret access key does not belong"),
        ({"bucket": "no-such-bucket"}, "bucket does not exist"),
    ],
)
async def test_a_wrong_setting_is_said_clearly_and_not_tried_again(settings, b2, changes, words):
    async with s3_store(replace(settings, **changes)) as store:
        for call in (store.check(), store.put_bytes("a", b"media", MEDIA)):
            with pytest.raises(ObjectStoreRefused, match=words) as caught:
                await call
            assert not caught.value.retryable
    assert b2.requests.total() == 2


async def test_somebody_elses_bucket_is_refused(settings, s3_server):
    """HEAD has no body: what is left is the status."""
    async with s3_store(replace(settings, secret_access_key="wrong")) as store:
        with pytest.raises(ObjectStoreRefused, match="403"):
            await store.stat("a")


async def test_no_secret_is_in_an_error_a_log_or_a_representation(settings, caplog):
    caplog.set_level(logging.DEBUG)
    wrong = replace(settings, secret_access_key="hush-hush-hush")
    texts = [repr(wrong), str(wrong)]
    async with s3_store(wrong) as store:
        texts.append(repr(store))
        with pytest.raises(ObjectStoreRefused) as caught:
            await store.put_bytes("a", b"media", MEDIA)
    error = caught.value
    texts += traceback.format_exception(error)
    texts += [repr(error.__context__), repr(error.__cause__), caplog.text]
    for text in texts:
        assert "hush" not in text
        assert KEY_ID not in text
        assert "Signature=" not in text


async def test_a_store_that_is_not_there_is_tried_again_by_the_caller(settings):
    (port,) = free_ports(1)
    gone = replace(settings, endpoint=f"http://127.0.0.1:{port}")
    async with s3_store(gone) as store:
        with pytest.raises(ObjectStoreError, match="no answer") as caught:
            await store.put_bytes("a", b"media", MEDIA)
    assert caught.value.retryable


async def test_one_call_is_one_request_whatever_happens(settings, b2):
    """Retries are at one level only, the uploader's."""
    async with s3_store(settings) as store:
        b2.faults.share_503 = 1.0
        b2.faults.retry_after = "7"
        with pytest.raises(ObjectStoreError, match="503 SlowDown") as caught:
            await store.put_bytes("a", b"media", MEDIA)
        assert caught.value.retryable
        assert caught.value.retry_after_s == 7.0
        b2.faults.share_503, b2.faults.share_reset = 0.0, 1.0
        with pytest.raises(ObjectStoreError, match="no answer") as caught:
            await store.put_bytes("a", b"media", MEDIA)
        assert caught.value.retryable
    assert b2.requests["PUT"] == 2


async def test_a_store_that_hangs_is_given_up(settings, b2):
    b2.faults.hang = True
    async with s3_store(replace(settings, **QUICK)) as store:
        with pytest.raises(ObjectStoreError, match="no answer"):
            await store.put_bytes("a", b"media", MEDIA)


async def test_a_store_that_trickles_is_given_up_too(settings, b2, tmp_path):
    path = tmp_path / "large"
    path.write_bytes(bytes(30 << 20))
    b2.faults.bytes_per_s = 1 << 20
    async with s3_store(replace(settings, call_timeout_s=0.5)) as store:
        with pytest.raises(ObjectStoreError, match=r"not done in 0\.5 s"):
            await store.put_file("a", path, MEDIA)
        b2.faults.bytes_per_s = 0


async def test_the_loop_goes_on_while_the_store_is_slow(settings, b2):
    b2.faults.bytes_per_s = 200_000
    async with s3_store(settings) as store:
        put = asyncio.create_task(store.put_bytes("a", bytes(100_000), MEDIA))
        turns = 0
        while not put.done():
            await asyncio.sleep(0)
            turns += 1
        await put
    assert turns > 100


async def test_calls_beyond_the_threads_wait_and_are_all_done(settings, b2, s3_server, bucket):
    b2.faults.bytes_per_s = 1e6
    async with s3_store(replace(settings, connections=2)) as store:
        started = time.monotonic()
        await asyncio.gather(*(store.put_bytes(f"k{i}", bytes(50_000), MEDIA) for i in range(8)))
        assert time.monotonic() > started
    assert len(s3_server.contents(bucket)) == 8


async def test_another_content_than_was_sent_is_noticed(settings):
    async with s3_store(settings) as store:
        real = store._client.put_object
        store._client.put_object = lambda **call: {**real(**call), "ETag": f'"{"0" * 32}"'}
        with pytest.raises(ObjectStoreError, match="other content"):
            await store.put_bytes("a", b"media", MEDIA)


async def test_where_the_etag_is_no_md5_the_size_is_looked_up(settings):
    async with s3_store(settings) as store:
        real = store._client.put_object
        store._client.put_object = lambda **call: {**real(**call), "ETag": '"encrypted"'}
        stored = await store.put_bytes("a", b"media", MEDIA)
    assert (stored.size, stored.md5) == (5, hashlib.md5(b"media").hexdigest())


def test_the_key_is_in_no_representation_of_the_settings():
    settings = S3Settings("shop", access_key_id="id-id-id", secret_access_key="hush")
    assert "id-id-id" not in repr(settings)
    assert "hush" not in repr(settings)


# --- what others may put


def put(url, body, content_type="video/mp4"):
    request = urllib.request.Request(
        url, body, {"Content-Type": content_type, "Content-Length": str(len(body))}, method="PUT"
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


async def test_a_presigned_put_takes_what_was_announced_and_nothing_else(
    settings, s3_server, bucket
):
    async with s3_store(replace(settings, prefix="shop")) as store:
        url = store.presigned_put("uploads/a.mp4", "video/mp4", 5, 600)
        assert put(url, b"longer") == 403
        assert put(url, b"less") == 403
        assert put(url, b"media", "text/html") == 403
        assert put(url.replace("uploads/a", "uploads/b"), b"media") == 403
        assert s3_server.contents(bucket) == {}
        assert put(url, b"media") == 200
    assert s3_server.contents(bucket) == {"shop/uploads/a.mp4": b"media"}


async def test_a_presigned_put_expires(settings):
    async with s3_store(settings) as store:
        url = store.presigned_put("uploads/a.mp4", "video/mp4", 5, 1)
    assert put(url, b"media") == 200
    deadline = time.monotonic() + 20
    while (answered := put(url, b"media")) == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert answered == 403


async def test_a_large_object_is_fetched_in_pieces(settings, b2, tmp_path, monkeypatch):
    monkeypatch.setattr("ingest.vod.s3_store._PIECE_BYTES", 1000)
    async with s3_store(settings) as store:
        await store.put_bytes("a", bytes(range(250)) * 10, MEDIA)
        assert await store.get_file("a", tmp_path / "a", 1 << 20) == 2500
    assert (tmp_path / "a").read_bytes() == bytes(range(250)) * 10
    assert b2.refused == []
