"""Runs all checks at once, each within its time."""

import asyncio
from collections.abc import Sequence

import structlog

from controller.checking.findings import Check, Finding, fail

CHECK_TIMEOUT_S = 15.0


async def run_checks(checks: Sequence[Check], timeout_s: float = CHECK_TIMEOUT_S) -> list[Finding]:
    """The findings of all checks, in the order of the checks."""
    found = await asyncio.gather(*(_run(check, timeout_s) for check in checks))
    return [finding for findings in found for finding in findings]


async def _run(check: Check, timeout_s: float) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(timeout_s):
            return await check.run()
    except TimeoutError:
        return [
            fail(
                check.subject,
                f"no answer within {timeout_s:g} s",
                "See whether what it asks is reachable from this machine, then check again.",
            )
        ]
    except Exception as error:  # noqa: BLE001 - one check's defect must not hide the others
        structlog.get_logger().debug("check_crashed", check=check.subject, exc_info=True)
        return [
            fail(
                check.subject,
                f"the check itself failed ({type(error).__name__})",
                "Run it again with GOLIVE_LOG_LEVEL=debug and report the traceback.",
            )
        ]
