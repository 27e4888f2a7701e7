"""What a running daemon says of itself: its API, its room, its metrics."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

_READY_S = 60.0
_END_S = 30.0
_POLL_S = 0.1
_ANY_HOST = "http://golive"


class DaemonSilent(Exception):
    """The daemon did not start; its last lines say why."""


@dataclass(frozen=True, slots=True)
class Said:
    """Its OpenAPI and AsyncAPI documents, and `/metrics` as text."""

    openapi: dict[str, Any]
    asyncapi: dict[str, Any]
    metrics: str


def ask_daemon() -> Said:
    """Run `golive serve` on an empty folder, ask it, and end it.

    DaemonSilent when it does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="golive-docs-") as folder:
        data = Path(folder) / "data"
        golive = (sys.executable, "-m", "controller.cli")
        environment = _environment(Path(folder))
        subprocess.run(
            (*golive, "migrate", "--data", str(data)),
            env=environment, check=True, capture_output=True, timeout=_READY_S,
        )  # fmt: skip
        log = Path(folder) / "log"
        with log.open("wb") as written:
            daemon = subprocess.Popen(
                (*golive, "serve", "--data", str(data)),
                env=environment, stdout=written, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            return asyncio.run(_ask(Path(folder), daemon))
        except TimeoutError:
            raise DaemonSilent("\n".join(log.read_text("utf-8").splitlines()[-5:])) from None
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(_END_S)


def _environment(folder: Path) -> dict[str, str]:
    """Embedded defaults but for the sockets: no port is taken."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")}
    return {
        **others,
        "GOLIVE_HTTP_LISTEN": f"unix:{folder}/http",
        "GOLIVE_METRICS_LISTEN": f"unix:{folder}/metrics",
    }


async def _ask(folder: Path, daemon: subprocess.Popen[bytes]) -> Said:
    async with asyncio.timeout(_READY_S):
        while not all((folder / name).exists() for name in ("http", "metrics")):
            if daemon.poll() is not None:
                raise TimeoutError
            await asyncio.sleep(_POLL_S)
        return Said(
            openapi=await _read(folder / "http", "/api/v1/openapi.json", as_json=True),
            asyncapi=await _read(folder / "http", "/api/v1/asyncapi.json", as_json=True),
            metrics=await _read(folder / "metrics", "/metrics", as_json=False),
        )


async def _read(socket: Path, path: str, *, as_json: bool) -> Any:
    connector = aiohttp.UnixConnector(str(socket))
    async with aiohttp.ClientSession(connector=connector) as session:
        while True:
            try:
                async with session.get(f"{_ANY_HOST}{path}") as answer:
                    answer.raise_for_status()
                    return await (answer.json() if as_json else answer.text())
            except aiohttp.ClientConnectorError:  # the socket is there and nobody listens yet
                await asyncio.sleep(_POLL_S)
