"""Turns SIGINT and SIGTERM into a request to save and stop; knows nothing of training."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

_WATCHED = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """Training has saved and stopped because of a signal.

    Not an `Exception`, like KeyboardInterrupt: nothing between the training loop and `run()` should handle it as
    an error.
    """

    def __init__(self, number: int, step: int) -> None:
        self.number, self.step = number, step
        super().__init__(number, step)

    @property
    def exit_code(self) -> int:
        """As shells report a process that was ended by a signal: 128 + the signal's number."""
        return 128 + self.number


class StopWish:
    """The first signal that came, 0 before."""

    def __init__(self) -> None:
        self.number = 0

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Remember the first signal; a second one ends the process at once, as without Tunebook."""
        self.number = self.number or number
        for watched in _WATCHED:
            signal.signal(watched, signal.default_int_handler if watched == signal.SIGINT else signal.SIG_DFL)


@contextlib.contextmanager
def listening(wish: StopWish) -> Iterator[None]:
    """Collect signals while the block runs, then put the old handlers back."""
    before = {number: signal.signal(number, wish.receive) for number in _WATCHED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
