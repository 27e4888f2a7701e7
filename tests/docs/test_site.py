"""What is built: nothing is fetched from elsewhere, and links lead somewhere."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")
_MENTION = re.compile(r"`(docs/[\w./-]+\.md|config/[\w.-]+\.\w+|nginx/[\w.-]+\.j2)`")
_FETCHED = (
    "//script/@src | //img/@src | //iframe/@src"
    " | //link[not(@rel='canonical')]/@href | //source/@src"
)


def test_no_page_fetches_anything_from_elsewhere(site):
    pages = list(site.folder.rglob("*.html"))
    fetched = {
        address
        for path in pages
        for address in site.page(str(path.relative_to(site.folder))).xpath(_FETCHED)
    }

    assert len(pages) > 40
    assert fetched
    assert [address for address in fetched if re.match(r"(?:https?:)?//", address)] == []


def test_every_link_inside_the_site_leads_to_a_page_and_a_place_in_it(site):
    broken = []
    ids: dict[Path, set[str]] = {}
    for path in site.folder.rglob("*.html"):
        if path.name == "404.html":  # its addresses are absolute: it is shown wherever one is lost
            continue
        for address in site.page(str(path.relative_to(site.folder))).xpath("//a/@href"):
            if re.match(r"[a-z]+:", address):
                continue
            name, _, place = address.partition("#")
            target = (path.parent / name).resolve() if name else path
            if target.is_dir():
                target /= "index.html"
            if not target.is_file():
                broken.append((path.name, address))
            elif place and target.suffix == ".html":
                if target not in ids:
                    tree = site.page(str(target.relative_to(site.folder.resolve())))
                    ids[target] = set(tree.xpath("//@id | //a/@name"))
                if place not in ids[target]:
                    broken.append((path.name, address))

    assert broken == []


def test_what_readme_and_changelog_point_to_is_there():
    texts = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    missing = []
    for path in texts:
        text = path.read_text("utf-8")
        beside = path.parent
        linked = [beside / found for found in _LINK.findall(text) if not _is_generated(found)]
        linked += [ROOT / found for found in _MENTION.findall(text)]
        missing += [(path.name, str(found)) for found in linked if not found.exists()]

    assert missing == []


def test_every_decision_is_listed_under_its_number():
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(
        r"^(\d+)\. \[(.+)\]\((\S+)\)$", (folder / "index.md").read_text("utf-8"), re.MULTILINE
    )
    there = [
        (str(int(path.name[:4])), path.read_text("utf-8").splitlines()[0], path.name)
        for path in sorted(folder.glob("[0-9]*.md"))
    ]

    assert [(number, f"# {number}. {title}", name) for number, title, name in listed] == there
    assert [int(number) for number, _, _ in listed] == [*range(1, len(listed) + 1)]


def _is_generated(address: str) -> bool:
    """The reference is made when the site is built, which checks links into it."""
    return address.startswith(("reference/", "../reference/"))
