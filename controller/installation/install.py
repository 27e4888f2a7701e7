"""Installs, installs again, and uninstalls; what was done is told line by line."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controller.configuration.loading import load_configuration
from controller.configuration.reference import reference
from controller.dev.prerequisites import MODULE_DIRS, RTMP_MODULE, Nginx, find_nginx, search_path
from controller.installation.errors import InstallationError
from controller.installation.files import Change, Changed, Files, Manifest
from controller.installation.places import (
    CONFIG,
    CREDENTIALS,
    MANIFEST,
    NGINX_DIR,
    STANDARD,
    UNIT_DIR,
    USER,
    Root,
)
from controller.installation.rendering import UNITS, InstalledFile, render_files, stream_module
from controller.installation.system import System
from controller.settings import Settings

_SOCKETS = ("golive-http.socket", "golive-hooks.socket")
_ENABLED = ("golive.target", *_SOCKETS)
_WORKERS = "golive-worker@*.service"
_RTMP = "golive-nginx-rtmp.service"
_HTTP = "golive-nginx.service"
_DAEMON = "golive.service"
_MIGRATE = "golive-migrate.service"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Release:
    """What is installed: its version, and the program that the units run."""

    version: str
    program: Path


class Installation:
    """golive in one system."""

    def __init__(self, root: Root, system: System, say: Say) -> None:
        self._root = root
        self._system = system
        self._say = say
        self._manifest = Manifest.read(root)
        self._files = Files(root, self._manifest)

    def install(self, release: Release) -> None:
        """Bring the system to this release. Raises InstallationError and RefusedConfiguration.

        Where it runs already, the daemon hands over to this release's and its workers are
        restarted, which costs no stream a frame; nginx-rtmp is not, because encoders are connected
        to it.
        """
        nginx = _nginx(self._root)
        settings_file = self._put(InstalledFile(CONFIG, reference(STANDARD), 0o640))
        self._root.of(CREDENTIALS).mkdir(mode=0o750, parents=True, exist_ok=True)
        settings = self._settings()
        _require_stream_module(self._root, settings, nginx)
        rendered = render_files(settings, nginx, release.program)
        changes = [settings_file, *map(self._put, rendered)]
        before, self._manifest.release = self._manifest.release, release.version
        another = before != release.version
        if another or any(change.matters for change in changes):
            self._manifest.write(self._root)
        self._system.make_users(UNIT_DIR.parents[1] / "sysusers.d" / "golive.conf")
        self._system.make_folders(UNIT_DIR.parents[1] / "tmpfiles.d" / "golive.conf")
        changed = {change.path for change in changes if change.matters}
        enabled = self._take_effect(changed, another=another)
        if not (changed or another or enabled):
            self._say(f"golive {release.version} is installed already: nothing was changed")
        elif before:
            self._say(f"golive {release.version} is installed (before: {before})")
        else:
            self._say(f"golive {release.version} is installed")
            self._say(f"next: set public_url and rtmp_url in {CONFIG}, run `golive install` again,")
            self._say("then: systemctl start golive.target")

    def uninstall(self) -> None:
        """Take out what `install` wrote, but for the settings file, credentials and all data."""
        if not self._manifest.digests:
            raise InstallationError(f"golive is not installed below {self._root.folder}")
        settings = self._settings()
        if self._system.runs:
            self._system.tell("stop", "golive.target", *UNITS[1:4], _RTMP, _HTTP, _MIGRATE)
            self._system.tell("stop", _WORKERS)
        self._system.disable(_ENABLED)
        for change in self._files.remove(keep=[CONFIG]):
            self._tell(change)
        self._root.of(MANIFEST).unlink()
        if self._system.runs:
            self._system.reread_units()
        for left in (CONFIG, CREDENTIALS, settings.data_dir, settings.spool_folder):
            if self._root.of(left).exists():
                self._say(f"left: {left}")
        self._say(f"left: the user {USER}")

    def _take_effect(self, changed: set[Path], *, another: bool) -> bool:
        """Have systemd know and run what has changed; answers whether units were enabled."""
        system, units = self._system, {path.name for path in changed if path.parent == UNIT_DIR}
        if system.runs and units:
            system.reread_units()
        enabled = system.enable(_ENABLED)
        if not (system.runs and system.is_active(_DAEMON)):
            return enabled
        if another or changed & {CONFIG} or units - {_RTMP, _HTTP}:
            self._say("bringing the database to this release")
            system.tell("restart", _MIGRATE)
            if units & {_DAEMON, *_SOCKETS}:
                self._say("restarting golive; encoders stay connected")
                system.tell("restart", _DAEMON)
            else:
                self._say("putting this release's daemon in the place of the one that runs")
                system.hand_over(_DAEMON)
            system.tell("try-restart", _WORKERS)
        if _HTTP in units:
            system.tell("try-restart", _HTTP)
        elif NGINX_DIR / "http.conf" in changed:
            system.tell("reload", _HTTP)
        if _RTMP in units or NGINX_DIR / "rtmp.conf" in changed:
            self._say(
                f"{_RTMP} has changed: restart it when no encoder is on air "
                f"(systemctl restart {_RTMP})"
            )
        return enabled

    def _settings(self) -> Settings:
        """As the services will read them: this shell's environment is not theirs."""
        credentials = {"CREDENTIALS_DIRECTORY": str(self._root.of(CREDENTIALS))}
        return load_configuration(self._root.of(CONFIG), credentials, files_only=True)

    def _put(self, file: InstalledFile) -> Changed:
        change = self._files.put(file)
        if change.change is Change.KEPT and file.path == CONFIG:
            return change  # edited, as it should be
        self._tell(change)
        return change

    def _tell(self, change: Changed) -> None:
        if change.change is not Change.UNCHANGED:
            self._say(f"{change.change}: {change.path}")


def _require_stream_module(root: Root, settings: Settings, nginx: Nginx) -> None:
    module = stream_module(nginx)
    if settings.tls_certificate and module is not None and not root.of(module).is_file():
        raise InstallationError(
            f"nginx's stream module, which RTMPS needs, is missing below {root.folder}: "
            "apt-get install libnginx-mod-stream"
        )


def _nginx(root: Root) -> Nginx:
    """nginx and its RTMP module, as that system has them. Raises InstallationError."""
    if root.is_here:
        return find_nginx(search_path())
    path = ":".join(str(root.of(Path(folder))) for folder in ("/usr/sbin", "/usr/bin"))
    found = shutil.which("nginx", path=path)
    modules = [folder / RTMP_MODULE for folder in MODULE_DIRS]
    module = next((one for one in modules if root.of(one).is_file()), None)
    if found is None or module is None:
        raise InstallationError(
            f"nginx or its RTMP module is missing below {root.folder}: "
            "apt-get install nginx libnginx-mod-rtmp"
        )
    return Nginx(Path("/") / Path(found).relative_to(root.folder), module)
