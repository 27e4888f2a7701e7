"""Uploads and their processing, over HTTP and either database."""

import asyncio
import socket
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import pytest

from controller.domain.jobs import JobError, JobOutput, JobResult
from tests.http.running_api import PUBLIC_URL
from tests.support.tokens import person

VIDEO = {"filename": "My clip (1).MOV", "content_type": "video/quicktime", "size": 5}


def local(api, url, **query):
    """The upload address at the test's own server, with parts of its query replaced."""
    assert url.startswith(f"{PUBLIC_URL}/api/v1/media/uploads/uploads/")
    parts = urlsplit(url)
    pairs = dict(pair.split("=", 1) for pair in parts.query.split("&")) | query
    changed = "&".join(f"{name}={value}" for name, value in pairs.items())
    return api.base + urlunsplit(("", "", parts.path, changed, ""))


async def put(api, url, body, content_type="video/quicktime"):
    async with api.session.put(url, data=body, headers={"Content-Type": content_type}) as reply:
        answer = await reply.json() if "json" in reply.content_type else None
        return reply.status, answer


async def uploaded(api, person, body=b"media", **changes):
    reply = await api.call(
        "POST", "/media/upload-url", person, VIDEO | {"size": len(body)} | changes
    )
    assert reply.status == 201, reply.text
    status, _ = await put(api, local(api, reply.data["url"]), body)
    assert status == 200
    return reply.data["key"]


async def submitted(api, person, **options):
    key = await uploaded(api, person)
    body = {"key": key, "options": options}
    reply = await api.call("POST", "/media/video/process", person, body)
    assert reply.status == 202, reply.text
    return UUID(reply.data["jobId"])


async def test_an_upload_goes_where_its_ticket_says(both_apis):
    api, seller = both_apis, person()
    reply = await api.call("POST", "/media/upload-url", seller, VIDEO)
    ticket = reply.data
    assert (reply.status, ticket["method"], ticket["publicUrl"]) == (201, "PUT", None)
    assert ticket["headers"] == {"Content-Type": "video/quicktime"}
    user, upload, name = ticket["key"].removeprefix("uploads/").split("/")
    assert (user, name) == (str(seller.id), "My-clip-1.mov")
    assert UUID(upload)
    status, _ = await put(api, local(api, ticket["url"]), b"media")
    assert status == 200
    assert (api.folder / "objects" / ticket["key"]).read_bytes() == b"media"
    assert list((api.folder / "tmp" / "uploads").iterdir()) == []


async def test_an_image_says_where_it_is_shown(api):
    image = {"filename": "../../etc/pass wd.gif", "content_type": "image/png", "size": 5}
    ticket = (await api.call("POST", "/media/upload-url", person(), image)).data
    assert ticket["publicUrl"] == f"https://vod.test/{ticket['key']}"
    assert ticket["key"].endswith("/etc-pass-wd.png")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"size": 0}, "size"),
        ({"size": 1_000_001}, "size"),
        ({"size": "5"}, "size"),
        ({"content_type": "text/html"}, "content_type"),
        ({"content_type": "image/svg+xml"}, "content_type"),
        ({"content_type": "video/mp4; codecs=x"}, "content_type"),
        ({"filename": ""}, "filename"),
        ({"filename": "a\nb"}, "filename"),
        ({"filename": "x" * 256}, "filename"),
    ],
)
async def test_what_may_not_be_uploaded_is_said_by_field(api, change, field):
    reply = await api.call("POST", "/media/upload-url", person(), VIDEO | change)
    assert reply.status == 422
    assert [error["field"] for error in reply.problem["errors"]] == [field]


@pytest.mark.parametrize(
    "change",
    [
        {"size": "6"},
        {"type": "text/html"},
        {"expires": "99999999999"},
        {"signature": "x"},
        {"signature": ""},
        {"expires": "٣"},
    ],
)
async def test_a_changed_address_is_refused(api, change):
    ticket = (await api.call("POST", "/media/upload-url", person(), VIDEO)).data
    status, problem = await put(api, local(api, ticket["url"], **change), b"media")
    assert (status, problem["code"]) == (403, "upload_ticket_refused")


async def test_an_address_is_good_for_one_key_and_for_its_time(api):
    ticket = (await api.call("POST", "/media/upload-url", person(), VIDEO)).data
    url = local(api, ticket["url"])
    status, _ = await put(api, url.replace("clip", "clap"), b"media")
    assert status == 403
    api.clock.ahead += timedelta(seconds=901)
    status, problem = await put(api, url, b"media")
    assert (status, problem["code"]) == (403, "upload_ticket_refused")
    assert not (api.folder / "objects").exists()


@pytest.mark.parametrize(
    ("body", "content_type", "field"),
    [
        (b"longer", "video/quicktime", "Content-Length"),
        (b"less", "video/quicktime", "Content-Length"),
        (b"media", "video/mp4", "Content-Type"),
    ],
)
async def test_another_length_or_type_is_refused(api, body, content_type, field):
    ticket = (await api.call("POST", "/media/upload-url", person(), VIDEO)).data
    status, problem = await put(api, local(api, ticket["url"]), body, content_type)
    assert status == 422
    assert [error["field"] for error in problem["errors"]] == [field]
    assert not (api.folder / "objects").exists()


