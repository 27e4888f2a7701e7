"""A server as its operator meets it: checked, with TLS, watched."""

import asyncio
import json
import os
import re
import socket
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.certificates import make_certificate
from tests.support.collector import collector
from tests.support.processes import free_ports, wait_until
from tests.support.pushers import make_clip
from tests.support.rtmp_publisher import RtmpPublication
from tests.support.servers import LiveStream, golive_server

pytestmark = pytest.mark.e2e

CONFIG = Path(__file__).parents[2] / "config"
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def traces():
    with collector() as kept:
        yield kept


@pytest.fixture(scope="module")
def server(tmp_path_factory, certificate, traces):
    https_port, rtmps_port, metrics_port = free_ports(3)
    settings = {
        "GOLIVE_TLS_CERTIFICATE": str(certificate.chain),
        "GOLIVE_TLS_KEY": str(certificate.key),
        "GOLIVE_HTTPS_PORT": str(https_port),
        "GOLIVE_RTMPS_PORT": str(rtmps_port),
        "GOLIVE_METRICS_LISTEN": f"127.0.0.1:{metrics_port}",
        "GOLIVE_OTLP_ENDPOINT": traces.endpoint,
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
        timeout=150,
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


@dataclass(frozen=True)
class Published:
    """What ffmpeg pushed by RTMPS, and what it said; once to a server that it did not trust."""

    stream: LiveStream
    ended: subprocess.CompletedProcess
    distrusting: subprocess.CompletedProcess


@pytest.fixture(scope="module")
def published(server, certificate, tmp_path_factory):
    folder = tmp_path_factory.mktemp("push")
    clip = make_clip(folder, size="320x180", video_kbps=400, duration_s=4)
    strange = make_certificate(folder, "strange")
    stream = server.live_stream("rtmps")
    url = f"rtmps://localhost:{server.settings['GOLIVE_RTMPS_PORT']}/live/{stream.key}"

    def push(authority: Path) -> subprocess.CompletedProcess:
        argv = ["ffmpeg", "-v", "error", "-re", "-i", str(clip.path), "-c", "copy", "-f", "flv"]
        argv += ["-tls_verify", "1", "-ca_file", str(authority), url]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    distrusting, ended = push(strange.chain), push(certificate.chain)
    return Published(stream, ended, distrusting)


def test_ffmpeg_publishes_by_rtmps_and_verifies_the_certificate(server, published):
    assert published.distrusting.returncode != 0, "the handshake fails with another authority"
    assert published.ended.returncode == 0, published.ended.stderr
    stream = published.stream
    accepted = [e for e in server.events("publish_accepted") if e["stream_id"] == stream.id]
    assert len(accepted) == 1
    assert server.end(stream)["vodUrl"], "what came by RTMPS is recorded"


def test_the_encoders_own_address_arrives_through_rtmps(server, certificate):
    stream = server.live_stream("address")
    context = ssl.create_default_context(cafile=str(certificate.chain))
    port = int(server.settings["GOLIVE_RTMPS_PORT"])
    publication = RtmpPublication(port, "live", stream.key, source="127.0.0.9", tls=context)

    async def publish() -> None:
        await publication.open()
        await publication.close()

    # The browser keeps an event loop running in this thread.
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, publish()).result(60)

    accepted = [e for e in server.events("publish_accepted") if e["stream_id"] == stream.id]
    assert [event["address"] for event in accepted] == ["127.0.0.9"]


def test_a_renewed_certificate_is_used_without_a_reload(server, certificate):
    address = ("127.0.0.1", int(server.settings["GOLIVE_RTMPS_PORT"]))

    def shown() -> bytes:
        context = ssl.create_default_context(cafile=str(certificate.chain))
        with (
            socket.create_connection(address, timeout=30) as raw,
            context.wrap_socket(raw, server_hostname=address[0]) as encrypted,
        ):
            return encrypted.getpeercert(binary_form=True)

    before = shown()
    kept = {path: path.read_bytes() for path in (certificate.chain, certificate.key)}
    try:
        make_certificate(certificate.chain.parent, certificate.chain.stem)
        renewed = shown()
    finally:
        for path, content in kept.items():
            path.write_bytes(content)

    assert renewed != before


# --- watched


def metrics(server) -> str:
    answer = curl(f"http://{server.settings['GOLIVE_METRICS_LISTEN']}/metrics")
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def samples(server) -> dict[tuple, float]:
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics(server))
        for sample in family.samples
    }


def names(text: str) -> set[str]:
    """Metrics that an expression speaks of, as families: without what a kind adds."""
    found = re.findall(r"\b(?:golive|process|python)_[a-z0-9_]+|\bup\b", text)
    return {re.sub(r"_(?:bucket|sum|count|total|created|info)$", "", name) for name in found}


def shown() -> tuple[str, str]:
    """All expressions of the dashboard, and all of the alerts."""
    board = json.loads((CONFIG / "grafana-dashboard.json").read_text())
    panels = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    rules = re.findall(r"expr: (.*(?:\n {10}.*)*)", (CONFIG / "prometheus-alerts.yml").read_text())
    return "\n".join(panels), "\n".join(rules)


