"""A process of its own for work that may never end, or may take the whole process with it.

The work runs in a fork, so that closures and live objects need no copying, and its result comes
back as text in a file that has no name. Inside, every call of the code under test is held to the
time limit (`routes.limit`): when that ends the process, the file of last words says where it was.
"""

import faulthandler
import os
import re
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from typing import IO

from verimath.routes.limit import set_limit

_OWN_FAULT = 70  # EX_SOFTWARE of sysexits.h: this program is at fault, not the code under test


class LostError(Exception):
    """The process ended before the work did; the message says how."""


def can_isolate() -> bool:
    """Whether this system can fork."""
    return hasattr(os, "fork")


def isolated(work: Callable[[], str], *, seconds: float) -> str:
    """The text that `work` returns, worked out in a process of its own.

    A call of code under test (`routes.execute.foreign`) may take that many seconds there. Raises
    LostError if it takes longer or if the process dies, and RuntimeError if `work` itself raises.
    """
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as last_words:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # or both processes would write what is in the buffer
        with warnings.catch_warnings():
            # Other threads don't come along; the one that matters here does.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            _work(work, seconds, answer, last_words)
        try:
            _, status = os.waitpid(child, 0)
        except BaseException:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise
        answer.seek(0)
        text = answer.read().decode()
        if os.waitstatus_to_exitcode(status) == 0 and text:
            return text
        last_words.seek(0)
        words = last_words.read().decode(errors="replace")
    if os.waitstatus_to_exitcode(status) == _OWN_FAULT:
        raise RuntimeError(f"the work itself failed in its own process:\n{words}")
    raise LostError(_how(os.waitstatus_to_exitcode(status), words, seconds))


def _work(
    work: Callable[[], str], seconds: float, answer: IO[bytes], last_words: IO[bytes]
) -> None:
    """The life of the child; it never returns."""
    code = _OWN_FAULT
    try:
        torch = sys.modules.get("torch")
        if torch is not None:
            torch.set_num_threads(1)  # the pool of threads has stayed behind
        faulthandler.enable(last_words)  # a crash says where it was, too
        set_limit(seconds, last_words.fileno())
        answer.write(work().encode())
        answer.flush()
        sys.stdout.flush()
        code = 0
    except Exception:  # noqa: BLE001 - the parent raises it again
        os.ftruncate(last_words.fileno(), 0)
        os.pwrite(last_words.fileno(), traceback.format_exc().encode(), 0)
    finally:
        os._exit(code)  # no exit handlers, they are the parent's


def _how(code: int, last_words: str, seconds: float) -> str:
    parts = re.split(r"^(Timeout|Fatal|\Z)", last_words, maxsplit=1, flags=re.MULTILINE)
    given, kind, trace = parts[0].strip(), parts[1], parts[2]
    if kind == "Timeout":
        end = f"no answer within {seconds:g} s"
    elif code < 0:
        end = f"it ended the process by signal {-code} ({signal.strsignal(-code)})"
    else:
        end = f"it ended the process with exit status {code}"
    # The innermost line of the current thread, or of the last one, which is the main one.
    threads = re.split(r"^(?=Thread|Current thread)", trace, flags=re.MULTILINE)
    thread = next((t for t in threads if t.startswith("Current")), threads[-1])
    frame = re.search(r'File "(.*)", line (\d+) in (.*)', thread)
    where = f"; it was in {frame[3]} ({frame[1]}, line {frame[2]})" if frame else ""
    return f"{end} {given}{where}" if given else f"{end}{where}"
