"""Asks the running server of this installation, as an administrator."""

from typing import Any

import aiohttp

from controller.settings import Settings

_TIMEOUT_S = 60.0


class DaemonUnreachable(Exception):
    """The server does not answer."""


class DaemonRefused(Exception):
    """The server said no; its sentence is the message."""


async def call_daemon(settings: Settings, method: str, path: str, bearer: str) -> dict[str, Any]:
    """The `data` of the answer to a call below /api/v1; DaemonUnreachable, DaemonRefused."""
    address = http_address(settings)
    socket = address.removeprefix("unix:")
    is_unix = socket != address
    base = "http://daemon" if is_unix else f"http://{address}"
    connector = aiohttp.UnixConnector(path=socket) if is_unix else aiohttp.TCPConnector()
    headers = {"Authorization": f"Bearer {bearer}"}
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.request(method, f"{base}/api/v1{path}", headers=headers) as response,
        ):
            answer = await response.json(content_type=None)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise DaemonUnreachable(f"the server does not answer on {address}") from error
    if not answer.get("success"):
        raise DaemonRefused(answer.get("detail", "refused"))
    data: dict[str, Any] = answer["data"]
    return data


def http_address(settings: Settings) -> str:
    """Where the server listens: the same as `controller.app.Addresses`, which is not imported
    because the whole media plane comes with it.
    """
    return settings.http_listen or f"unix:{settings.data_dir.absolute()}/run/daemon.sock"