def test_the_dashboard_and_the_alerts_speak_of_real_metrics_and_of_all(server):
    known = {
        re.sub(r"_(?:total|info)$", "", line.split()[2])
        for line in metrics(server).splitlines()
        if line.startswith("# TYPE ") and not line.endswith("_created gauge")
    }
    board, rules = shown()
    guide = (DOCS / "observability.md").read_text()
    ours = {name for name in known if name.startswith("golive_")}

    assert len(ours) > 30
    assert names(board) - known == set(), "the dashboard shows what there is"
    assert names(rules) - known == {"up"}, "Prometheus makes that one itself"
    missing = {name for name in ours if name not in names(board)}
    assert missing == set(), "shown, or excused in the guide"
    assert {name for name in ours if f"`{name}" not in guide} == set(), "all are explained"
    others = {name for name in known - ours if name not in names(board)}
    assert {name for name in others if f"`{name}" not in guide} == set(), "all have a reason"


def test_what_ffmpeg_published_leaves_its_figures_and_one_line(server, published):
    wait_until(lambda: server.events("publication_ended"), 20, "the line")
    stream = published.stream
    (line,) = [e for e in server.events("publication_ended") if e["stream_id"] == stream.id]
    found = samples(server)

    assert (line["outcome"], line["error"], line["address"]) == ("ended", None, "127.0.0.1")
    assert line["first_part_after_s"] > 0
    assert line["duration_s"] > 2
    assert (line["restarts"], line["packets_dropped"]) == (0, 0)
    assert found["golive_hooks_total", "accepted", "publish"] >= 1
    assert found["golive_publications_total", "ended"] >= 1
    assert found["golive_session_start_seconds_count",] >= 1
    assert found["golive_hook_duration_seconds_count", "publish"] >= 1
    assert found["golive_dependency_up", "database"] == 1
    assert found["golive_dependency_up", "nginx-rtmp"] == 1
    assert found["golive_event_loop_lag_seconds_count",] > 0


def test_an_ffmpeg_that_is_refused_is_counted_by_the_reason(server):
    url = f"rtmp://127.0.0.1:{server.rtmp_port}/live/sk_unknown"
    source = ["-f", "lavfi", "-i", "testsrc2=size=64x36:rate=5"]
    argv = ["ffmpeg", "-v", "quiet", *source, "-t", "1", "-f", "flv", url]
    subprocess.run(argv, timeout=60, check=False)

    assert samples(server)["golive_hooks_total", "publish", "unknown_key"] >= 1


def test_a_request_is_one_line_with_its_id_in_every_log(server, certificate):
    name = "a-request-of-mine"
    ask = ["--cacert", str(certificate.chain), "-H", f"X-Request-ID: {name}"]
    token = ["-H", f"Authorization: Bearer {server.token('asker')}"]
    stream = "11111111-2222-4333-8444-555555555555"
    answer = curl(*ask, *token, "--include", f"{https(server)}/api/v1/streams/{stream}?x=secret")
    log = server.data_dir / "logs" / "access.log"

    assert headers_of(answer)["x-request-id"] == name
    wait_until(lambda: name in log.read_text(), 15, "nginx's line")
    (told,) = lines_of(server, name)
    assert (told["method"], told["route"]) == ("GET", "/api/v1/streams/{stream_id}")
    assert (told["status"], told["code"]) == (404, "stream_not_found")
    assert (told["stream_id"], told["address"]) == (stream, "127.0.0.1")
    assert told["user_id"]
    assert told["duration_ms"] >= 0
    assert "secret" not in json.dumps(told)
    assert (
        samples(server)["golive_http_requests_total", "/api/v1/streams/{stream_id}", "404", "GET"]
        >= 1
    )


def test_what_pages_ask_for_again_and_again_does_not_fill_the_log(server, certificate):
    for name, stream in (
        ("a-page-asks", server.live_stream("watched").id),
        ("somebody-asks", "11111111-2222-4333-8444-555555555555"),
    ):
        address = f"{https(server)}/api/v1/streams/{stream}"
        curl("--cacert", str(certificate.chain), "-H", f"X-Request-ID: {name}", address)
    wait_until(lambda: lines_of(server, "somebody-asks"), 15, "the refused one's line")
    assert lines_of(server, "a-page-asks") == []


def lines_of(server, request_id):
    return [e for e in server.events("request_answered") if e["request_id"] == request_id]


def test_a_trace_leads_from_the_hook_of_ffmpeg_to_the_first_part(traces, published):
    def firsts() -> list:
        return [span for span in traces.named("first part") if span.status.code == 0]

    wait_until(lambda: firsts() and traces.named("hook publish"), 20, "the spans")
    first = firsts()[0]
    hooks = {span.span_id: span for span in traces.named("hook publish")}

    hook = hooks[first.parent_span_id]
    assert hook.trace_id == first.trace_id
    assert hook.start_time_unix_nano <= first.start_time_unix_nano < first.end_time_unix_nano
    assert [event.name for event in hook.events] == ["accepted"]
    assert [event.name for event in first.events][-1] == "live"
    assert published.stream.key not in str(traces.spans)
