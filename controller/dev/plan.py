"""What `golive dev` will start, worked out from its options and the settings; starts nothing."""

import os
import resource
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.dev.layout import DataLayout
from controller.dev.nginx_config import (
    NginxPlan,
    TlsPlan,
    proxies_elsewhere,
    render_http,
    render_rtmp,
    write_config,
)
from controller.dev.prerequisites import Nginx, PortNeed, check_readable, find_stream_module
from controller.dev.process import ChildSpec
from controller.settings import Settings

LOOPBACK = "127.0.0.1"
_ANY = "0.0.0.0"

# nginx-rtmp reads AMF recursively: with the usual 8 MB a stranger's deeply nested message
# overflows its stack, which ends every publisher at once.
_RTMP_STACK_BYTES = 256 << 20
_OPEN_FILES = 65_536
_MOST_HTTP_WORKERS = 4
# Runs away from a proxy's test for addresses; nothing is sent (RFC 5737).
_ELSEWHERE = ("192.0.2.1", 9)

_NGINX_STOP_S = 5.0
_DAEMON_STOP_S = 20.0


@dataclass(frozen=True, slots=True)
class DevOptions:
    """The command line of `golive dev`.

    host: address that all ports listen on; loopback unless asked otherwise.
    https_port, rtmps_port: used when the settings name a certificate.
    daemon_command: what runs the daemon's own commands (`serve`, `migrate`).
    """

    http_port: int = 8080
    rtmp_port: int = 1935
    https_port: int = 8443
    rtmps_port: int = 1936
    host: str = LOOPBACK
    daemon_command: tuple[str, ...] = (sys.executable, "-m", "controller.cli")
    config_file: Path | None = None

    @property
    def port_needs(self) -> tuple[PortNeed, ...]:
        """The ports to check before anything starts."""
        return (
            PortNeed(self.host, self.http_port, "HTTP", "--http-port"),
            PortNeed(self.host, self.rtmp_port, "RTMP", "--rtmp-port"),
        )

    @property
    def tls_port_needs(self) -> tuple[PortNeed, ...]:
        """Those beside them where there is a certificate."""
        return (
            PortNeed(self.host, self.https_port, "HTTPS", "--https-port"),
            PortNeed(self.host, self.rtmps_port, "RTMPS", "--rtmps-port"),
        )


@dataclass(frozen=True, slots=True)
class DevPlan:
    """Three children, and the addresses to print.

    daemon_listen: `host:port` or `unix:/path`.
    local_url: HTTP through nginx as this process reaches it, whatever the public URL is.
    """

    layout: DataLayout
    rtmp: ChildSpec
    http: ChildSpec
    daemon: ChildSpec
    migrate: ChildSpec
    config_tests: tuple[ChildSpec, ...]
    daemon_listen: str
    local_url: str
    public_url: str
    rtmp_url: str


def make_plan(
    options: DevOptions,
    settings: Settings,
    layout: DataLayout,
    nginx: Nginx,
    environment: Mapping[str, str],
) -> DevPlan:
    """Write the nginx configurations and say how everything is started.

    settings: as the user gave them; what they leave open is filled in here and handed to
    the daemon in its environment.
    """
    given = settings.model_fields_set
    shown = _in_url(_shown_host(options.host))
    tls = _tls_plan(options, settings, nginx)
    public_url = f"http://{shown}:{options.http_port}"
    rtmp_url = f"rtmp://{shown}:{options.rtmp_port}/live"
    if tls is not None:
        public_url = f"https://{shown}{tls.https_port_suffix}"
        rtmp_url = f"rtmps://{shown}:{options.rtmps_port}/live"
    reached = LOOPBACK if options.host == _ANY else options.host
    filled = {
        "data_dir": str(layout.data_dir),
        "public_url": settings.public_url if "public_url" in given else public_url,
        "rtmp_url": settings.rtmp_url if "rtmp_url" in given else rtmp_url,
        "rtmp_pull_url": f"rtmp://{LOOPBACK}:{options.rtmp_port}/live",
        "http_listen": settings.http_listen or f"unix:{layout.daemon_socket}",
        "hook_listen": settings.hook_listen or f"unix:{layout.hook_socket}",
        "nginx_control": settings.nginx_control or f"unix:{layout.control_socket}",
        "player_log": str(settings.player_log or layout.player_socket),
    }
    daemon_env = {
        **environment,
        **{f"GOLIVE_{name.upper()}": value for name, value in filled.items()},
    }
    if options.config_file is not None:
        daemon_env["GOLIVE_CONFIG"] = str(options.config_file.resolve())
    rtmp_conf, http_conf = _write_configs(
        layout,
        NginxPlan(
            layout=layout,
            http_listen=(f"{_in_url(options.host)}:{options.http_port}",),
            rtmp_listen=_rtmp_listen(options),
            daemon_listen=filled["http_listen"],
            hook_listen=filled["hook_listen"],
            control_listen=filled["nginx_control"],
            player_log=filled["player_log"],
            rtmp_module=nginx.rtmp_module,
            spool=settings.spool,
            private_vods=bool(settings.bucket_url and settings.private_store_url),
            run_as_root=os.geteuid() == 0,
            http_workers=min(os.cpu_count() or 1, _MOST_HTTP_WORKERS),
            open_files=_at_most_hard(resource.RLIMIT_NOFILE, _OPEN_FILES),
            tls=tls,
            requests_per_s=settings.requests_per_s,
            real_ip_from=proxies_elsewhere(settings.trusted_proxies),
        ),
    )
    rtmp = _nginx(nginx, layout, "nginx-rtmp", rtmp_conf, environment)
    http = _nginx(nginx, layout, "nginx-http", http_conf, environment)
    return DevPlan(
        layout=layout,
        rtmp=rtmp,
        http=http,
        daemon=_daemon(options, "serve", daemon_env),
        migrate=_daemon(options, "migrate", daemon_env),
        config_tests=(_config_test(rtmp), _config_test(http)),
        daemon_listen=filled["http_listen"],
        local_url=f"http://{_in_url(reached)}:{options.http_port}",
        public_url=filled["public_url"],
        rtmp_url=filled["rtmp_url"],
    )


