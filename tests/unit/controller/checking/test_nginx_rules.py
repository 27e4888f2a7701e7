"""Every trap of nginx is found in a configuration that has it, and in no other."""

from dataclasses import replace

import pytest

from controller.checking.findings import Level
from controller.checking.http_rules import http_findings
from controller.checking.rtmp_rules import rtmp_findings
from tests.unit.controller.checking.conftest import changed

# What is changed in the shipped configuration, and the remedy that must be told.
RTMP_TRAPS = {
    "two workers": (
        r"worker_processes 1;",
        "worker_processes 2;",
        "Change it to `worker_processes 1;` and restart (do not reload) this nginx.",
    ),
    "auto push": (
        r"worker_processes 1;",
        "worker_processes 1; rtmp_auto_push on;",
        "Delete the line.",
    ),
    "keys in the error log": (
        r"error_log stderr notice;",
        "error_log /var/log/nginx/rtmp.log info;",
        "Change it to `error_log /var/log/nginx/rtmp.log notice;`.",
    ),
    "keys in the access log": (
        r"access_log off;",
        "access_log /var/log/nginx/rtmp-access.log;",
        "Write `access_log off;` into the rtmp block.",
    ),
    "access log by default": (
        r"access_log off;",
        "",
        "Write `access_log off;` into the rtmp block.",
    ),
    "hooks by GET": (
        r"notify_method post;",
        "notify_method get;",
        "Change it to `notify_method post;`.",
    ),
    "netcall timeout too short": (
        r"netcall_timeout 8s;",
        "netcall_timeout 2500ms;",
        "Change it to `netcall_timeout 8s;`.",
    ),
    "message limit too low": (
        r"max_message 4M;",
        "",
        "Write `max_message 4M;` into the rtmp block.",
    ),
    "queue too short": (
        r"out_queue 8192;",
        "out_queue 256;",
        "Write `out_queue 8192;` into the rtmp block.",
    ),
    "unix listener without hooks": (
        r"listen 0\.0\.0\.0:1935",
        "listen unix:/run/rtmp.sock; listen 0.0.0.0:1935",
        "Listen on `127.0.0.1:PORT` instead.",
    ),
    "addresses that strangers claim": (
        r"listen 0\.0\.0\.0:1935",
        "listen 1937 proxy_protocol; listen 0.0.0.0:1935",
        "Listen on `127.0.0.1:PORT proxy_protocol` instead.",
    ),
    "wait_key on": (
        r"wait_key off;",
        "wait_key on;",
        "Write `wait_key off;` into the application.",
    ),
    "wait_key by default": (
        r"wait_key off;",
        "",
        "Write `wait_key off;` into the application.",
    ),
    "idle publishers stay": (
        r"drop_idle_publisher 10s;",
        "",
        "Write `drop_idle_publisher 10s;` into the application.",
    ),
    "idle publishers stay long": (
        r"drop_idle_publisher 10s;",
        "drop_idle_publisher 5m;",
        "Change it to `drop_idle_publisher 10s;`.",
    ),
    "players from outside": (
        r"deny play all;",
        "",
        "Write `allow play 127.0.0.1;` and `deny play all;` into the application.",
    ),
    "no publish hook": (r"on_publish \".*", "", "Add `on_publish http://unix:"),
    "another publish hook": (
        r"on_publish \".*",
        "on_publish http://127.0.0.1:9000/hooks/publish;",
        "Let it call `/hooks/publish` on unix:",
    ),
    "update hook": (
        r"on_play ",
        "on_update http://127.0.0.1:9000/hooks/update; on_play ",
        "Delete the line: golive does not need it.",
    ),
    "no publish notify": (
        r"publish_notify on;",
        "",
        "Write `publish_notify on;` into the application.",
    ),
    "no idle streams": (
        r"idle_streams on;",
        "idle_streams off;",
        "Write `idle_streams on;` into the application.",
    ),
    "wait_video": (
        r"wait_video off;",
        "wait_video on;",
        "Write `wait_video off;` into the application.",
    ),
    "HLS by nginx": (r"live on;", "live on; hls on;", "Write `hls off;` into the application."),
    "buffer": (r"live on;", "live on; buffer 1s;", "Delete the line."),
    "no spool": (r"record_path \".*", "record_path /elsewhere;", "Add `recorder spool {"),
    "spool without lock": (
        r"record_lock on;",
        "",
        "Write `record_lock on;` into the recorder.",
    ),
}

