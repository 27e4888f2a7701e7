"""Executors for tests."""

from collections.abc import Callable
from concurrent.futures import Executor, Future


class AtOnce(Executor):
    """Calls where it is called."""

    def submit(self, fn: Callable, /, *args: object, **kwargs: object) -> Future:
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class ByHand(Executor):
    """Keeps the calls until `run`."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def submit(self, fn: Callable, /, *args: object, **kwargs: object) -> Future:
        future: Future = Future()
        self.calls.append(lambda: future.set_result(fn(*args, **kwargs)))
        return future

    def run(self) -> None:
        """All that was submitted."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()
