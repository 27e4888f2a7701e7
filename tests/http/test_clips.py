"""Clips and other derived media, over HTTP and either database."""

from uuid import UUID, uuid4

import pytest

from controller.domain.derived import (
    ClipRange,
    CutClip,
    DerivedUrls,
    Mp4File,
    RecordingOutcome,
)
from controller.domain.jobs import JobError, JobState
from controller.domain.states import EndReason
from controller.errors import ObjectsUnavailable
from tests.support.tokens import person

CLIP = {"start": 10, "end": 25.5, "title": "The mug"}
MADE = CutClip(ClipRange(9.9, 25.6), Mp4File(123_456, 15.7, 1280, 720), has_poster=True)


@pytest.fixture
async def show(both_apis):
    """A live stream, as (api, seller, stream id)."""
    seller = person("seller")
    return both_apis, seller, await both_apis.live_stream(seller)


async def create(show, **changes):
    api, seller, stream_id = show
    return await api.call("POST", f"/streams/{stream_id}/clips", seller, CLIP | changes)


async def run_job(api, clip_id, made=MADE, error=None):
    """What a worker does."""
    (job_id,) = [job for job in api.queue.woken if await about(api, job) == clip_id]
    job = await api.stores.jobs.claim(job_id, "w", 30.0)
    if error is not None:
        await api.stores.jobs.fail(job.id, "w", error)
        return
    await api.stores.derived.finish_clip(UUID(clip_id), made)
    await api.stores.jobs.finish(job.id, "w", job.result)


async def about(api, job_id):
    return (await api.stores.jobs.get(job_id)).subject


async def test_a_clip_is_taken_in_cut_and_listed(show):
    api, seller, stream_id = show
    reply = await create(show)
    assert reply.status == 202
    clip = reply.data
    assert (clip["start"], clip["end"], clip["exact"], clip["status"]) == (
        10,
        25.5,
        False,
        "queued",
    )
    assert clip["url"] is clip["shows"] is clip["error"] is None
    assert api.clips.staged == [UUID(clip["id"])]

    await run_job(api, clip["id"])

    path = f"/streams/{stream_id}/clips"
    for caller in (seller, None):
        done = (await api.call("GET", f"{path}/{clip['id']}", caller)).data
        assert done["status"] == "done"
        assert done["shows"] == {"start": 9.9, "end": 25.6}
        assert done["url"] == f"https://vod.test/vods/{stream_id}/clips/{clip['id']}.mp4"
        assert done["posterUrl"] == f"https://vod.test/vods/{stream_id}/clips/{clip['id']}.jpg"
        assert (done["size"], done["duration"]) == (123_456, 15.7)
        assert (await api.call("GET", path, caller)).data["items"] == [done]


async def test_a_clip_in_the_making_is_its_owners_to_see(show):
    api, seller, stream_id = show
    clip = (await create(show)).data
    path = f"/streams/{stream_id}/clips"
    assert [one["id"] for one in (await api.call("GET", path, seller)).data["items"]] == [
        clip["id"]
    ]
    assert (await api.call("GET", path)).data["items"] == []
    reply = await api.call("GET", f"{path}/{clip['id']}", person())
    assert (reply.status, reply.problem["code"]) == (404, "clip_not_found")


