import fcntl
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from lxml import html

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Site:
    """What `make docs` makes."""

    folder: Path

    def page(self, name: str) -> html.HtmlElement:
        """A page by its path, as a tree."""
        return html.parse(str(self.folder / name)).getroot()

    def code_words(self, name: str) -> set[str]:
        """Everything in code type on a page: names stand so, and nothing else has to."""
        return {element.text_content() for element in self.page(name).iter("code")}

    def headings(self, name: str) -> set[str]:
        """The page's headings, without the mark behind them."""
        found = self.page(name).xpath("//h2 | //h3")
        return {heading.text_content().removesuffix("¶").strip() for heading in found}


@pytest.fixture(scope="session")
def site(tmp_path_factory, worker_id):
    """Built by the first worker that needs it."""
    folder = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        folder = folder.parent
    built = folder / "site-built"
    with (folder / "site.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            build_site(folder / "site")
            built.touch()
    return Site(folder / "site")


def build_site(folder: Path) -> None:
    """As `make docs` does; nothing may be warned of."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mkdocs",
            "build",
            "--config-file",
            "config/mkdocs.yml",
            "--strict",
            "--quiet",
            "--site-dir",
            str(folder),
        ],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
