"""Whether the daemon is alive, and whether it may take traffic."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from aiohttp import web

from controller.errors import ControllerError

CHECK_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class ReadinessCheck:
    """Something that must work before traffic is taken; `check` raises when it does not, and may
    answer what else there is to know."""

    name: str
    check: Callable[[], Awaitable[Mapping[str, object] | None]]


class HealthHandlers:
    """Answers /healthz and /readyz."""

    def __init__(self, checks: Sequence[ReadinessCheck]) -> None:
        self._checks = tuple(checks)
        self._log = structlog.get_logger(__name__)

    async def healthz(self, _request: web.Request) -> web.Response:
        """200 as long as the process answers at all."""
        return web.json_response({"status": "ok"}, headers={"Cache-Control": "no-store"})

    async def readyz(self, _request: web.Request) -> web.Response:
        """200 when every check passes within its time, else 503 with each reason."""
        found = await asyncio.gather(*(self._found(check) for check in self._checks))
        is_ready = all(one["ok"] for one in found)
        checks = {check.name: one for check, one in zip(self._checks, found, strict=True)}
        return web.json_response(
            {"status": "ready" if is_ready else "not ready", "checks": checks},
            status=200 if is_ready else 503,
            headers={"Cache-Control": "no-store"},
        )

    async def _found(self, check: ReadinessCheck) -> dict[str, object]:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                return {"ok": True, **(await check.check() or {})}
        except ControllerError as error:
            reason = error.detail
        except TimeoutError:
            reason = f"no answer within {CHECK_TIMEOUT_S:.0f} s"
        except Exception as error:  # noqa: BLE001 - whatever it is, the daemon is not ready
            self._log.warning("readiness_check_failed", check=check.name, exc_info=True)
            reason = type(error).__name__
        return {"ok": False, "reason": reason}
