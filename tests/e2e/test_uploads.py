"""Uploaded videos through a whole server: what comes of good ones, what is said of bad ones."""

import hashlib
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.support.players import DASH_JS, HLS_JS, SHAKA
from tests.support.processes import wait_until
from tests.support.servers import golive_server
from tests.support.uploads import SAMPLES, SECONDS, Made, Refused
from tests.support.video_outputs import check_outputs

pytestmark = pytest.mark.e2e

LIMIT_S = 240.0


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {"GOLIVE_JOB_WORKERS": "2", "GOLIVE_JOB_LEASE_S": "3"}
    with golive_server(tmp_path_factory.mktemp("uploads"), settings) as started:
        yield started


def upload(server, path: Path, sample, token: str) -> str:
    """Put the file where the API says; a file without a byte gets there another way."""
    size = path.stat().st_size
    body = {"filename": sample.name, "content_type": sample.content_type, "size": max(1, size)}
    ticket = server.expect(201, "POST", "/media/upload-url", body, token=token)
    if size == 0:
        stored = server.data_dir / "objects" / ticket["key"]
        stored.parent.mkdir(parents=True)
        stored.touch()
        return ticket["key"]
    with path.open("rb") as file:
        headers = {**ticket["headers"], "Content-Length": str(size)}
        request = urllib.request.Request(ticket["url"], file, headers, method=ticket["method"])
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 200
    return ticket["key"]


def process(server, key: str, token: str, **options) -> str:
    body = {"key": key, "options": options}
    return server.expect(202, "POST", "/media/video/process", body, token=token)["jobId"]


def ended(server, job_id: str, token: str) -> dict:
    """The job once it is over; its progress never goes back."""
    deadline_s, seen = time.monotonic() + LIMIT_S, 0
    while True:
        job = server.expect(200, "GET", f"/media/status/{job_id}", token=token)
        assert job["attempts"] <= 1, job
        assert job["progress"] >= seen, job
        seen = job["progress"]
        if job["status"] not in {"queued", "running"}:
            return job
        assert time.monotonic() < deadline_s, job
        time.sleep(0.1)


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


def test_twelve_uploads(server, tmp_path_factory):
    folder, token = tmp_path_factory.mktemp("files"), server.token("seller")
    daemon = server.daemon
    before = daemon.memory_info().rss
    jobs = {}
    for number, (name, sample) in enumerate(SAMPLES.items()):
        path = folder / f"{number}.mp4"
        sample.make(path)
        key = upload(server, path, sample, token)
        jobs[name] = process(server, key, token, poster_timestamp_seconds=0.5)
    found = {name: ended(server, job_id, token) for name, job_id in jobs.items()}
    problems = {}
    for name, job in found.items():
        try:
            check(server, job, SAMPLES[name].expected)
        except AssertionError as error:
            problems[name] = (str(error), job)
    assert problems == {}

    assert server.daemon == daemon  # the same process, that has parsed none of it
    assert daemon.memory_info().rss < before + (64 << 20)
    assert urllib.request.urlopen(f"{server.url}/readyz", timeout=10).status == 200
    assert list((server.data_dir / "jobs").iterdir()) == []
    assert list((server.data_dir / "tmp" / "uploads").iterdir()) == []


def check(server, job: dict, expected: Made | Refused) -> None:
    if isinstance(expected, Refused):
        assert (job["status"], job["outputs"]) == ("failed", [])
        assert (job["error"]["code"], job["error"]["field"]) == (expected.code, expected.field)
        assert job["error"]["message"]
        return
    assert (job["status"], job["progress"], job["error"]) == ("done", 100, None)
    outputs = {output["name"]: output["url"] for output in job["outputs"]}
    assert set(outputs) == {"hls", "dash", "poster"}
    check_outputs(outputs, get(outputs["dash"]).decode(), job["metadata"], expected)


def test_a_video_that_was_uploaded_is_not_public_but_an_image_is(server, tmp_path):
    token = server.token("seller")
    video = server.expect(
        201,
        "POST",
        "/media/upload-url",
        {"filename": "a.mp4", "content_type": "video/mp4", "size": 3},
        token=token,
    )
    image = server.expect(
        201,
        "POST",
        "/media/upload-url",
        {"filename": "a.png", "content_type": "image/png", "size": 3},
        token=token,
    )
    for ticket in (video, image):
        put = urllib.request.Request(ticket["url"], b"abc", ticket["headers"], method="PUT")
        urllib.request.urlopen(put, timeout=10).close()
    assert get(image["publicUrl"]) == b"abc"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{server.url}/{video['key']}")