def _write_configs(layout: DataLayout, plan: NginxPlan) -> tuple[Path, Path]:
    rtmp, http = layout.run_dir / "rtmp.conf", layout.run_dir / "http.conf"
    write_config(rtmp, render_rtmp(plan))
    write_config(http, render_http(plan))
    return rtmp, http


def _nginx(
    nginx: Nginx, layout: DataLayout, name: str, config: Path, environment: Mapping[str, str]
) -> ChildSpec:
    return ChildSpec(
        name=name,
        # -e: without it nginx first tries the system's log, which a user may not open.
        argv=(
            str(nginx.binary),
            *("-e", "stderr"),
            *("-p", f"{layout.data_dir}/"),
            *("-c", str(config)),
        ),
        env=environment,
        stop_timeout_s=_NGINX_STOP_S,
        relays_output=True,
        stack_bytes=_at_most_hard(resource.RLIMIT_STACK, _RTMP_STACK_BYTES)
        if name == "nginx-rtmp"
        else None,
    )


def _config_test(spec: ChildSpec) -> ChildSpec:
    return ChildSpec(
        name=spec.name,
        argv=(*spec.argv, "-t", "-q"),
        env=spec.env,
        stop_timeout_s=spec.stop_timeout_s,
        relays_output=True,
    )


def _daemon(options: DevOptions, command: str, environment: Mapping[str, str]) -> ChildSpec:
    return ChildSpec(
        name=f"golive {command}",
        argv=(*options.daemon_command, command),
        env=environment,
        stop_timeout_s=_DAEMON_STOP_S,
    )


def _rtmp_listen(options: DevOptions) -> tuple[str, ...]:
    """Session workers pull on loopback, so that is listened on whatever the host is."""
    addresses = [options.host] if options.host in {_ANY, LOOPBACK} else [options.host, LOOPBACK]
    return tuple(f"{_in_url(address)}:{options.rtmp_port}" for address in addresses)


def _tls_plan(options: DevOptions, settings: Settings, nginx: Nginx) -> TlsPlan | None:
    """What is listened on beside, where the settings name a certificate."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    check_readable(settings.tls_certificate, "tls_certificate")
    check_readable(settings.tls_key, "tls_key")
    host = _in_url(options.host)
    return TlsPlan(
        certificate=settings.tls_certificate.absolute(),
        key=settings.tls_key.absolute(),
        https_listen=(f"{host}:{options.https_port}",),
        rtmps_listen=(f"{host}:{options.rtmps_port}",),
        rtmp_proxy_listen=f"{LOOPBACK}:{_free_port()}",
        stream_module=find_stream_module(nginx),
    )


def _free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server((LOOPBACK, 0)) as probe:
        return int(probe.getsockname()[1])


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _shown_host(host: str) -> str:
    """What other devices call this machine when it listens everywhere."""
    if host != _ANY:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
        except OSError:
            return LOOPBACK
        return str(probe.getsockname()[0])


def _at_most_hard(kind: int, wanted: int) -> int:
    """The wanted limit, or the hard one when an ordinary user may not go so far."""
    _, hard = resource.getrlimit(kind)
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
