"""Signals that ask a training to stop: they set a flag, so that it can end in good order."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any, Self

from archbuilder.errors import StoppedError, TerminatedError


class StopFlag:
    """While it is entered, the first SIGINT or SIGTERM is only noted; a second one ends the process at once.

    At once means in the midst of a compilation, too, where no Python code runs. At a prompt, a second one acts as it
    did before: it would end the whole session.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        # Only the main thread of a program may say what a signal does.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def __bool__(self) -> bool:
        return self.received is not None

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        for noted, before in self._before.items():
            signal.signal(noted, before if hasattr(sys, "ps1") else signal.SIG_DFL)

    def error(self, message: str) -> StoppedError:
        """Where another process got the signal, it is taken for SIGTERM."""
        return StoppedError(message) if self.received is signal.SIGINT else TerminatedError(message)