async def test_an_upload_that_is_cut_off_leaves_nothing(api):
    size = 500_000
    ticket = (await api.call("POST", "/media/upload-url", person(), VIDEO | {"size": size})).data
    parts = urlsplit(local(api, ticket["url"]))
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        head = (
            f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\n"
            f"Content-Type: video/quicktime\r\nContent-Length: {size}\r\n\r\n"
        )
        connection.sendall(head.encode() + b"x" * 1000)
        folder = api.folder / "tmp" / "uploads"
        async with asyncio.timeout(10):
            while not (folder.exists() and list(folder.iterdir())):
                await asyncio.sleep(0.01)
    async with asyncio.timeout(10):
        while list(folder.iterdir()):
            await asyncio.sleep(0.01)
    assert not (api.folder / "objects").exists()


async def test_a_large_body_is_streamed(api):
    body = bytes(900_000)
    key = await uploaded(api, person(), body)
    assert (api.folder / "objects" / key).stat().st_size == 900_000


async def test_processing_is_queued_once(both_apis):
    api, seller = both_apis, person()
    key = await uploaded(api, seller)
    body = {"key": key, "options": {"poster_timestamp_seconds": 2.5}}
    first = await api.call("POST", "/media/video/process", seller, body)
    again = await api.call("POST", "/media/video/process", seller, body)
    assert (first.status, first.data["status"]) == (202, "queued")
    assert again.data["jobId"] == first.data["jobId"]
    assert set(api.queue.woken) == {UUID(first.data["jobId"])}
    job = await api.stores.jobs.get(UUID(first.data["jobId"]))
    assert job.arguments == {"key": key, "posterS": 2.5}


async def test_only_ones_own_uploads_are_processed(api):
    key = await uploaded(api, person())
    reply = await api.call("POST", "/media/video/process", person(), {"key": key})
    assert (reply.status, reply.problem["detail"]) == (403, "Not your upload")


async def test_what_was_not_uploaded_is_not_found(api):
    seller = person()
    key = f"uploads/{seller.id}/{uuid4()}/a.mp4"
    reply = await api.call("POST", "/media/video/process", seller, {"key": key})
    assert (reply.status, reply.problem["code"]) == (404, "upload_not_found")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"key": "vods/x/video/segment-0.m4s"}, "key"),
        ({"key": "uploads/../secrets.json"}, "key"),
        ({"key": f"uploads/{uuid4()}/{uuid4()}/../a.mp4"}, "key"),
        ({"key": f"uploads/{uuid4()}/{uuid4()}/.hidden"}, "key"),
        ({}, "key"),
        (
            {
                "key": f"uploads/{uuid4()}/{uuid4()}/a.mp4",
                "options": {"poster_timestamp_seconds": -1},
            },
            "options.poster_timestamp_seconds",
        ),
    ],
)
async def test_what_cannot_be_processed_is_said_by_field(api, body, field):
    reply = await api.call("POST", "/media/video/process", person(), body)
    assert reply.status == 422
    assert [error["field"] for error in reply.problem["errors"]] == [field]


async def test_the_status_follows_the_job(both_apis):
    api, seller = both_apis, person()
    job_id = await submitted(api, seller)
    path, jobs = f"/media/status/{job_id}", api.stores.jobs
    status = (await api.call("GET", path, seller)).data
    assert (status["status"], status["progress"], status["outputs"]) == ("queued", 0, [])
    assert status["metadata"] is None
    await jobs.claim(job_id, "w1", 30)
    await jobs.renew(job_id, "w1", 30, 41)
    status = (await api.call("GET", path, seller)).data
    assert (status["status"], status["progress"], status["attempts"]) == ("running", 41, 1)
    output = JobOutput("hls", f"media/{job_id}/index.m3u8", "application/vnd.apple.mpegurl")
    await jobs.finish(job_id, "w1", JobResult({"width": 1080}, (output,)))
    status = (await api.call("GET", path, seller)).data
    assert (status["status"], status["progress"]) == ("done", 100)
    assert status["metadata"] == {"width": 1080}
    assert status["outputs"] == [
        {
            "name": "hls",
            "url": f"https://vod.test/media/{job_id}/index.m3u8",
            "contentType": "application/vnd.apple.mpegurl",
        }
    ]
    reply = await api.call("DELETE", path, seller)
    assert (reply.status, reply.problem["code"]) == (409, "job_is_over")


async def test_a_failed_job_says_why(api):
    seller = person()
    job_id = await submitted(api, seller)
    await api.stores.jobs.claim(job_id, "w1", 30)
    await api.stores.jobs.fail(job_id, "w1", JobError("too_long", "3 h; at most 2 h", "duration"))
    status = (await api.call("GET", f"/media/status/{job_id}", seller)).data
    assert status["status"] == "failed"
    assert status["error"] == {
        "code": "too_long",
        "message": "3 h; at most 2 h",
        "field": "duration",
    }


async def test_a_job_is_cancelled(both_apis):
    api, seller = both_apis, person()
    job_id = await submitted(api, seller)
    reply = await api.call("DELETE", f"/media/status/{job_id}", seller)
    assert (reply.status, reply.data["status"]) == (200, "cancelled")


async def test_jobs_are_shown_to_their_owner_and_to_administrators(api):
    job_id = await submitted(api, person())
    path = f"/media/status/{job_id}"
    for method in ("GET", "DELETE"):
        assert (await api.call(method, path)).status == 401
        reply = await api.call(method, path, person())
        assert (reply.status, reply.problem["detail"]) == (403, "Not your job")
        assert (await api.call(method, f"/media/status/{uuid4()}", person())).status == 404
    assert (await api.call("GET", path, person(role="admin"))).status == 200
