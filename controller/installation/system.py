"""The system's own tools: users, folders, units. What runs is asked of systemd."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from controller.installation.errors import InstallationError
from controller.installation.places import Root

_TIMEOUT_S = 900.0
_HAND_OVER_S = 150.0
_POLL_S = 0.1
_RUNS = Path("/run/systemd/system")


class System:
    """One system; the running one, or one below a root that does not run."""

    def __init__(self, root: Root) -> None:
        self._root = root

    @property
    def runs(self) -> bool:
        """Whether systemd runs it: units can be started."""
        return self._root.is_here and _RUNS.is_dir()

    def make_users(self, configuration: Path) -> None:
        """The user of sysusers.d; there already is fine."""
        self._run("systemd-sysusers", *self._at_root(), configuration.name)

    def make_folders(self, configuration: Path) -> None:
        """The folders of tmpfiles.d, with owners and modes."""
        self._run("systemd-tmpfiles", *self._at_root(), "--create", configuration.name)

    def enable(self, units: Sequence[str]) -> bool:
        """Have them started at boot; answers whether that was not so before."""
        missing = [unit for unit in units if not self._is_enabled(unit)]
        if missing:
            self._run("systemctl", "--quiet", *self._at_root(), "enable", *missing)
        return bool(missing)

    def disable(self, units: Sequence[str]) -> None:
        """Have them started no more; already so is fine."""
        enabled = [unit for unit in units if self._is_enabled(unit)]
        if enabled:
            self._run("systemctl", "--quiet", *self._at_root(), "disable", *enabled)

    def reread_units(self) -> None:
        """Have a running systemd know changed units."""
        self._run("systemctl", "daemon-reload")

    def is_active(self, unit: str) -> bool:
        """Whether it runs."""
        return self._answers("systemctl", "--quiet", "is-active", unit)

    def tell(self, action: str, *units: str) -> None:
        """`systemctl ACTION UNITS`, and wait for it."""
        self._run("systemctl", action, *units)

    def hand_over(self, unit: str) -> None:
        """Have a launcher put the release that is installed now in its daemon's place, and wait
        until that one is ready."""
        before = self._children(unit)
        self._run("systemctl", "kill", "--kill-whom=main", "--signal=SIGUSR2", unit)
        deadline_s = time.monotonic() + _HAND_OVER_S
        while self._children(unit) & before or self._property(unit, "ActiveState") != "active":
            if time.monotonic() > deadline_s:
                raise InstallationError(
                    f"{unit} goes on with the release before: journalctl -u {unit} says why; once "
                    f"that is mended, systemctl kill --kill-whom=main --signal=SIGUSR2 {unit}"
                )
            time.sleep(_POLL_S)

    def _children(self, unit: str) -> set[str]:
        """Processes of the unit's main process."""
        main = self._property(unit, "MainPID")
        with contextlib.suppress(OSError):
            return set(Path(f"/proc/{main}/task/{main}/children").read_text().split())
        return set()

    def _property(self, unit: str, name: str) -> str:
        shown = self._execute(["systemctl", "show", f"--property={name}", "--value", unit])
        return shown.stdout.strip()

    def _is_enabled(self, unit: str) -> bool:
        return self._answers("systemctl", "--quiet", *self._at_root(), "is-enabled", unit)

    def _at_root(self) -> list[str]:
        return [] if self._root.is_here else [f"--root={self._root.folder.resolve()}"]

    def _answers(self, *command: str) -> bool:
        return self._execute(command).returncode == 0

    def _run(self, *command: str) -> None:
        done = self._execute(command)
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
            raise InstallationError(f"{' '.join(command)} failed: {said[-1]}")

    def _execute(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        program = shutil.which(command[0], path="/usr/sbin:/usr/bin:/sbin:/bin")
        if program is None:
            raise InstallationError(f"{command[0]} is missing: golive is installed under systemd")
        try:
            return subprocess.run(
                [program, *command[1:]],
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise InstallationError(f"{' '.join(command)} does not come to an end") from None
