"""schemathesis against the published document of a whole running server: every check, no defect.

The server is `golive dev`, asked through nginx as clients ask it. nginx-rtmp's own call is tried
on the listener that nginx-rtmp uses. `GOLIVE_TEST_SCHEMATHESIS_EXAMPLES=40` makes it more than
2 000 cases.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from controller.domain.people import Role
from tests.support.processes import free_ports
from tests.support.servers import golive_server

EXAMPLES = int(os.environ.get("GOLIVE_TEST_SCHEMATHESIS_EXAMPLES", "2"))
CONFIG = Path(__file__).with_name("schemathesis.toml")
GENERATED = re.compile(r"(\d+) generated, (\d+) passed")
# nginx-rtmp alone reaches it; in public there is no such address.
HOOK = "/streams/validate-key"
# Its answer goes on for as long as the stream, and is read for a while each time: tried by itself.
EVENT_STREAM = "/streams/{stream_id}/room"
# Their bodies are SDP, which no schema makes; tests/e2e/test_webrtc_refusals.py asks them.
WEBRTC = "^/live/"
WITHOUT_OTHERS = (
    *("--exclude-path", HOOK, "--exclude-path", EVENT_STREAM, "--exclude-path-regex", WEBRTC),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A server whose hook listener is a port of its own, and that bears many wrong tokens."""
    (hook_port,) = free_ports(1)
    settings = {
        "GOLIVE_HOOK_LISTEN": f"127.0.0.1:{hook_port}",
        "GOLIVE_FAILURES_PER_MINUTE": "100000",
    }
    with golive_server(tmp_path_factory.mktemp("generated") / "data", settings) as server:
        yield server


def run(server, *options: str, phases: str, config: Path = CONFIG, base: str = "") -> int:
    """Run it; answers the number of cases, all of which have passed."""
    token = server.token("generated", Role.BOTH)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"),
        *(f"{server.url}/api/v1/openapi.json", "--url", f"{base or server.url}/api/v1"),
        *("-H", f"Authorization: Bearer {token}"),
        *("--checks", "all", "--phases", phases, "--max-examples", str(EXAMPLES)),
        *("--generation-database", "none", "--no-color", "--continue-on-failure", "--seed", "1"),
        *options,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = GENERATED.search(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert found is not None, done.stdout
    assert found[1] == found[2], done.stdout
    return int(found[1])


def test_no_generated_request_finds_a_defect(whole):
    phases = "examples,coverage,fuzzing,stateful"
    cases = run(whole, *WITHOUT_OTHERS, phases=phases)
    assert cases >= 1000 + 25 * EXAMPLES


@pytest.mark.parametrize("status", ["scheduled", "live"])
def test_none_finds_a_defect_in_a_stream_that_exists(whole, tmp_path, status):
    stream_id, token = whole.scheduled_stream("generated", role=Role.BOTH)
    if status == "live":
        ready = {"camera_ready": True, "checklist_complete": True}
        whole.expect(200, "POST", f"/streams/{stream_id}/go-live", ready, token=token)
    (product,) = whole.expect(200, "GET", f"/streams/{stream_id}", token=token)["products"]
    config = tmp_path / "schemathesis.toml"
    parameters = f'[parameters]\n"stream_id" = "{stream_id}"\n"product_id" = "{product["id"]}"\n'
    config.write_text(parameters + CONFIG.read_text())
    cases = run(whole, *WITHOUT_OTHERS, phases="coverage,fuzzing", config=config)
    assert cases >= 20 * EXAMPLES


def test_none_finds_a_defect_in_the_hook(whole):
    base = f"http://{whole.settings['GOLIVE_HOOK_LISTEN']}"
    assert run(whole, "--include-path", HOOK, phases="coverage,fuzzing", base=base) >= EXAMPLES


def test_none_finds_a_defect_in_the_rooms_events(whole):
    assert run(whole, "--include-path", EVENT_STREAM, phases="coverage,fuzzing") >= EXAMPLES
