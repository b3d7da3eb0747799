"""Expressions as text for people, and as JSON for certificates (docs/certificates.md)."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from verimath.proof.terms import (
    Closed,
    Expression,
    Factor,
    Head,
    Indices,
    Monomial,
    close,
    free_indices,
)

_TERMS = 16
_LETTERS = "ijklmnpqrstuvwabcdefgh"
_SUPERSCRIPT = str.maketrans("-0123456789/", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹ᐟ")


# --- for people -------------------------------------------------------------------------------


# Definitions inside definitions are shared; written out in full they may be exponentially long.
_DEEPEST = 4
_LONGEST = 120


class _Letters:
    """Names of indices that nothing else in the same text has, and how deep the text is."""

    def __init__(self) -> None:
        self.used = 0
        self.depth = 0
        self.left = _LONGEST

    def new(self) -> str:
        k, self.used = self.used, self.used + 1
        return _LETTERS[k % len(_LETTERS)] + "'" * (k // len(_LETTERS))


def expression_text(expression: Expression, *, most: int = _TERMS) -> str:
    """A sum in index notation, e.g. "2 n⁻¹ Σ_j A_ij x_j"; "..." after the first few terms."""
    free = sorted({i for monomial in expression for i in free_indices(monomial)}, reverse=True)
    letters = _Letters()
    names = {i: letters.new() for i in free}
    return _sum(close(expression), names, letters, most)


def definition_text(head: Head, *, most: int = _TERMS) -> str:
    """What a head stands for, its parameters named in order."""
    letters = _Letters()
    count = len(head.sizes) + len(head.inner)
    names = {-(k + 1): letters.new() for k in range(count)}
    return _sum(head.definition, names, letters, most)


@lru_cache(maxsize=1024)
def matrix_text(head: Head) -> str:
    """The matrix of an inverse as people name it: A if it is an input, else its elements."""
    if len(head.definition) == 1:
        monomial, coefficient = head.definition[0]
        if coefficient == 1 and not monomial.powers and len(monomial.factors) == 1:
            only = monomial.factors[0]
            if only.head.kind == "tensor" and not monomial.bound:
                return only.head.name
    words = [_word(monomial, coefficient) for monomial, coefficient in head.definition]
    known = [word for word in words if word is not None]
    text = _joined(known) if len(known) == len(words) else definition_text(head)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def _word(monomial: Monomial, coefficient: Fraction) -> str | None:
    """A product of matrices from row -1 to column -2, as A B⁻¹ C' or u v'; else None."""
    left = list(monomial.factors)
    walked = _walk(left, -1, -2)
    if monomial.powers or walked is None:
        return None
    names, end = walked
    if end != -2:
        # A column ended there; what is left has to be the row.
        back = _walk(left, -2, -1)
        if back is None or back[1] is not None:
            return None
        names += [(name, not turned) for name, turned in reversed(back[0])]
    if left:
        return None
    return _number(coefficient, " ".join(name + "'" * turned for name, turned in names))


def _walk(
    left: list[Factor], at: int, stop: int
) -> tuple[list[tuple[str, bool]], int | None] | None:
    """The factors that follow each other from an index, and whether each is turned around.

    They are taken from `left`; the index where the walk ended is None behind a vector.
    """
    names: list[tuple[str, bool]] = []
    while at != stop:
        follows = [f for f in left if at in f.indices and f.exponent == 1]
        name = _matrix_name(follows[0].head) if len(follows) == 1 else None
        if name is None:
            return None
        (factor,) = follows
        left.remove(factor)
        if len(factor.indices) == 1:
            return [*names, (name, False)], None
        if len(factor.indices) != 2:
            return None
        i, j = factor.indices
        names.append((name, i != at))
        at = j if i == at else i
    return names, at


def _matrix_name(head: Head) -> str | None:
    if head.kind == "tensor":
        return head.name
    if head.kind == "delta":
        return "I"
    return _inverse_name(head) if head.kind == "inverse" else None


def _inverse_name(head: Head) -> str:
    name = matrix_text(head)
    return f"{name}⁻¹" if name.isalnum() else f"({name})⁻¹"


def _joined(parts: Iterable[str]) -> str:
    text = " + ".join(parts)
    return text.replace("+ -", "- ") or "0"


def _number(coefficient: Fraction, rest: str) -> str:
    if coefficient == 1:
        return rest or "1"
    if coefficient == -1:
        return f"-{rest or '1'}"
    return f"{coefficient} {rest}".rstrip()


def _sum(terms: Closed, names: Mapping[int, str], letters: _Letters, most: int) -> str:
    if letters.depth > _DEEPEST:
        return "..."
    most = max(2, most >> letters.depth)
    letters.depth += 1
    shown, start, end = list[str](), letters.used, letters.used
    for monomial, coefficient in terms[:most]:
        letters.used = start
        shown.append(_term(monomial, coefficient, names, letters))
        end = max(end, letters.used)
    letters.used = end
    letters.depth -= 1
    if len(terms) > most:
        shown.append(f"... ({len(terms)} terms)")
    return _joined(shown)


def _term(
    monomial: Monomial, coefficient: Fraction, names: Mapping[int, str], letters: _Letters
) -> str:
    own = {**names, **{k: letters.new() for k in range(len(monomial.bound))}}
    parts = [name.lstrip("#") + _exponent(exponent) for name, exponent in monomial.powers]
    if monomial.bound:
        parts.append("Σ_" + "".join(own[k] for k in range(len(monomial.bound))))
    parts += [_factor(factor, own, letters) for factor in monomial.factors]
    return _number(coefficient, " ".join(parts))


def _factor(factor: Factor, names: Mapping[int, str], letters: _Letters) -> str:
    letters.left -= 1
    if letters.left < 0:
        return "..."
    head, indices, exponent = factor
    own = "".join(names[i] for i in indices)
    below = f"_{own}" if own else ""
    raised = _exponent(exponent)
    inside = [letters.new() for _ in head.inner]
    if head.kind == "inverse":
        return _inverse_name(head) + below + raised
    if head.kind == "cholesky":
        return f"cholesky({matrix_text(head)}){below}{raised}"
    given = [*inside, *(names[i] for i in indices)]
    parameters = {-(k + 1): name for k, name in enumerate(given)}
    body = _sum(head.definition, parameters, letters, _TERMS) if head.definition else ""
    match head.kind:
        case "tensor":
            return head.name + below + raised
        case "delta":
            return "δ_" + "".join(sorted(own))
        case "index":
            return own + raised
        case "table":
            return head.name + below + raised
        case "sum":
            return f"({body}){raised}"
        case "determinant":
            return f"det({matrix_text(head)}){raised}"
        case "reduction":
            return f"{head.name}_{''.join(inside)}({body}){raised}"
        case "function" if head.name in ("less", "equal"):
            return f"[{body} {'>' if head.name == 'less' else '='} 0]{raised}"
        case "function":
            name = {"step": "H"}.get(head.name, head.name)
            return f"{name}({body}){raised}"
        case _:
            return f"{head.name}[{body}]{below}{raised}"


def _exponent(exponent: Fraction | int) -> str:
    return "" if exponent == 1 else str(exponent).translate(_SUPERSCRIPT)


# --- for certificates -------------------------------------------------------------------------

# The name of the index of the old expression in a step that multiplies by a matrix.
OLD = -99


class Writer:
    """Writes expressions as JSON and numbers the definitions that they use, inner ones first."""

    def __init__(self) -> None:
        self.names: dict[Head, str] = {}
        self.definitions: dict[str, Any] = {}

    def terms(self, expression: Expression | Closed) -> list[dict[str, Any]]:
        """The terms of an expression; the order is canonical."""
        closed = expression if isinstance(expression, tuple) else close(expression)
        return [self._term(monomial, coefficient) for monomial, coefficient in closed]

    def _term(self, monomial: Monomial, coefficient: Fraction) -> dict[str, Any]:
        powers = {name: str(exponent) for name, exponent in monomial.powers}
        term: dict[str, Any] = {"coefficient": str(coefficient)}
        sizes = {name: exponent for name, exponent in powers.items() if not name.startswith("#")}
        numbers = {name[1:]: e for name, e in powers.items() if name.startswith("#")}
        if sizes:
            term["sizes"] = sizes
        if numbers:
            term["numbers"] = numbers
        if monomial.bound:
            term["sum"] = {f"s{k}": str(size) for k, size in enumerate(monomial.bound)}
        term["factors"] = [self._factor(factor) for factor in monomial.factors]
        return term

    def _factor(self, factor: Factor) -> dict[str, Any]:
        written: dict[str, Any] = {"of": self._name(factor.head), "indices": _named(factor.indices)}
        if factor.exponent != 1:
            written["exponent"] = str(factor.exponent)
        return written

    def _name(self, head: Head) -> str:
        if head not in self.names:
            for inner in _below(head):
                if inner not in self.names:
                    self.names[inner] = f"h{len(self.names)}"
                    self.definitions[self.names[inner]] = self._definition(inner)
        return self.names[head]

    def _definition(self, head: Head) -> dict[str, Any]:
        written: dict[str, Any] = {"kind": head.kind}
        if head.name:
            written["name"] = head.name
        written["indices"] = [str(size) for size in head.sizes]
        if head.kind in ("tensor", "table"):
            written["axes"], written["rank"] = list(head.places), head.rank
        if head.inner:
            written["inner"] = [str(size) for size in head.inner]
        if head.definition:
            written["terms"] = self.terms(head.definition)
        return written


def _below(head: Head) -> list[Head]:
    """The head and all heads that its definition uses, each after those it uses itself."""
    found: dict[Head, None] = {}
    todo = [head]
    while todo:
        one = todo.pop()
        if one not in found:
            found[one] = None
            todo.extend(f.head for monomial, _ in one.definition for f in monomial.factors)
    return sorted(found, key=lambda h: (h.height, h.order))


def _named(indices: Indices) -> list[str]:
    return ["was" if i == OLD else f"i{-i - 1}" if i < 0 else f"s{i}" for i in indices]
