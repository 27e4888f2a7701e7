"""Every command with its own help text."""

from collections.abc import Iterator

import click

from controller.cli import main

_HEAD = """\
# Commands

What `--help` says of each. The exit status is 0, 1 (failed) or 2 (wrong usage).

"""
_WIDTH = 96


def commands_page() -> str:
    """The page."""
    context = click.Context(main, info_name="golive", terminal_width=_WIDTH)
    return _HEAD + "\n".join(_sections(main, context))


def command_paths() -> list[str]:
    """All commands as they are typed, groups and what is in them."""
    context = click.Context(main, info_name="golive")
    return [found.command_path for _, found in _commands(main, context)]


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    for one, found in _commands(command, context):
        yield f"## {found.command_path}\n\n```text\n{one.get_help(found)}\n```\n"


def _commands(
    command: click.Command, context: click.Context
) -> Iterator[tuple[click.Command, click.Context]]:
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                below = click.Context(inner, parent=context, info_name=name, terminal_width=_WIDTH)
                yield from _commands(inner, below)
