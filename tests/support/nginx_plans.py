"""What nginx is to run with in tests: everything behind sockets of the data folder."""

from typing import Any

from controller.dev.layout import DataLayout
from controller.dev.nginx_config import NginxPlan


def nginx_plan(layout: DataLayout, **changes: Any) -> NginxPlan:
    """Both instances as they are shipped, with `changes`."""
    fields: dict[str, Any] = {
        "http_listen": ("0.0.0.0:8080",),
        "rtmp_listen": ("0.0.0.0:1935",),
        "daemon_listen": f"unix:{layout.daemon_socket}",
        "hook_listen": f"unix:{layout.hook_socket}",
        "control_listen": f"unix:{layout.control_socket}",
        "player_log": str(layout.socket_dir / "players.sock"),
        "rtmp_module": None,
        "spool": True,
        "run_as_root": False,
        "http_workers": 2,
        "open_files": 65_536,
    }
    return NginxPlan(layout=layout, **{**fields, **changes})
