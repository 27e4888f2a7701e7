"""The `golive` command: what each sub-command is called and where it lives."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A sub-command that is imported when it is run.

    target: `module:name`.
    summary: its line in `golive --help`, which therefore imports nothing.
    """

    target: str
    summary: str


_COMMANDS = {
    "dev": LazyCommand(
        "controller.commands.dev:dev", "Run everything in the foreground, nginx included."
    ),
    "demo": LazyCommand(
        "controller.commands.demo:demo", "Push a test picture with sound to a running server."
    ),
    "serve": LazyCommand("controller.commands.serve:serve", "Run the daemon alone."),
    "worker": LazyCommand(
        "controller.commands.worker:worker", "Do background jobs: videos, pictures."
    ),
    "migrate": LazyCommand(
        "controller.commands.migrate:migrate", "Bring the database to this release's schema."
    ),
    "install": LazyCommand(
        "controller.commands.install:install", "Put golive into this system: user, units, nginx."
    ),
    "uninstall": LazyCommand(
        "controller.commands.install:uninstall", "Take it out again; all data stay."
    ),
    "config": LazyCommand(
        "controller.commands.config:config", "Print a settings file with every setting explained."
    ),
    "check": LazyCommand(
        "controller.commands.check:check", "Look at the configuration and the machine."
    ),
    "token": LazyCommand("controller.admin_cli:token", "Print a bearer token."),
    "stream": LazyCommand("controller.admin_cli:stream", "Administer streams."),
    "product": LazyCommand("controller.admin_cli:product", "Administer products."),
    "user": LazyCommand("controller.admin_cli:user", "Administer users."),
    "webhook": LazyCommand("controller.admin_cli.webhooks:webhook", "Administer webhooks."),
}


class LazyGroup(click.Group):
    """A group whose sub-commands are imported when they are run.

    `golive token` must not wait for all that `golive serve` imports.
    """

    def __init__(self, *, lazy: Mapping[str, LazyCommand], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of a first visit."""
        return [*self._lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one sub-command."""
        lazy = self._lazy.get(cmd_name)
        if lazy is None:
            return super().get_command(ctx, cmd_name)
        module, _, name = lazy.target.partition(":")
        with _without_collections():
            command = getattr(import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{lazy.target} is no command")
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `golive --help`."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.summary) for name, lazy in self._lazy.items()])


@contextmanager
def _without_collections() -> Iterator[None]:
    """Imports make objects that stay: looking through them again and again for garbage is a fifth
    of the daemon's start, and a pause later each time that all are looked through."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@click.group(
    cls=LazyGroup,
    lazy=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(version("golive"), prog_name="golive")
def main() -> None:
    """Live commerce on your own machine: RTMP in; LL-HLS, DASH and recordings out."""


if __name__ == "__main__":
    main(prog_name="golive")
