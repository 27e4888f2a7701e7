"""The hook by which MkDocs gets the pages that are made from the code."""

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from docs.generator.advice_page import advice_page
from docs.generator.commands_page import commands_page
from docs.generator.daemon import ask_daemon
from docs.generator.errors_page import errors_page
from docs.generator.metrics_page import metrics_page
from docs.generator.room_page import room_page
from docs.generator.routes_page import routes_page
from docs.generator.settings_page import settings_page


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add them to what the folder has."""
    for name, text in generated_pages().items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def generated_pages() -> dict[str, str]:
    """By their names, in Markdown."""
    said = ask_daemon()
    return {
        "settings": settings_page(),
        "commands": commands_page(),
        "api": routes_page(said.openapi),
        "room": room_page(said.asyncapi),
        "advice": advice_page(),
        "errors": errors_page(),
        "metrics": metrics_page(said.metrics),
    }
