"""Pieces of TeX, each with how tightly it holds together, and who prints the parts of a node."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from verimath.formula.graph import Node

# How tightly a piece of TeX holds together: a + b, a \odot b, a b, a^2 or f(a), a.
SUM, ELEMENTWISE, PRODUCT, SCRIPTED, ATOM = range(5)


@dataclass(frozen=True, slots=True)
class Tex:
    """A piece of TeX, and how tightly it holds together."""

    text: str
    binding: int = ATOM

    def at_least(self, binding: int) -> str:
        """The text, in parentheses if it holds together less tightly."""
        return self.text if self.binding >= binding else rf"\left({self.text}\right)"


def transposed(x: Tex) -> str:
    """The transpose; that of a transposed symbol is the symbol."""
    single = _TRANSPOSED_SYMBOL.fullmatch(x.text)
    return single[1] if single else rf"{x.at_least(ATOM)}^\top"


_TRANSPOSED_SYMBOL = re.compile(r"(\w(?:_\{\w+\})?)\^\\top")


@dataclass(frozen=True, slots=True, eq=False)
class Printer:
    """The names that nodes bear, and how any node is printed: called with one, it gives its TeX.

    The rooms of this package hand it to each other, since parts of anything may be anything.
    """

    names: Mapping[Node, str]
    node_tex: Callable[[Node, "Printer"], Tex]

    def __call__(self, node: Node) -> Tex:
        """The TeX of a node."""
        return self.node_tex(node, self)
