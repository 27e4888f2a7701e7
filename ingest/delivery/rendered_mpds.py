"""MPDs as text: rendered once per change of what they tell, however many ask each second."""

from collections.abc import Callable, Hashable
from typing import NamedTuple
from weakref import WeakKeyDictionary

from ingest.window.live_window import LiveWindow

_QUERY = "{query}"


class _Rendered(NamedTuple):
    state: Hashable
    text: str


class RenderedMpds:
    """Those of one address, of all windows; that of a window that is gone goes with it."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._counted: WeakKeyDictionary[LiveWindow, _Rendered] = WeakKeyDictionary()
        self._plain: WeakKeyDictionary[LiveWindow, _Rendered] = WeakKeyDictionary()

    def text(
        self,
        window: LiveWindow,
        state: Hashable,
        session_query: str,
        render: Callable[[str], str],
    ) -> str:
        """The MPD of a window whose MPD depends on `state`, and whose updates are asked for with
        `session_query` (URL-safe), if any; `render` makes it with that Location."""
        rendered = self._counted if session_query else self._plain
        kept = rendered.get(window)
        if kept is None or kept.state != state:
            text = render(f"{self._address}{_QUERY}" if session_query else "")
            kept = rendered[window] = _Rendered(state, text)
        return kept.text.replace(_QUERY, session_query, 1)


def finished_state(window: LiveWindow) -> Hashable:
    """What an MPD of finished segments depends on."""
    last = tuple(
        (r.name, r.last_msn if not r.segments or r.segments[-1].finished else r.last_msn - 1)
        for r in window.presentation().renditions
    )
    # Where cues lie is known as media come.
    return last, window.ended, window.version if window.cues else None
