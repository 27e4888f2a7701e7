"""nginx: its program and module, and the configurations that stand in front of golive."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.checking.certificate_check import certificate_findings
from controller.checking.findings import Finding, fail, ok, warn
from controller.checking.http_rules import SUBJECT as HTTP
from controller.checking.http_rules import http_findings
from controller.checking.key_search import key_findings
from controller.checking.nginx_reader import Directive, NginxConfigError, read_nginx_config
from controller.checking.processes import NginxProcess
from controller.checking.rtmp_rules import SUBJECT as RTMP
from controller.checking.rtmp_rules import RtmpExpectations, rtmp_findings
from controller.dev.errors import DevError
from controller.dev.prerequisites import find_nginx

_SYSTEM = Path("/etc/nginx/nginx.conf")
_INSTALLED = Path("/etc/golive/nginx")
_LEAST_STACK_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class NginxWanted:
    """What the settings say of nginx.

    given: configurations that were named; empty: all in `folders`, and of those of the running
    nginx and of the usual places the ones that name one of golive's `addresses`.
    addresses: where the daemon listens, as nginx would name it.
    public_host: what certificates must be made for.
    """

    given: tuple[Path, ...]
    folders: tuple[Path, ...]
    rtmp: RtmpExpectations
    addresses: tuple[str, ...]
    public_host: str
    log_folder: Path


class NginxCheck:
    """Finds the configurations and holds them against the rules; changes nothing."""

    def __init__(
        self, wanted: NginxWanted, path: str, processes: Callable[[], list[NginxProcess]]
    ) -> None:
        self._wanted = wanted
        self._path = path
        self._processes = processes

    async def program(self) -> Sequence[Finding]:
        """Whether nginx and its RTMP module are installed."""
        try:
            nginx = await asyncio.to_thread(find_nginx, self._path)
        except DevError as error:
            return [_missing(line) for line in error.lines]
        module = nginx.rtmp_module or "compiled in"
        return [ok("nginx", f"{nginx.binary}, RTMP module {module}")]

    async def configuration(self) -> Sequence[Finding]:
        """Every rule, over every configuration that serves golive."""
        return await asyncio.to_thread(self._configuration)

    def _configuration(self) -> list[Finding]:
        running = self._processes()
        configs, findings = self._configs(running)
        rtmp = [config for config in configs if _has(config, "rtmp")]
        if not rtmp and not findings:
            findings.append(
                warn(
                    RTMP,
                    "no nginx that takes RTMP for golive runs or was found",
                    "Start it, or name its configuration with --nginx FILE.",
                )
            )
        for config in configs:
            findings += self._held_against(config)
        for config in rtmp:
            findings += [f for p in running if p.config == config.file for f in _processes(p)]
        findings += key_findings(configs, self._wanted.log_folder)
        return findings

    def _held_against(self, config: Directive) -> list[Finding]:
        """A configuration's findings, or one that says that there are none."""
        wrong = [
            *certificate_findings(config, self._wanted.public_host),
            *http_findings(config, self._wanted.rtmp.hook_listen),
        ]
        if _has(config, "rtmp"):
            wrong += rtmp_findings(config, self._wanted.rtmp)
        subject = RTMP if _has(config, "rtmp") else HTTP
        return wrong or [ok(subject, f"{config.file} has none of the known traps")]

    def _configs(self, running: Sequence[NginxProcess]) -> tuple[list[Directive], list[Finding]]:
        """Those that were named, else those that have to do with this golive."""
        found: list[Directive] = []
        problems: list[Finding] = []
        paths = list(dict.fromkeys(self._wanted.given or self._candidates(running)))
        for path in paths:
            try:
                config = read_nginx_config(path)
            except NginxConfigError as error:
                if self._wanted.given or self._is_ours(path):
                    problems.append(_unreadable(error))
                continue
            if self._wanted.given or self._is_ours(path) or self._mentions_us(config):
                found.append(config)
        return found, problems

    def _candidates(self, running: Sequence[NginxProcess]) -> list[Path]:
        folders = (*self._wanted.folders, _INSTALLED)
        own = [path for folder in folders for path in sorted(folder.glob("*.conf"))]
        served = [process.config or _SYSTEM for process in running]
        return [*own, *served, *([_SYSTEM] if _SYSTEM.exists() else [])]

    def _is_ours(self, path: Path) -> bool:
        return path.parent in self._wanted.folders

    def _mentions_us(self, config: Directive) -> bool:
        words = {word for directive in config.walk() for word in directive.words}
        ours = self._wanted.addresses
        return any(address in word for address in ours for word in words if address)


def _has(config: Directive, name: str) -> bool:
    return any(True for _ in config.named(name))


def _missing(line: str) -> Finding:
    found, _, remedy = line.partition(": ")
    return fail("nginx", found, remedy[:1].upper() + remedy[1:])


def _unreadable(error: NginxConfigError) -> Finding:
    return fail(
        "nginx",
        f"a configuration cannot be read: {error}",
        "Mend it (`nginx -t` tells more), or run golive check as a user who may read it.",
    )


def _processes(process: NginxProcess) -> list[Finding]:
    """What only the running nginx that takes RTMP tells."""
    found = []
    if process.leaving_workers:
        found.append(
            warn(
                RTMP,
                f"nginx (pid {process.pid}) was reloaded: streams are stranded in old workers",
                "Restart it when no stream is live, and never reload it.",
            )
        )
    if process.workers > 1:
        found.append(
            fail(
                RTMP,
                f"nginx (pid {process.pid}) runs {process.workers} workers",
                "Set `worker_processes 1;` and restart it.",
            )
        )
    if process.stack_bytes is not None and process.stack_bytes < _LEAST_STACK_BYTES:
        found.append(
            warn(
                RTMP,
                f"nginx (pid {process.pid}) has a stack of {process.stack_bytes >> 20} MiB, which "
                "one hostile message overflows",
                "Set `LimitSTACK=256M` in its unit and restart it.",
            )
        )
    return found
