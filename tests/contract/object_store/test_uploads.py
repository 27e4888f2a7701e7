"""An upload and its processing over a real S3 server, by way of one that behaves as B2."""

import random
import time
import urllib.request
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID, uuid4

import pytest

from controller.composition.jobs import build_kinds
from controller.composition.objects import build_store
from controller.composition.uploads import build_media
from controller.domain.jobs import JobState
from controller.domain.people import Identity, Role
from controller.jobs.desk import QueueingDesk
from controller.jobs.outcomes import RetryPolicy
from controller.jobs.runner import JobRunner, RunnerSettings
from controller.settings import load_settings
from controller.stores.migration import migrate
from controller.stores.opening import open_stores
from controller.system_clock import SystemClock
from tests.support.s3 import KEY_ID, SECRET
from tests.support.uploads import SAMPLES, Refused
from tests.support.video_outputs import check_outputs

SELLER = Identity(uuid4(), "seller", Role.SELLER)
QUICK = RunnerSettings(renew_s=0.1, retry=RetryPolicy(first_s=0.2, factor=1.0))


class Queue:
    def __init__(self):
        self.woken = []

    async def wake(self, job_id, delay_s=0.0):
        self.woken.append(delay_s)


class Service:
    """Uploads and jobs over a bucket; `b2` is on the way to it."""

    def __init__(self, media, runner, queue, base_url):
        self.media, self.runner, self.queue, self.base_url = media, runner, queue, base_url

    def upload(self, sample, path):
        """As a client does: an address, then a PUT to the store."""
        sample.make(path)
        body = path.read_bytes() or b" "
        ticket = self.media.ticket(SELLER, sample.name, sample.content_type, len(body))
        put = urllib.request.Request(ticket.url, body, dict(ticket.headers), method="PUT")
        with urllib.request.urlopen(put, timeout=30) as answer:
            assert answer.status == 200
        return ticket.upload.key

    async def outcome(self, key) -> object:
        job = await self.media.process_video(SELLER, key, 0.5)
        deadline_s = time.monotonic() + 120
        while not job.state.is_over:
            assert time.monotonic() < deadline_s, job
            await self.runner.look_at(job.id)
            job = await self.media.job(SELLER, job.id)
        return job


@pytest.fixture
async def service(s3_server, b2, tmp_path):
    bucket = s3_server.bucket(public=True)
    async with opened(bucket, b2, tmp_path) as made:
        made.base_url = f"{s3_server.endpoint}/{bucket}/shop"
        yield made


@asynccontextmanager
async def opened(bucket, b2, folder):
    settings = load_settings(
        data_dir=folder / "data",
        store_url=f"s3://{bucket}/shop",
        s3_endpoint=b2.endpoint,
        s3_region="us-east-1",
        s3_access_key_id=KEY_ID,
        s3_secret_access_key=SECRET,
    )
    url = f"sqlite:///{folder}/golive.db"
    await migrate(url)
    clock, queue = SystemClock(), Queue()
    async with AsyncExitStack() as stack:
        objects = build_store(settings, stack)
        stores = open_stores(url, clock)
        stack.push_async_callback(stores.database.close)
        await stores.users.ensure(SELLER)
        desk = QueueingDesk(stores.jobs, queue, uuid4)
        parts = build_media(settings, objects.public, desk, b"x" * 32, clock)
        assert parts.receiver is None  # the store has addresses of its own
        kinds = build_kinds(settings, stores, objects)
        runner = JobRunner(
            stores.jobs, queue, kinds, "w1", folder / "work", QUICK, random.Random(1)
        )
        yield Service(parts.service, runner, queue, "")


@pytest.mark.parametrize("name", ["portrait phone", "5.1 sound", "pixel bomb", "text"])
async def test_uploads_are_processed_over_s3(service, b2, tmp_path, name):
    sample = SAMPLES[name]
    job = await service.outcome(service.upload(sample, tmp_path / "upload.mp4"))
    assert b2.refused == []
    if isinstance(sample.expected, Refused):
        assert job.state is JobState.FAILED
        assert (job.error.code, job.error.field) == (sample.expected.code, sample.expected.field)
        return
    assert (job.state, job.attempts) == (JobState.DONE, 1), job
    outputs = {one.name: f"{service.base_url}/{one.key}" for one in job.result.outputs}
    with urllib.request.urlopen(outputs["dash"], timeout=10) as answer:
        assert answer.headers["Content-Type"] == "application/dash+xml"
        mpd = answer.read().decode()
    check_outputs(outputs, mpd, job.result.metadata, sample.expected)
    assert isinstance(job.id, UUID)


async def test_a_store_that_fails_in_between_delays_only(service, b2, tmp_path):
    sample = SAMPLES["no sound"]
    key = service.upload(sample, tmp_path / "upload.mp4")
    job = await service.media.process_video(SELLER, key, 0.5)
    b2.faults.share_503 = 1.0
    await service.runner.look_at(job.id)
    job = await service.media.job(SELLER, job.id)
    assert (job.state, job.error.code) == (JobState.QUEUED, "object_store_error")
    assert "shop" not in job.error.message
    b2.faults.share_503 = 0.0
    job = await service.outcome(key)
    assert (job.state, job.attempts) == (JobState.DONE, 2)
    assert service.queue.woken[1:]
