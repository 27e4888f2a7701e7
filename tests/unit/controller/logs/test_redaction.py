"""No secret comes out of the log, wherever in an event it was."""

import io
import json
import logging
import uuid
import warnings
from pathlib import Path

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from controller.logs import (
    REDACTED,
    AccessLogger,
    configure_logging,
    redact_event,
    redact_text,
)

KEY = "sk_N0tAR3alK3yN0tAR3alK3yN0tAR3alK3yN0tAR3al-_x"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLW9mLWl0"
SECRETS = ("N0tAR3al", "c2lnbmF0", "hunter2")


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        f"publish {KEY} refused",
        f"rtmp://127.0.0.1:1935/live/{KEY}",
        f"tcurl=rtmp%3A%2F%2Fh%2Flive%2F{KEY}",
        f"name={KEY}&type=live",
        f"live_{KEY}",
        f"x{KEY}",
        f"'{KEY}'",
        f"{KEY[:12]}",
        f"Authorization: Bearer {JWT}",
        f"authorization: bearer {JWT}",
        "Authorization: Basic hunter2hunter2",
        "signed with whsec_N0tAR3alN0tAR3al+/=",
        f"GET /api/v1/ws?token={JWT} HTTP/1.1",
        f"?a=1&token={JWT[:40]}",
        JWT,
        f"[{JWT}]",
        "GET /x?token=hunter2",
        "GET /x?a=b&access_token=hunter2&c=d",
        "key=hunter2",
        "streamkey=hunter2",
        "stream_key: hunter2",
        "password=hunter2",
        "PASSWORD = hunter2",
        'password="hunter2 with space"',
        "{'password': 'hunter2'}",
        '{"auth_secret": "hunter2"}',
        "token%3Dhunter2",
        "GOLIVE_S3_SECRET_ACCESS_KEY=hunter2",
        "postgresql://golive:hunter2@db.example/golive",
        "redis://:hunter2@localhost:6379/0",
        "https://hunter2@host/path",
        "postgresql://u:hunter2@2@host/x",
        f"could not open rtmp://u:hunter2@h/live/{KEY}?token=hunter2",
    ],
)
def test_secrets_are_taken_out_of_text(text):
    clean = redact_text(text)

    assert not [secret for secret in SECRETS if secret in clean], clean
    assert REDACTED in clean
    assert redact_text(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "task_id=7 disk_usage=3",
        "monkey: 3, hockey=4, the key to success",
        "2026-11-23T21:00:00Z a → b",
        "http://127.0.0.1:8080/live/0d3f1f0f-6a11-4c43-9d55-0d3f1f0f6a11/index.m3u8?_HLS_msn=4",
        "user@example.com",
        "risk_assessment_done",
        "unix:/tmp/x/daemon.sock:/readyz",
    ],
)
def test_other_text_is_left_alone(text):
    assert redact_text(text) == text


class Holder:
    def __repr__(self) -> str:
        return f"<Holder of {KEY}>"


@pytest.mark.parametrize(
    "value",
    [
        KEY,
        KEY.encode(),
        [KEY],
        (1, {"deep": [{"deeper": KEY}]}),
        {KEY: 1},
        {"password": "hunter2", "n": 1},
        {"headers": {"Authorization": "hunter2"}},
        frozenset([KEY]),
        Holder(),
        ValueError(f"refused {KEY}"),
        Path(f"/spool/{KEY}.flv"),
    ],
)
def test_secrets_are_taken_out_of_any_value(value):
    clean = redact_event(None, "info", {"event": "x", "value": value})

    text = json.dumps(clean)
    assert not [secret for secret in SECRETS if secret in text], text


@pytest.mark.parametrize("name", ["token", "stream_key", "password", "auth_secret", "key"])
def test_fields_with_a_secrets_name_say_nothing(name):
    assert redact_event(None, "info", {name: "hunter2"})[name] == REDACTED
    assert redact_event(None, "info", {name: None})[name] is None


def test_harmless_values_stay_as_they_are():
    stream_id = uuid.uuid4()
    event = {"event": "live", "n": 3, "ok": True, "s": 1.5, "none": None, "id": stream_id}

    assert redact_event(None, "info", event) == {**event, "id": str(stream_id)}


@pytest.fixture
def log_lines():
    """Logging set up on a stream that is no terminal, and put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("auto", "info", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_both_kinds_of_loggers_give_json_lines_of_one_shape(log_lines):
    structlog.stdlib.get_logger("golive.x").info("stream live", stream_id="s1")
    logging.getLogger("aiohttp.server").warning("odd %s", "thing", extra={"peer": "p"})
    logging.getLogger("aiohttp.server").debug("unseen")

    ours, theirs = log_lines()
    assert (ours["event"], ours["level"], ours["logger"]) == ("stream live", "info", "golive.x")
    assert (theirs["event"], theirs["level"], theirs["peer"]) == ("odd thing", "warning", "p")
    assert ours["timestamp"].endswith("Z")
    assert theirs["timestamp"].endswith("Z")


def test_tracebacks_and_arguments_are_redacted_too(log_lines):
    log = structlog.stdlib.get_logger("golive.x")
    try:
        try:
            raise OSError(f"connect to rtmp://h/live/{KEY} failed")
        except OSError as error:
            raise RuntimeError(f"token={JWT}") from error
    except RuntimeError:
        log.exception("publish failed", url=f"rtmp://h/live/{KEY}")
        logging.getLogger("lib").exception("failed for %s", KEY)

    assert len(log_lines()) == 2
    for line in log_lines():
        text = json.dumps(line)
        assert "Traceback" in line["exception"]
        assert "RuntimeError" in line["exception"]
        assert not [secret for secret in SECRETS if secret in text], text


def test_warnings_become_events(log_lines):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"deprecated {KEY}", stacklevel=1)

    (line,) = log_lines()
    assert line["logger"] == "py.warnings"
    assert "N0tAR3al" not in line["event"]


def test_the_console_is_for_people_and_just_as_discreet():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("console", "info", stream)
    try:
        try:
            raise ValueError(KEY)
        except ValueError:
            structlog.stdlib.get_logger("golive.x").exception("refused", key=KEY)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()

    assert "refused" in stream.getvalue()
    assert "ValueError" in stream.getvalue()
    assert "N0tAR3al" not in stream.getvalue()


def test_requests_are_logged_without_their_query(caplog):
    logger = AccessLogger(logging.getLogger("access.test"), "")
    request = make_mocked_request("GET", f"/api/v1/ws?token={JWT}")

    with caplog.at_level(logging.DEBUG, "access.test"):
        assert logger.enabled
        logger.log(request, web.Response(text="x"), 0.0123)

    (record,) = caplog.records
    assert (record.method, record.path, record.status) == ("GET", "/api/v1/ws", 200)
    assert record.duration_ms == 12.3
    assert "token" not in str(record.__dict__)