def test_a_large_upload_is_streamed_through(server, tmp_path):
    token, path, size = server.token("seller"), tmp_path / "large.mp4", 60_000_000
    path.write_bytes(bytes(size))
    daemon, before = server.daemon, server.daemon.memory_info().rss
    key = upload(server, path, SAMPLES["no sound"], token)
    stored = server.data_dir / "objects" / key
    assert hashlib.md5(stored.read_bytes()).digest() == hashlib.md5(bytes(size)).digest()
    assert daemon.memory_info().rss < before + (32 << 20)


def test_a_killed_worker_is_replaced_and_its_job_goes_on(server, tmp_path):
    token, path = server.token("seller"), tmp_path / "phone.mp4"
    SAMPLES["portrait phone"].make(path)
    job_id = process(server, upload(server, path, SAMPLES["portrait phone"], token), token)
    worker = server.find_process("controller.cli", "worker")
    wait_until(lambda: server.find_processes("ingest.tasks.child") != [], 60, "the job runs")
    media = server.find_processes("ingest.tasks.child")
    worker.kill()
    psutil.wait_procs([worker, *media], 10)
    assert not any(process.is_running() for process in media)

    def over() -> bool:
        job = server.expect(200, "GET", f"/media/status/{job_id}", token=token)
        return job["status"] not in {"queued", "running"}

    wait_until(over, LIMIT_S, "the job is over")
    job = server.expect(200, "GET", f"/media/status/{job_id}", token=token)
    assert (job["status"], job["attempts"]) == ("done", 2)
    assert server.find_process("controller.cli", "worker").pid != worker.pid


def test_a_job_is_cancelled_while_it_runs(server, clip, tmp_path):
    token, path = server.token("seller"), tmp_path / "phone.mp4"
    # Two minutes of video: nothing is done with them before the cancellation arrives.
    loop = ["ffmpeg", "-nostdin", "-v", "error", "-stream_loop", "7", "-i", str(clip.path)]
    subprocess.run([*loop, "-c", "copy", str(path)], check=True, timeout=60)
    job_id = process(server, upload(server, path, SAMPLES["8k"], token), token)
    wait_until(lambda: server.find_processes("ingest.tasks.child") != [], 60, "the job runs")
    server.expect(200, "DELETE", f"/media/status/{job_id}", token=token)
    job = ended(server, job_id, token)
    assert (job["status"], job["outputs"]) == ("cancelled", [])
    wait_until(lambda: server.find_processes("ingest.tasks.child") == [], 20, "nothing runs")
    assert not (server.data_dir / "objects" / "media" / job_id).exists()


def test_a_job_outlives_a_restart_of_everything(server, tmp_path):
    token, path = server.token("seller"), tmp_path / "phone.mp4"
    SAMPLES["8k"].make(path)
    job_id = process(server, upload(server, path, SAMPLES["8k"], token), token)
    wait_until(lambda: server.find_processes("ingest.tasks.child") != [], 60, "the job runs")
    server.stop()
    server.start()
    job = ended(server, job_id, token)
    assert (job["status"], job["attempts"]) == ("done", 1)  # it was put back, which is no failure


@pytest.fixture(scope="module")
def processed(server, tmp_path_factory):
    """What was made of a clip with sound, by name."""
    token, path = server.token("seller"), tmp_path_factory.mktemp("film") / "clip.mov"
    SAMPLES["hevc mov"].make(path)
    key = upload(server, path, SAMPLES["hevc mov"], token)
    job = ended(server, process(server, key, token), token)
    return {output["name"]: output["url"] for output in job["outputs"]}


@pytest.mark.parametrize(
    ("player", "output"), [(HLS_JS, "hls"), (DASH_JS, "dash"), (SHAKA, "hls"), (SHAKA, "dash")]
)
def test_players_play_what_was_made_to_its_end(processed, browser, player, output):
    with browser.play(player, processed[output], live=False) as page:
        page.wait(lambda one: one.current_s > SECONDS - 0.2, 30.0, "at its end")
        assert page.sample().errors == []
        assert page.sample().stalls == 0
        assert page.sample().frames > 30 * (SECONDS - 0.3)
