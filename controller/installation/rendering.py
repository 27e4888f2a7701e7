"""The files of an installation, as text: units, nginx configurations, and what belongs to them."""

import re
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from controller.dev.nginx_config import (
    NginxPlan,
    TlsPlan,
    proxies_elsewhere,
    render_http,
    render_rtmp,
)
from controller.dev.prerequisites import STREAM_MODULE, Nginx
from controller.installation.errors import InstallationError
from controller.installation.places import (
    CONFIG,
    CONFIG_DIR,
    CREDENTIALS,
    LOG_DIR,
    NGINX_DIR,
    RUN_DIR,
    TEMP_DIR,
    UNIT_DIR,
    USER,
    InstalledLayout,
)
from controller.settings import Settings

# Beside the package in a checkout; inside it in an installed wheel.
_TEMPLATE_DIRS = (
    Path(__file__).resolve().parent / "systemd",
    Path(__file__).resolve().parents[2] / "systemd",
)
_FIRST_FREE_PORT = 1024
_BIND = "CAP_NET_BIND_SERVICE"
_OPEN_FILES = 65_536
_RTMP_PROXY = "127.0.0.1:1937"
"""Where RTMPS, once decrypted, is passed on to nginx-rtmp."""
# systemd expands `%` and `$`, and takes white space for the end of a word.
_UNIT_SAFE = re.compile(r"[A-Za-z0-9_./@+:-]+")

UNITS = (
    "golive.target",
    "golive-http.socket",
    "golive-hooks.socket",
    "golive.service",
    "golive-worker@.service",
    "golive-migrate.service",
    "golive-nginx-rtmp.service",
    "golive-nginx.service",
)


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """One file, `path` as the installed system names it."""

    path: Path
    text: str
    mode: int = 0o644


def render_files(settings: Settings, nginx: Nginx, program: Path) -> list[InstalledFile]:
    """Everything but the settings file. Raises InstallationError.

    program: the `golive` that the units run.
    """
    values = _values(settings, nginx, program)
    units = [InstalledFile(UNIT_DIR / name, _render(f"{name}.j2", values)) for name in UNITS]
    plan = _nginx_plan(settings, nginx)
    lib = UNIT_DIR.parents[1]
    return [
        InstalledFile(lib / "sysusers.d" / "golive.conf", _render("sysusers.conf.j2", values)),
        InstalledFile(lib / "tmpfiles.d" / "golive.conf", _render("tmpfiles.conf.j2", values)),
        *units,
        InstalledFile(NGINX_DIR / "rtmp.conf", render_rtmp(plan)),
        InstalledFile(NGINX_DIR / "http.conf", render_http(plan)),
        InstalledFile(Path("/etc/logrotate.d/golive"), _render("logrotate.conf.j2", values)),
        InstalledFile(Path("/usr/local/bin/golive"), _render("golive.sh.j2", values), 0o755),
    ]


def _values(settings: Settings, nginx: Nginx, program: Path) -> dict[str, str]:
    layout = InstalledLayout.of(settings)
    has_tls = settings.tls_certificate is not None
    written = dict.fromkeys(map(str, (layout.data_dir, layout.spool_dir, layout.objects_dir)))
    values = {
        "user": USER,
        "golive": str(program),
        "nginx": str(nginx.binary),
        "config": str(CONFIG),
        "config_dir": str(CONFIG_DIR),
        "credentials": str(CREDENTIALS),
        "nginx_dir": str(NGINX_DIR),
        "run_dir": str(RUN_DIR),
        "log_dir": str(LOG_DIR),
        "temp_dir": str(TEMP_DIR),
        "data_dir": str(layout.data_dir),
        "spool_dir": str(layout.spool_dir),
        "objects_dir": str(layout.objects_dir),
        "http_socket": _stream("http_listen", settings.http_listen),
        "hook_socket": _stream("hook_listen", settings.hook_listen),
    }
    for name, value in values.items():
        if not _UNIT_SAFE.fullmatch(value):
            raise InstallationError(f"{name}: systemd cannot use {value!r}: choose another")
    return {
        **values,
        "write_paths": " ".join(written),
        "http_capabilities": _capabilities(
            [*settings.public_http_listen, *(settings.public_https_listen if has_tls else ())]
        ),
        "rtmp_capabilities": _capabilities(
            [*settings.public_rtmp_listen, *(settings.public_rtmps_listen if has_tls else ())]
        ),
    }


def _stream(name: str, address: str) -> str:
    """The address as `ListenStream=` has it."""
    if not address or address.startswith("fd:"):
        raise InstallationError(
            f"{CONFIG}: {name} must be an address, such as unix:{RUN_DIR}/…: a socket unit opens it"
        )
    return address.removeprefix("unix:")


def _capabilities(addresses: list[str]) -> str:
    """What it takes to listen there."""
    ports = (int(address.rpartition(":")[2]) for address in addresses)
    return _BIND if min(ports) < _FIRST_FREE_PORT else ""


def _nginx_plan(settings: Settings, nginx: Nginx) -> NginxPlan:
    layout = InstalledLayout.of(settings)
    return NginxPlan(
        layout=layout,
        http_listen=tuple(settings.public_http_listen),
        rtmp_listen=tuple(settings.public_rtmp_listen),
        daemon_listen=settings.http_listen,
        hook_listen=settings.hook_listen,
        control_listen=settings.nginx_control,
        player_log=str(settings.player_log or layout.player_socket),
        requests_per_s=settings.requests_per_s,
        real_ip_from=proxies_elsewhere(settings.trusted_proxies),
        tls=_tls_plan(settings, nginx),
        rtmp_module=nginx.rtmp_module,
        spool=settings.spool,
        private_vods=bool(settings.bucket_url and settings.private_store_url),
        run_as_root=False,
        http_workers="auto",
        open_files=_OPEN_FILES,
    )


def _tls_plan(settings: Settings, nginx: Nginx) -> TlsPlan | None:
    """HTTPS and RTMPS where there is a certificate."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return TlsPlan(
        certificate=settings.tls_certificate,
        key=settings.tls_key,
        https_listen=tuple(settings.public_https_listen),
        rtmps_listen=tuple(settings.public_rtmps_listen),
        rtmp_proxy_listen=_RTMP_PROXY,
        stream_module=stream_module(nginx),
    )


def stream_module(nginx: Nginx) -> Path | None:
    """Where the module that RTMPS needs belongs; None where modules are compiled in."""
    return nginx.rtmp_module.with_name(STREAM_MODULE) if nginx.rtmp_module else None


def _render(name: str, values: dict[str, str]) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATE_DIRS),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - systemd's language; what is filled in was checked
    )
    return environment.get_template(name).render(values)