async def test_a_clip_that_failed_says_why(show):
    api, seller, stream_id = show
    clip = (await create(show, exact=True)).data
    await run_job(api, clip["id"], error=JobError("no_video", "There is no video", "exact"))
    failed = (await api.call("GET", f"/streams/{stream_id}/clips/{clip['id']}", seller)).data
    assert failed["status"] == "failed"
    assert failed["error"] == {"code": "no_video", "message": "There is no video", "field": "exact"}


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"start": 25.5}, "end", "after start"),
        ({"start": 30}, "end", "after start"),
        ({"start": 25.2}, "end", "at least 0.5 s"),
        ({"end": 51}, "end", "at most 40 s after start, for a clip"),
        ({"end": 31, "exact": True}, "end", "at most 20 s after start, for an exact clip"),
        ({"start": 30, "end": 60.1}, "end", "at most 60.000"),
        ({"start": 60, "end": 70}, "start", "before 60.000"),
        ({"start": 4.9, "end": 8}, "start", "at least 5.000"),
        ({"start": -1}, "start", "greater than or equal to 0"),
        ({"end": "soon"}, "end", "valid number"),
        ({"title": ""}, "title", "at least 1 character"),
        ({"exact": "yes"}, "exact", "valid boolean"),
    ],
)
async def test_a_range_that_cannot_be_cut_names_its_field(show, changes, field, says):
    api, _, _ = show
    api.clips.start_s = 5.0
    reply = await create(show, **changes)
    assert reply.status == 422
    (error,) = reply.problem["errors"]
    assert (error["location"], error["field"]) == ("body", field)
    assert says in error["message"]
    assert api.clips.staged == []


async def test_the_end_that_was_shown_may_be_asked_for(show):
    api, _, _ = show
    api.clips.end_s = 31.23456
    reply = await create(show, end=31.235)
    assert reply.status == 202


async def test_a_stream_has_so_many_clips_and_no_more(show):
    api, seller, stream_id = show
    for _ in range(2):
        clip = (await create(show)).data
    reply = await create(show)
    assert (reply.status, reply.problem["code"]) == (409, "too_many_clips")
    for _ in range(2):  # those in the making are done: two more may be had
        items = (await api.call("GET", f"/streams/{stream_id}/clips", seller)).data["items"]
        for clip in items:
            if clip["status"] == "queued":
                await run_job(api, clip["id"])
        await create(show)
    items = (await api.call("GET", f"/streams/{stream_id}/clips", seller)).data["items"]
    assert len(items) == 4
    for clip in items:
        if clip["status"] == "queued":
            await run_job(api, clip["id"])
    assert (await create(show)).status == 409


async def test_clips_are_the_owners_to_cut(show):
    api, _, stream_id = show
    reply = await api.call("POST", f"/streams/{stream_id}/clips", person(), CLIP)
    assert (reply.status, reply.problem["code"]) == (403, "not_your_stream")
    assert (await api.call("POST", f"/streams/{stream_id}/clips", None, CLIP)).status == 401
    reply = await api.call("POST", f"/streams/{uuid4()}/clips", person(), CLIP)
    assert (reply.status, reply.problem["detail"]) == (404, "Stream not found")


async def test_a_stream_without_media_has_nothing_to_clip(both_apis):
    seller = person("seller")
    stream_id = await both_apis.stream(seller)
    reply = await both_apis.call("POST", f"/streams/{stream_id}/clips", seller, CLIP)
    assert (reply.status, reply.problem["code"]) == (400, "nothing_to_clip")


async def test_a_clip_that_could_not_be_staged_leaves_nothing(show):
    api, seller, stream_id = show
    api.clips.failure = ObjectsUnavailable()
    assert (await create(show)).status == 503
    assert (await api.call("GET", f"/streams/{stream_id}/clips", seller)).data["items"] == []
    assert api.queue.woken == []


async def test_clips_of_limited_streams_are_their_audiences(both_apis):
    seller = person("seller")
    stream_id = await both_apis.live_stream(seller, audience="followers")
    for path in ("clips", "media"):
        reply = await both_apis.call("GET", f"/streams/{stream_id}/{path}", person())
        assert (reply.status, reply.problem["code"]) == (403, "not_in_audience")


# --- MP4, poster, storyboard


URLS = DerivedUrls(
    "https://vod.test/vods/x.mp4",
    "https://vod.test/vods/x/poster.jpg",
    "https://vod.test/vods/x/storyboard.vtt",
)
OUTCOME = RecordingOutcome(Mp4File(9_000, 61.5, 1920, 1080), None, (1280, 720), 2, 2.0)


