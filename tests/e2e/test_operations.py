"""A server as its operator meets it: checked, with TLS, watched."""

import asyncio
import json
import os
import ssl
import subprocess
import sys

import pytest

from tests.support.certificates import make_certificate
from tests.support.processes import free_ports
from tests.support.pushers import make_clip
from tests.support.rtmp_publisher import RtmpPublication
from tests.support.servers import golive_server

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server(tmp_path_factory, certificate):
    https_port, rtmps_port = free_ports(2)
    settings = {
        "GOLIVE_TLS_CERTIFICATE": str(certificate.chain),
        "GOLIVE_TLS_KEY": str(certificate.key),
        "GOLIVE_HTTPS_PORT": str(https_port),
        "GOLIVE_RTMPS_PORT": str(rtmps_port),
        "GOLIVE_REQUESTS_PER_S": "5",
        "GOLIVE_LOG_FORMAT": "json",
    }
    with golive_server(tmp_path_factory.mktemp("operations"), settings) as started:
        yield started


def https(server) -> str:
    return f"https://127.0.0.1:{server.settings['GOLIVE_HTTPS_PORT']}"


def run_check(server, *options: str, **settings: str) -> subprocess.CompletedProcess:
    environment = {n: v for n, v in os.environ.items() if not n.startswith("GOLIVE_")}
    addresses = {
        "GOLIVE_PUBLIC_URL": https(server),
        "GOLIVE_RTMP_URL": server.rtmp_url,
        "GOLIVE_RTMP_PULL_URL": server.rtmp_url,
    }
    argv = [sys.executable, "-m", "controller.cli", "check", "--data", str(server.data_dir)]
    return subprocess.run(
        [*argv, *options],
        env={**environment, **addresses, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_nothing_fails_beside_a_running_server(server):
    answer = run_check(server, "--json")

    assert answer.returncode == 0, answer.stdout
    report = json.loads(answer.stdout)
    found = {(finding["subject"], finding["found"]) for finding in report["findings"]}
    run = server.data_dir / "run"
    assert ("nginx-rtmp", f"{run}/rtmp.conf has none of the known traps") in found
    assert ("nginx-http", f"{run}/http.conf has none of the known traps") in found
    assert ("port", f"127.0.0.1:{server.rtmp_port} (RTMP) is held by nginx") in found
    assert {finding["level"] for finding in report["findings"]} <= {"ok", "warn"}


def test_what_is_broken_is_found_in_the_same_run(server, tmp_path):
    broken = tmp_path / "rtmp.conf"
    text = (server.data_dir / "run" / "rtmp.conf").read_text()
    broken.write_text(text.replace("wait_key off;", "wait_key on;"))

    answer = run_check(
        server,
        "--nginx",
        str(broken),
        GOLIVE_AUTH_SECRET="changeme" * 4,
        GOLIVE_DATABASE_URL=f"sqlite:///{tmp_path}/none.db",
    )

    assert answer.returncode == 1
    assert answer.stdout.splitlines()[-1].endswith(", 3 fail")
    failed = [line for line in answer.stdout.splitlines() if line.startswith("fail")]
    assert len(failed) == 3
    for remedy in ("`wait_key off;`", "Run `golive migrate`.", "`openssl rand -base64 48`"):
        assert sum(remedy in line for line in failed) == 1
    assert not (tmp_path / "none.db").exists()
    assert "changeme" not in answer.stdout + answer.stderr


def test_warnings_fail_when_asked_to_and_wrong_settings_are_a_wrong_call(server):
    strict = run_check(server, "--strict", GOLIVE_RTMP_URL="rtmp://live.example.com/live")
    wrong = run_check(server, GOLIVE_PART_TARGET_S="7")

    assert strict.returncode == 1
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "part_target_s" in wrong.stderr


# --- TLS


def curl(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "30", *arguments],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


def headers_of(answer: subprocess.CompletedProcess) -> dict[str, str]:
    assert answer.returncode == 0, answer.stderr
    lines = [line.partition(": ") for line in answer.stdout.splitlines() if ": " in line]
    return {name.lower(): value.strip() for name, _, value in lines}


def test_curl_speaks_http_2_over_a_verified_certificate(server, certificate):
    trusted = ["--cacert", str(certificate.chain)]
    told = "%{http_version} %{response_code} %{ssl_verify_result}"

    answer = curl(*trusted, "--output", "/dev/null", "--write-out", told, f"{https(server)}/readyz")
    refused = curl("--output", "/dev/null", f"{https(server)}/readyz")
    old = curl(*trusted, "--tls-max", "1.1", "--output", "/dev/null", f"{https(server)}/readyz")

    assert answer.stdout == "2 200 0", answer.stderr
    assert refused.returncode == 60, "a client that does not know the authority refuses it"
    assert old.returncode == 35, "TLS 1.1 is not spoken"


def test_the_security_and_cross_origin_headers_are_as_documented(server, certificate):
    options = ["--cacert", str(certificate.chain), "--head", "-H", "Origin: https://shop.example"]
    stream = "11111111-2222-4333-8444-555555555555"
    hsts = "max-age=31536000"

    page = headers_of(curl(*options, f"{https(server)}/"))
    api = headers_of(curl(*options, f"{https(server)}/api/v1/streams"))
    media = headers_of(curl(*options, f"{https(server)}/live/{stream}/video/segment-1.m4s"))
    playlist = headers_of(curl(*options, f"{https(server)}/live/{stream}/index.m3u8"))
    nothing = headers_of(curl(*options, f"{https(server)}/hooks/publish"))
    plain = headers_of(curl("--head", f"{server.url}/"))

    for found in (page, api, media, playlist, nothing):
        assert found["strict-transport-security"] == hsts
        assert found["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in plain
    assert page["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'self'" in page["content-security-policy"]
    assert page["referrer-policy"] == "no-referrer"
    for found in (api, media, playlist, nothing):
        assert found["access-control-allow-origin"] == "*"
    assert "x-request-id" in api
    assert playlist["cross-origin-resource-policy"] == "cross-origin"


def test_who_comes_without_tls_from_elsewhere_is_sent_to_it(server):
    elsewhere = headers_of(curl("--head", "--interface", "127.0.0.9", f"{server.url}/watch/x?a=1"))

    assert elsewhere["location"] == f"{https(server)}/watch/x?a=1"


def test_an_address_that_asks_too_often_is_told_to_wait(server, certificate):
    urls = f"{https(server)}/api/v1/streams?n=[1-40]"
    options = ["--cacert", str(certificate.chain), "--output", "/dev/null", "--parallel"]
    told = ["--write-out", "%{response_code} %header{retry-after}\n"]

    hasty = curl(*options, *told, "--interface", "127.0.0.9", urls).stdout.splitlines()
    here = curl(*options, *told, urls).stdout.splitlines()

    assert hasty.count("200 ") >= 20, "the burst is let through"
    assert hasty.count("429 1") >= 1
    assert hasty.count("200 ") + hasty.count("429 1") == 40
    assert here.count("200 ") == 40, "this host is not counted"


def test_a_browser_speaks_http_2(server, browser):
    with browser.page(f"{https(server)}/", ignore_https_errors=True) as page:
        page.wait_for_function("performance.getEntriesByType('resource').length > 1")
        spoken = page.evaluate(
            "[...performance.getEntriesByType('navigation'),"
            " ...performance.getEntriesByType('resource')].map(e => e.nextHopProtocol)"
        )

    assert set(spoken) == {"h2"}


def test_ffmpeg_publishes_by_rtmps_and_verifies_the_certificate(server, certificate, tmp_path):
    clip = make_clip(tmp_path, size="320x180", video_kbps=400, duration_s=4)
    stream = server.live_stream("rtmps")
    url = f"rtmps://localhost:{server.settings['GOLIVE_RTMPS_PORT']}/live/{stream.key}"
    push = ["ffmpeg", "-v", "error", "-re", "-t", "4", "-i", str(clip.path), "-c", "copy"]
    verify = ["-tls_verify", "1", "-ca_file"]

    strange = make_certificate(server.data_dir, "strange")
    refused = subprocess.run(
        [*push, "-f", "flv", *verify, str(strange.chain), url],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    ended = subprocess.run(
        [*push, "-f", "flv", *verify, str(certificate.chain), url],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert refused.returncode != 0, "the handshake fails with another authority"
    assert ended.returncode == 0, ended.stderr
    accepted = [e for e in server.events("publish_accepted") if e["stream_id"] == stream.id]
    assert len(accepted) == 1
    assert server.end(stream)["vodUrl"], "what came by RTMPS is recorded"


async def test_the_encoders_own_address_arrives_through_rtmps(server, certificate):
    stream = server.live_stream("address")
    context = ssl.create_default_context(cafile=str(certificate.chain))
    port = int(server.settings["GOLIVE_RTMPS_PORT"])
    publication = RtmpPublication(port, "live", stream.key, source="127.0.0.9", tls=context)

    await publication.open()
    await publication.close()

    accepted = [e for e in server.events("publish_accepted") if e["stream_id"] == stream.id]
    assert [event["address"] for event in accepted] == ["127.0.0.9"]


async def test_a_renewed_certificate_is_used_without_a_reload(server, certificate):
    port = int(server.settings["GOLIVE_RTMPS_PORT"])

    async def shown() -> bytes:
        context = ssl.create_default_context(cafile=str(certificate.chain))
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        await writer.wait_closed()
        return found

    before = await shown()
    make_certificate(certificate.chain.parent, certificate.chain.stem)

    assert await shown() != before
