"""The same clip, browser and servers as the end-to-end tests."""

from tests.e2e.conftest import browser, clip

__all__ = ["browser", "clip"]