async def test_the_media_of_a_recording_are_listed_when_they_are_made(show):
    api, seller, stream_id = show
    path = f"/streams/{stream_id}/media"
    before = (await api.call("GET", path)).data
    assert before["status"] is before["mp4"] is before["poster"] is before["clippable"] is None
    assert (await api.call("GET", path, seller)).data["clippable"] == {"start": 0, "end": 60}

    derived, stream = api.stores.derived, UUID(stream_id)
    await derived.set_thumbnail(stream, f"https://shop.test/live/{stream_id}/thumbnail.jpg")
    live = (await api.call("GET", f"/streams/{stream_id}")).data
    assert live["thumbnail_url"].endswith("/thumbnail.jpg")
    await derived.begin_recording(stream, uuid4())
    await derived.finish_recording(stream, OUTCOME, URLS)

    made = (await api.call("GET", path)).data
    assert made["status"] == "done"
    assert made["mp4"] == {
        "url": URLS.mp4_url,
        "size": 9_000,
        "duration": 61.5,
        "width": 1920,
        "height": 1080,
    }
    assert made["poster"] == {"url": URLS.poster_url, "width": 1280, "height": 720}
    assert made["storyboard"] == {"url": URLS.storyboard_url, "interval": 2.0, "sheets": 2}
    shown = (await api.call("GET", f"/streams/{stream_id}")).data
    assert shown["mp4_url"] == URLS.mp4_url
    assert shown["poster_url"] == shown["thumbnail_url"] == URLS.poster_url
    assert shown["storyboard_url"] == URLS.storyboard_url


async def test_why_there_is_no_mp4_is_said_beside_the_pictures(show):
    api, _, stream_id = show
    error = JobError("codec_changed", "The encoder changed its codec")
    derived, stream = api.stores.derived, UUID(stream_id)
    await derived.begin_recording(stream, uuid4())
    outcome = RecordingOutcome(None, error, (64, 48), 1, 2.0)
    await derived.finish_recording(stream, outcome, DerivedUrls(None, *_pictures()))
    made = (await api.call("GET", f"/streams/{stream_id}/media")).data
    assert made["mp4"] is None
    assert made["error"]["code"] == "codec_changed"
    assert made["poster"]["url"] == URLS.poster_url


def _pictures():
    return URLS.poster_url, URLS.storyboard_url


async def test_a_playback_token_opens_them_for_a_limited_audience(both_apis):
    seller = person("seller")
    stream_id = await both_apis.live_stream(seller, audience="followers")
    stream = UUID(stream_id)
    await both_apis.stores.derived.begin_recording(stream, uuid4())
    await both_apis.stores.derived.finish_recording(stream, OUTCOME, URLS)
    reply = await both_apis.call("POST", f"/streams/{stream_id}/playback-token", seller)
    token = reply.data["token"]
    assert reply.data["mp4Url"] == f"https://vod.test/~{token}/vods/x.mp4"
    assert reply.data["thumbnailUrl"] == f"https://vod.test/~{token}/vods/x/poster.jpg"
    assert reply.data["storyboardUrl"] == f"https://vod.test/~{token}/vods/x/storyboard.vtt"


async def test_recordings_of_which_nothing_was_made_are_found(show):
    api, _, stream_id = show
    derived, streams, stream = api.stores.derived, api.stores.streams, UUID(stream_id)
    assert await derived.underived(10) == []
    await streams.end(stream, EndReason.HOST)
    assert await derived.underived(10) == []  # nothing was recorded yet
    await streams.set_vod(stream, "https://vod.test/vods/x.m3u8")
    assert [one.id for one in await derived.underived(10)] == [stream]
    await derived.begin_recording(stream, uuid4())
    assert await derived.underived(10) == []
    work = await derived.recording(stream)
    assert (work.state, work.error.code) == (JobState.FAILED, "job_forgotten")
