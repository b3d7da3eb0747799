"""What can go wrong, sorted by who has to act.

Inner code raises one short sentence; the public boundary that knows the claim, the file or the
option puts it in front. The command line turns the classes into exit codes (see `verimath.cli`).
"""


class VerimathError(Exception):
    """Base of every error that verimath raises on purpose."""


class ClaimError(VerimathError, ValueError):
    """A claim, domain or claims file is at fault: its author has to mend it (exit code 2)."""


class FormulaError(ClaimError):
    """A formula uses something that can't be traced; the message names the line."""


class NotExpressibleError(VerimathError):
    """Something that an arithmetic can't hold, such as an index that is a symbol."""


class UsageError(VerimathError, ValueError):
    """An option or name that was passed is at fault (exit code 2)."""


class UnavailableError(VerimathError, RuntimeError):
    """Something outside is missing: a device, a library, a writable folder (exit code 3)."""


class VerificationError(AssertionError):
    """A candidate or claim did not come out as expected; the message is the full story."""
