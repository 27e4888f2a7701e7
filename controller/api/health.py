"""Whether the daemon is alive, and whether it may take traffic."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from aiohttp import web

from controller.errors import ControllerError

CHECK_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class ReadinessCheck:
    """Something that must work before traffic is taken; `check` raises when it does not."""

    name: str
    check: Callable[[], Awaitable[None]]


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
        reasons = await asyncio.gather(*(self._reason(check) for check in self._checks))
        is_ready = not any(reasons)
        checks = {
            check.name: {"ok": True} if reason is None else {"ok": False, "reason": reason}
            for check, reason in zip(self._checks, reasons, strict=True)
        }
        return web.json_response(
            {"status": "ready" if is_ready else "not ready", "checks": checks},
            status=200 if is_ready else 503,
            headers={"Cache-Control": "no-store"},
        )

    async def _reason(self, check: ReadinessCheck) -> str | None:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await check.check()
        except ControllerError as error:
            return error.detail
        except TimeoutError:
            return f"no answer within {CHECK_TIMEOUT_S:.0f} s"
        except Exception as error:  # noqa: BLE001 - whatever it is, the daemon is not ready
            self._log.warning("readiness_check_failed", check=check.name, exc_info=True)
            return type(error).__name__
        return None