HTTP_TRAPS = {
    "control from outside": (
        r"location = / \{",
        "location /control/ { rtmp_control all; }\n location = / {",
        "Move it into a server that has `listen 127.0.0.1:PORT;` or a unix socket.",
    ),
    "statistics from outside": (
        r"location = / \{",
        "location = /stat { rtmp_stat all; }\n location = / {",
        "Move it into a server that has `listen 127.0.0.1:PORT;` or a unix socket.",
    ),
    "hooks from outside": (
        r"location = / \{",
        "location /hooks/ { proxy_pass http://HOOKS:; }\n location = / {",
        "Proxy to GOLIVE_HTTP_LISTEN here; hooks and /metrics stay on this host.",
    ),
    "tokens in the access log": (
        r"\"\$request_method \$logged_path ",
        '"$request ',
        "Use a log_format without $request, $request_uri and $args, or `access_log off;`.",
    ),
    "the usual access log": (
        r"access_log (\".*\") golive",
        r"access_log \1 combined",
        "Use a log_format without $request, $request_uri and $args, or `access_log off;`.",
    ),
    "cache lock": (
        r"proxy_cache playback_access;",
        "proxy_cache playback_access; proxy_cache_lock on;",
        "Change it to `proxy_cache_lock off;`.",
    ),
    "old TLS": (
        r"listen 0\.0\.0\.0:8080;",
        "listen 443 ssl; ssl_protocols TLSv1 TLSv1.2;",
        "Change it to `ssl_protocols TLSv1.2 TLSv1.3;`.",
    ),
}


def test_the_shipped_configurations_have_no_trap(configs):
    rtmp, http = configs.read(configs.rtmp), configs.read(configs.http)

    assert list(rtmp_findings(rtmp, configs.expected)) == []
    for config in (rtmp, http):
        assert list(http_findings(config, configs.expected.hook_listen)) == []


@pytest.mark.parametrize("trap", RTMP_TRAPS)
def test_a_trap_of_nginx_rtmp_is_found_with_the_line_to_change(configs, trap):
    pattern, replacement, remedy = RTMP_TRAPS[trap]
    broken = configs.read(changed(configs.rtmp, pattern, replacement))

    (finding,) = rtmp_findings(broken, configs.expected)

    assert finding.level is not Level.OK
    assert finding.remedy.startswith(remedy)
    assert "\n" not in finding.remedy + finding.found
    assert f"{configs.folder}/nginx.conf:" in finding.found, "it says where"


def test_a_hook_listener_that_is_a_passed_socket_may_be_anywhere(configs):
    passed = replace(configs.expected, hook_listen="")
    other = changed(
        configs.rtmp, r"on_publish \".*", "on_publish http://127.0.0.1:9000/hooks/publish;"
    )
    wrong = changed(configs.rtmp, r"on_publish \".*", "on_publish http://127.0.0.1:9000/else;")

    assert list(rtmp_findings(configs.read(other), passed)) == []
    assert len(list(rtmp_findings(configs.read(wrong), passed))) == 1


@pytest.mark.parametrize("trap", HTTP_TRAPS)
def test_a_trap_in_front_of_the_daemon_is_found_with_the_line_to_change(configs, trap):
    pattern, replacement, remedy = HTTP_TRAPS[trap]
    replacement = replacement.replace("HOOKS", configs.expected.hook_listen)
    broken = configs.read(changed(configs.http, pattern, replacement))

    (finding,) = http_findings(broken, configs.expected.hook_listen)

    assert (finding.level is Level.OK, finding.remedy) == (False, remedy)


def test_what_only_some_may_reach_is_not_open(configs):
    guarded = changed(
        configs.http,
        r"location = / \{",
        "location = /stat { allow 10.0.0.0/8; deny all; rtmp_stat all; }\n location = / {",
    )

    assert list(http_findings(configs.read(guarded), configs.expected.hook_listen)) == []


def test_hooks_are_found_behind_an_upstream(configs):
    text = changed(
        configs.http,
        r"upstream daemon \{",
        f"upstream hidden {{ server {configs.expected.hook_listen}; }}\n upstream daemon {{",
    )
    text = changed(
        text, r"location = / \{", "location /h/ { proxy_pass http://hidden; }\n location = / {"
    )

    (finding,) = http_findings(configs.read(text), configs.expected.hook_listen)

    assert "strangers reach golive's hook listener" in finding.found
