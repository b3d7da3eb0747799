"""A limit on the time of one call of the code under test, for a process of its own.

`limited` arms a watchdog while foreign code runs. It is a thread of the C library (`faulthandler`),
so it also ends loops inside C code that never give Python back; it can end nothing less than the
process, which is why a limit is set only in a child made for the purpose (`verimath.isolation`).
"""

import faulthandler
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager

_limit: list[tuple[float, int]] = []  # seconds and file descriptor, or nothing


def set_limit(seconds: float, report_to: int) -> None:
    """End this process if a call takes longer, after writing where it was to a file descriptor."""
    _limit[:] = [(seconds, report_to)]


def announce(what: Callable[[], str]) -> None:
    """Begin the report with a line on what the next call is given, if there is a limit."""
    if _limit:
        _, report_to = _limit[0]
        os.ftruncate(report_to, 0)
        os.lseek(report_to, 0, os.SEEK_SET)
        os.write(report_to, f"{what()}\n".encode())


@contextmanager
def limited() -> Generator[None]:
    """Hold what happens inside to the limit of this process, if it has one."""
    if not _limit:
        yield
        return
    seconds, report_to = _limit[0]
    faulthandler.dump_traceback_later(seconds, exit=True, file=report_to)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
