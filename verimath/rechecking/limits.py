"""What a check may cost, and how it says that something doesn't hold.

A report is somebody else's text: everything in it is counted, nothing is believed. Budgets are
numbers of operations, so that the same report always gets the same answer.
"""

from verimath.errors import VerimathError

NODES = 4000  # operations of one graph
AXES = 12
DIGITS = 400  # of one number
TERMS = 200  # of one polynomial, and of one linear form
EXPONENT = 64
SIZE = 24  # of one axis
DEPTH = 8  # of tables, and of inductions within inductions
OPERATIONS = 6_000_000  # on numbers, in one part of a certificate


class RefusedError(VerimathError):
    """A part of a certificate doesn't hold, or can't be confirmed; the message says why."""


class Budget:
    """Operations that may still be spent on one part."""

    def __init__(self, operations: int = OPERATIONS) -> None:
        self.left = operations

    def spend(self, operations: int) -> None:
        """Count some operations.

        Raises RefusedError where too few are left.
        """
        self.left -= operations
        if self.left < 0:
            raise RefusedError(
                f"not confirmed: it takes more than {OPERATIONS} operations on numbers"
            )
