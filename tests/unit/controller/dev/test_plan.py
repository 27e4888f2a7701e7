"""What is started, with which addresses, and that nginx takes the configurations."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from controller.dev.layout import DataLayout, opened_layout, prepare_data_dir
from controller.dev.plan import DevOptions, DevPlan, make_plan
from controller.dev.prerequisites import find_nginx, search_path
from controller.settings import Settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith("GOLIVE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def layout(tmp_path):
    with opened_layout(prepare_data_dir(tmp_path / 'data "quoted" \\ odd')) as layout:
        yield layout


def plan_of(layout: DataLayout, options: DevOptions, **settings: object) -> DevPlan:
    return make_plan(
        options, Settings(**settings), layout, find_nginx(search_path()), {"HOME": "/h"}
    )


def text_of(plan: DevPlan, name: str) -> str:
    return (plan.layout.run_dir / name).read_text()


def refused(plan: DevPlan) -> list[str]:
    ended = [
        subprocess.run(spec.argv, capture_output=True, text=True, timeout=20, check=False)
        for spec in plan.config_tests
    ]
    return [one.stderr for one in ended if one.returncode or one.stderr]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"spool": False},
        {"store_url": "s3://shop", "private_store_url": "s3://closed"},
        {
            "http_listen": "127.0.0.1:18090",
            "hook_listen": "127.0.0.1:18091",
            "nginx_control": "http://127.0.0.1:18092",
        },
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "127.0.0.2"])
def test_nginx_takes_both_configurations_without_a_word(layout, host, settings):
    plan = plan_of(layout, DevOptions(http_port=18080, rtmp_port=11935, host=host), **settings)

    assert refused(plan) == []


def test_the_traps_of_nginx_rtmp_are_avoided(layout):
    text = text_of(plan_of(layout, DevOptions()), "rtmp.conf")

    for line in (
        "worker_processes 1;",
        "access_log off;",
        "error_log stderr notice;",
        "notify_method post;",
        "idle_streams on;",
        "publish_notify on;",
        "wait_key off;",
        "drop_idle_publisher 10s;",
        "out_queue 8192;",
        "max_message 4M;",
        "deny play all;",
        "record_lock on;",
    ):
        assert f" {line}" in f" {text.replace(chr(10), ' ')}", line
    assert "on_update " not in text.replace("No on_update:", "")
    assert "listen unix" not in text.split("http {")[0]


def test_the_daemon_is_told_what_nginx_was_told(layout):
    plan = plan_of(layout, DevOptions(http_port=8123, rtmp_port=1936))

    env = plan.daemon.env
    assert env["HOME"] == "/h"
    assert env["GOLIVE_DATA_DIR"] == str(layout.data_dir)
    assert env["GOLIVE_PUBLIC_URL"] == plan.public_url == "http://127.0.0.1:8123"
    assert env["GOLIVE_RTMP_URL"] == plan.rtmp_url == "rtmp://127.0.0.1:1936/live"
    assert env["GOLIVE_RTMP_PULL_URL"] == "rtmp://127.0.0.1:1936/live"
    assert env["GOLIVE_HTTP_LISTEN"] == plan.daemon_listen == f"unix:{layout.daemon_socket}"
    assert f'server "unix:{layout.daemon_socket}"' in text_of(plan, "http.conf")
    assert f"http://unix:{layout.hook_socket}:/hooks/publish" in text_of(plan, "rtmp.conf")
    assert env["GOLIVE_HOOK_LISTEN"] == f"unix:{layout.hook_socket}"
    assert env["GOLIVE_NGINX_CONTROL"] == f"unix:{layout.control_socket}"


def test_what_the_user_has_set_is_kept(layout):
    plan = plan_of(
        layout,
        DevOptions(),
        public_url="https://live.example",
        rtmp_url="rtmp://ingest.example/live",
        http_listen="127.0.0.1:9000",
    )

    assert plan.daemon.env["GOLIVE_PUBLIC_URL"] == "https://live.example"
    assert plan.rtmp_url == "rtmp://ingest.example/live"
    assert plan.local_url == "http://127.0.0.1:8080"
    assert 'server "127.0.0.1:9000"' in text_of(plan, "http.conf")


def test_listening_everywhere_still_serves_loopback_and_shows_a_usable_address(layout):
    plan = plan_of(layout, DevOptions(host="0.0.0.0"))

    assert plan.local_url == "http://127.0.0.1:8080"
    assert "0.0.0.0" not in plan.public_url
    assert "listen 0.0.0.0:1935 " in text_of(plan, "rtmp.conf")


def test_one_address_of_the_machine_leaves_loopback_to_the_session_workers(layout):
    text = text_of(plan_of(layout, DevOptions(host="127.0.0.2")), "rtmp.conf")

    assert "listen 127.0.0.2:1935 " in text
    assert "listen 127.0.0.1:1935 " in text


def test_the_daemon_is_this_python(layout):
    plan = plan_of(layout, DevOptions(config_file=Path("golive.toml")))

    assert plan.daemon.argv == (sys.executable, "-m", "controller.cli", "serve")
    assert plan.migrate.argv[-1] == "migrate"
    assert plan.daemon.env["GOLIVE_CONFIG"] == str(Path("golive.toml").resolve())


def test_secrets_folder_and_configurations_are_the_owners_alone(layout):
    plan_of(layout, DevOptions())

    assert (layout.run_dir / "http.conf").stat().st_mode & 0o077 == 0


def test_the_spool_may_have_a_volume_of_its_own(tmp_path):
    elsewhere = tmp_path / "spool volume"
    with opened_layout(prepare_data_dir(tmp_path / "data"), elsewhere) as layout:
        plan = plan_of(layout, DevOptions(), spool_dir=elsewhere)
        assert elsewhere.is_dir()
        assert f'record_path "{elsewhere}";' in text_of(plan, "rtmp.conf")
        assert refused(plan) == []


def test_only_a_private_bucket_makes_nginx_ask_the_daemon_for_recordings(layout):
    assert "@vod" not in text_of(plan_of(layout, DevOptions(), store_url="s3://shop"), "http.conf")
    plan = plan_of(layout, DevOptions(), store_url="s3://shop", private_store_url="s3://closed")
    assert "try_files $uri @vod;" in text_of(plan, "http.conf")
