"""schemathesis against the published document on a running daemon: every check, nothing found.

`GOLIVE_TEST_SCHEMATHESIS_EXAMPLES=40` makes it more than 2 000 cases.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.http.api_daemon import api_daemon
from tests.support.tokens import Person, person

EXAMPLES = int(os.environ.get("GOLIVE_TEST_SCHEMATHESIS_EXAMPLES", "2"))
CONFIG = Path(__file__).with_name("schemathesis.toml")
GENERATED = re.compile(r"(\d+) generated, (\d+) passed")


def run(base: str, who: Person, config: Path, *, examples: int, phases: str) -> int:
    """Run it; answers the number of cases, all of which have passed."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", config, "run"),
        *(f"{base}/api/v1/openapi.json", "--url", f"{base}/api/v1"),
        *("-H", f"Authorization: Bearer {who.token}"),
        *("--checks", "all", "--phases", phases, "--max-examples", str(examples)),
        *("--generation-database", "none", "--no-color", "--continue-on-failure", "--seed", "1"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = GENERATED.search(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert found is not None, done.stdout
    assert found[1] == found[2], done.stdout
    return int(found[1])


async def test_no_generated_request_finds_a_defect(sqlite_factory):
    with api_daemon(await sqlite_factory.fresh()) as base:
        phases = "examples,coverage,fuzzing,stateful"
        cases = run(base, person("both", "generated"), CONFIG, examples=EXAMPLES, phases=phases)
    assert cases >= 1000 + 25 * EXAMPLES


@pytest.mark.parametrize("status", ["scheduled", "live"])
async def test_none_finds_a_defect_in_a_stream_that_exists(sqlite_factory, tmp_path, status):
    who = person("both", "generated")
    with api_daemon(await sqlite_factory.fresh()) as base:
        stream_id, product_id = await prepared(base, who, status)
        config = tmp_path / "schemathesis.toml"
        parameters = f'[parameters]\n"stream_id" = "{stream_id}"\n"product_id" = "{product_id}"\n'
        config.write_text(parameters + CONFIG.read_text())
        cases = run(base, who, config, examples=EXAMPLES, phases="coverage,fuzzing")
    assert cases >= 20 * EXAMPLES


async def prepared(base: str, who: Person, status: str) -> tuple[str, str]:
    product_id = "5834ec23-43d6-4a7b-92c2-e1a4af783b7e"
    async with aiohttp.ClientSession(f"{base}/api/v1/", headers=who.headers) as session:

        async def send(method: str, path: str, body: dict) -> dict:
            async with session.request(method, path, json=body) as response:
                assert response.ok, await response.text()
                return (await response.json())["data"]

        await send("PUT", f"products/{product_id}", {"title": "Mug", "price": 1, "currency": "EUR"})
        new = {"title": "Mugs", "category": "kitchen", "product_ids": [product_id]}
        stream_id = (await send("POST", "streams", new))["streamId"]
        if status == "live":
            ready = {"camera_ready": True, "checklist_complete": True}
            await send("POST", f"streams/{stream_id}/go-live", ready)
    return stream_id, product_id
