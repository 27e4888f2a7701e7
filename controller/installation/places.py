"""Where everything is in an installed system, and where that is while it is being installed."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from controller.dev.layout import DataLayout
from controller.settings import Settings

USER = "golive"
CONFIG_DIR = Path("/etc/golive")
CONFIG = CONFIG_DIR / "golive.toml"
CREDENTIALS = CONFIG_DIR / "credentials"
NGINX_DIR = CONFIG_DIR / "nginx"
MANIFEST = CONFIG_DIR / ".installed.json"
RUN_DIR = Path("/run/golive")
LOG_DIR = Path("/var/log/golive")
TEMP_DIR = Path("/var/cache/golive")
UNIT_DIR = Path("/usr/local/lib/systemd/system")

STANDARD = {
    "data_dir": "/var/lib/golive",
    "http_listen": f"unix:{RUN_DIR}/daemon.sock",
    "hook_listen": f"unix:{RUN_DIR}/hooks.sock",
    "nginx_control": f"unix:{RUN_DIR}/nginx-control.sock",
    "player_log": f"{RUN_DIR}/players.sock",
}
"""What the first settings file sets."""


@dataclass(frozen=True, slots=True)
class Root:
    """The system that is installed into; paths are its own, absolute ones."""

    folder: Path = Path("/")

    def of(self, path: Path) -> Path:
        """Where that path is from here."""
        return self.folder / path.relative_to("/")

    @property
    def is_here(self) -> bool:
        """Whether it is the running system."""
        return self.folder.resolve() == Path("/")


@dataclass(frozen=True, slots=True)
class InstalledLayout(DataLayout):
    """What nginx and the daemon need, in the folders that a system has for it."""

    own_objects_dir: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> "InstalledLayout":
        """As the settings say."""
        data_dir = settings.data_dir.absolute()
        local = settings.store_url.startswith("file://")
        objects = Path(unquote(urlsplit(settings.store_url).path)) if local else None
        return cls(data_dir, RUN_DIR, settings.spool_folder, objects)

    @property
    def run_dir(self) -> Path:
        """Pid files and sockets."""
        return RUN_DIR

    @property
    def logs_dir(self) -> Path:
        """nginx's access log."""
        return LOG_DIR

    @property
    def temp_dir(self) -> Path:
        """nginx's buffers of large bodies, and what it caches."""
        return TEMP_DIR

    @property
    def objects_dir(self) -> Path:
        """The local object store."""
        return self.own_objects_dir or self.data_dir / "objects"
