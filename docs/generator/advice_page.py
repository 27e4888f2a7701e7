"""All that the ingest coach may say to a host."""

from controller.domain.coach import WORDS
from docs.generator.tables import code, table

_HEAD = """\
# What the coach says

golive watches what an encoder sends, and tells its host in the room (`stream:advice`), in
`GET /streams/{id}/health` and on the page `/host/{id}` what to change. A *problem* is what viewers
notice; a *hint* could be better.

"""


def advice_page() -> str:
    """The page."""
    rows = [
        (f"{words.title} ({code(advice)}, {words.severity})", words.why, words.obs, words.phone)
        for advice, words in WORDS.items()
    ]
    return _HEAD + table(("Advice", "Why", "In OBS", "On a phone"), rows)
