"""Renders the two nginx configurations from the templates in `nginx/`."""

import ipaddress
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from controller.dev.layout import DataLayout

# Beside the package in a checkout; inside it in an installed wheel.
_TEMPLATE_DIRS = (
    Path(__file__).resolve().parent / "nginx",
    Path(__file__).resolve().parents[2] / "nginx",
)


@dataclass(frozen=True, slots=True)
class TlsPlan:
    """HTTPS with HTTP/2, and RTMPS.

    certificate, key: PEM files that nginx's workers may read.
    https_listen, rtmps_listen: `address:port`.
    rtmp_proxy_listen: where RTMPS is passed on to nginx-rtmp, on loopback.
    stream_module: its path; None when it is compiled in.
    """

    certificate: Path
    key: Path
    https_listen: tuple[str, ...]
    rtmps_listen: tuple[str, ...]
    rtmp_proxy_listen: str
    stream_module: Path | None

    @property
    def https_port_suffix(self) -> str:
        """What stands behind the host in an HTTPS address."""
        port = self.https_listen[0].rpartition(":")[2]
        return "" if port == "443" else f":{port}"


@dataclass(frozen=True, slots=True)
class NginxPlan:
    """What the templates need to know.

    http_listen, rtmp_listen: `address:port`.
    http_workers: how many, or `auto`.
    private_vods: whether recordings that not everybody may play are in a bucket.
    spool: whether publications are recorded into the layout's spool folder.
    daemon_listen, hook_listen, control_listen: `host:port` or `unix:/path`.
    player_log: path of the socket that is told what players say of their playback.
    tls: None for HTTP and RTMP alone.
    requests_per_s: how often one address may call the API; 0: no bound.
    real_ip_from: proxies whose word on the client's address is believed.
    """

    layout: DataLayout
    http_listen: tuple[str, ...]
    rtmp_listen: tuple[str, ...]
    daemon_listen: str
    hook_listen: str
    control_listen: str
    player_log: str
    rtmp_module: Path | None
    spool: bool
    run_as_root: bool
    http_workers: int | str
    open_files: int
    private_vods: bool = False
    tls: TlsPlan | None = None
    requests_per_s: int = 0
    real_ip_from: tuple[str, ...] = ()


def proxies_elsewhere(addresses: Sequence[str]) -> tuple[str, ...]:
    """Trusted proxies that are not on this host, whose nginx is the proxy in question; what is no
    address is left to the daemon to refuse."""
    found = []
    for address in addresses:
        with suppress(ValueError):
            if not ipaddress.ip_network(address, strict=False).is_loopback:
                found.append(address)
    return tuple(found)


def render_rtmp(plan: NginxPlan) -> str:
    """The configuration of the instance that takes RTMP."""
    return _render(
        "rtmp.conf.j2",
        plan,
        pid_file=str(plan.layout.run_dir / "nginx-rtmp.pid"),
        rtmp_module=str(plan.rtmp_module) if plan.rtmp_module else "",
        rtmp_listen=plan.rtmp_listen,
        stream_module=str(plan.tls.stream_module or "") if plan.tls else "",
        control_listen=plan.control_listen.removeprefix("http://"),
        hook_url=_hook_url(plan.hook_listen),
        spool=plan.spool,
        spool_dir=str(plan.layout.spool_dir),
    )


def render_http(plan: NginxPlan) -> str:
    """The configuration of the instance that answers HTTP."""
    return _render(
        "http.conf.j2",
        plan,
        pid_file=str(plan.layout.run_dir / "nginx-http.pid"),
        http_listen=plan.http_listen,
        http_workers=plan.http_workers,
        requests_per_s=plan.requests_per_s,
        real_ip_from=plan.real_ip_from,
        daemon_address=plan.daemon_listen,
        access_log=str(plan.layout.logs_dir / "access.log"),
        player_log=plan.player_log,
        data_dir=str(plan.layout.data_dir),
        objects_dir=str(plan.layout.objects_dir),
        private_vods=plan.private_vods,
    )


def write_config(path: Path, text: str) -> None:
    """Write whole or not at all, readable by the owner alone."""
    partial = path.with_suffix(".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)


def quoted(value: str) -> str:
    """A configuration word in double quotes, as nginx reads it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _hook_url(listen: str) -> Callable[[str], str]:
    """How on_publish and its kin name the hook listener (`http://unix:/path:/uri`)."""
    if listen.startswith("unix:"):
        return lambda path: f"http://{listen}:{path}"
    return lambda path: f"http://{listen}{path}"


def _render(name: str, plan: NginxPlan, **values: object) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATE_DIRS),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - nginx's language, escaped by `quoted`
    )
    environment.filters["quoted"] = quoted
    return environment.get_template(name).render(
        tls=plan.tls,
        run_as_root=plan.run_as_root,
        open_files=plan.open_files,
        temp_dir=str(plan.layout.temp_dir),
        **values,
    )
