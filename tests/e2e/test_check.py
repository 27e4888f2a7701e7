"""`golive check` beside a running server: nothing fails, and what is broken is found."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.servers import golive_server

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with golive_server(tmp_path_factory.mktemp("check")) as started:
        yield started


def run_check(server, *options: str, **settings: str) -> subprocess.CompletedProcess:
    environment = {n: v for n, v in os.environ.items() if not n.startswith("GOLIVE_")}
    addresses = {
        "GOLIVE_PUBLIC_URL": server.url,
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
