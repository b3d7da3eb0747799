"""Index notation: lists of terms of a derivation, read and evaluated.

The format is the section "derivation" of docs/certificates.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from verimath.rechecking.graph import FUNCTIONS, Number
from verimath.rechecking.limits import AXES, EXPONENT, Budget, RefusedError
from verimath.rechecking.plain import Plain, objects
from verimath.rechecking.polynomials import ONE, Polynomial, fraction, polynomial, value

MOST_TERMS = 2000
_FACTORS = 40
_KINDS = frozenset(
    "tensor table delta index sum function inverse cholesky determinant reduction share".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Factor:
    """An element of a definition, to a power."""

    of: str
    indices: tuple[str, ...]
    exponent: Fraction


@dataclass(frozen=True, slots=True)
class Term:
    """A product, summed over some indices."""

    coefficient: Fraction
    sizes: tuple[tuple[str, Fraction], ...]
    numbers: tuple[tuple[str, Fraction], ...]
    factors: tuple[Factor, ...]
    sums: tuple[tuple[str, Polynomial], ...]

    @property
    def like(self) -> "Term":
        """The same with the coefficient one: what terms are put together by."""
        return Term(Fraction(1), self.sizes, self.numbers, self.factors, self.sums)


@dataclass(frozen=True, slots=True)
class Definition:
    """What a name of factors stands for."""

    kind: str
    indices: tuple[Polynomial, ...]
    inner: tuple[Polynomial, ...]
    terms: tuple[Term, ...]
    name: str
    axes: tuple[int, ...]
    rank: int


Definitions = Mapping[str, Definition]


def need(condition: bool, message: str) -> None:
    """Raise RefusedError unless something is so."""
    if not condition:
        raise RefusedError(message)


def _keys(
    part: Any, wanted: Iterable[str], optional: Iterable[str], what: str
) -> Mapping[str, Any]:
    need(isinstance(part, dict), f"{what} is no object")
    lacking = set(wanted) - set(part)
    need(not lacking, f"{what} lacks {min(lacking, default='')!r}")
    strange = set(part) - set(wanted) - set(optional)
    need(not strange, f"{what} has {str(min(strange, default=''))[:40]!r}, which isn't known")
    return part


def _list(part: Any, what: str) -> list[Any]:
    need(isinstance(part, list), f"{what} is no list")
    return part


def _exponent(text: Any) -> Fraction:
    found = fraction(text)
    need(
        max(abs(found.numerator), found.denominator) <= EXPONENT,
        f"not confirmed: an exponent beyond {EXPONENT}",
    )
    return found


def read_terms(part: Any, free: Sequence[Polynomial], definitions: Definitions) -> tuple[Term, ...]:
    """A list of terms whose free indices i0, i1, ... have these sizes.

    Raises RefusedError for anything else.
    """
    entries = _list(part, "a list of terms")
    need(len(entries) <= MOST_TERMS, f"more than {MOST_TERMS} terms")
    return tuple(read_term(entry, free, definitions) for entry in entries)


def read_term(part: Any, free: Sequence[Polynomial], definitions: Definitions) -> Term:
    """One term.

    Raises RefusedError for an index that isn't there, or has another size than its place.
    """
    term = _keys(part, ("coefficient", "factors"), ("sizes", "numbers", "sum"), "a term")
    sums = {
        str(name): polynomial(str(size))
        for name, size in _pairs(term.get("sum", {}), "sum").items()
    }
    known = {f"i{axis}": size for axis, size in enumerate(free)}
    need(not set(known) & set(sums), "a term sums over a free index")
    need(len(sums) <= AXES, f"a term sums over more than {AXES} indices")
    known |= sums
    factors: list[Factor] = []
    entries = _list(term["factors"], "factors")
    need(len(entries) <= _FACTORS, f"a term of more than {_FACTORS} factors")
    for entry in entries:
        factor = _keys(entry, ("of", "indices"), ("exponent",), "a factor")
        name = factor["of"]
        need(
            isinstance(name, str) and name in definitions,
            f"no definition {str(name)[:40]!r} before",
        )
        indices = tuple(str(index) for index in _list(factor["indices"], "indices"))
        wanted = definitions[name].indices
        need(len(indices) == len(wanted), f"{name} has another number of indices")
        for index, size in zip(indices, wanted, strict=True):
            need(index in known, f"the index {index[:20]!r} isn't known")
            need(known[index] == size, f"the index {index} has another size than in {name}")
        factors.append(Factor(name, indices, _exponent(factor.get("exponent", "1"))))
    numbers = tuple(
        (str(name), _exponent(power))
        for name, power in sorted(_pairs(term.get("numbers", {}), "numbers").items())
    )
    for name, _ in numbers:
        need(
            name in ("pi", "e")
            or (name.isascii() and name.isdigit() and len(name) < 40 and int(name) > 0),
            "numbers",
        )
    sizes = tuple(
        (str(name), _exponent(power))
        for name, power in sorted(_pairs(term.get("sizes", {}), "sizes").items())
    )
    return Term(
        fraction(term["coefficient"]), sizes, numbers, tuple(factors), tuple(sorted(sums.items()))
    )


def _pairs(part: Any, what: str) -> dict[str, Any]:
    need(isinstance(part, dict) and len(part) <= 4 * AXES, f"{what} is no object")
    return part


def read_definitions(part: Any) -> dict[str, Definition]:
    """The definitions; each sees the earlier ones only.

    Raises RefusedError for anything else.
    """
    need(isinstance(part, dict) and len(part) <= MOST_TERMS, "definitions are no object")
    found: dict[str, Definition] = {}
    for name, entry in part.items():
        record = _keys(
            entry, ("kind", "indices"), ("inner", "terms", "name", "axes", "rank"), f"{name[:20]}"
        )
        kind = record["kind"]
        need(kind in _KINDS, f"{name[:20]} is of no known kind")
        indices, inner = (
            tuple(polynomial(str(size)) for size in _list(record.get(key, []), key))
            for key in ("indices", "inner")
        )
        need(len(indices) + len(inner) <= AXES, f"{name[:20]} has more than {AXES} indices")
        need(ONE not in indices, f"{name[:20]} has an index of size one")
        terms = ()
        if kind in ("tensor", "table", "delta", "index"):
            need("terms" not in record and not inner, f"{name[:20]} has terms")
        else:
            terms = read_terms(record.get("terms"), (*inner, *indices), found)
        axes = tuple(record.get("axes", ()))
        rank = record.get("rank", 0)
        need(
            all(isinstance(axis, int) for axis in (*axes, rank)) and 0 <= rank <= AXES,
            "axes or rank",
        )
        need(
            len(set(axes)) == len(axes) == (len(indices) if kind in ("tensor", "table") else 0)
            and all(0 <= axis < rank for axis in axes),
            f"{name[:20]}: its axes",
        )
        found[name] = Definition(
            str(kind), indices, inner, terms, str(record.get("name", "")), axes, rank
        )
        _check_kind(name[:20], found[name])
    return found


def _check_kind(name: str, entry: Definition) -> None:
    kind, indices, inner = entry.kind, entry.indices, entry.inner
    if kind == "delta":
        need(len(indices) == 2 and indices[0] == indices[1], f"{name} is no square")
    if kind == "index":
        need(len(indices) == 1, f"{name} wants one index")
    if kind == "function":
        need(
            entry.name in (FUNCTIONS - {"negative"}) | {"step", "less", "equal"},
            f"{name}: no function {entry.name[:20]!r}",
        )
    if kind in ("inverse", "cholesky"):
        need(len(indices) >= 2 and indices[0] == indices[1] and not inner, f"{name} is no square")
    if kind == "determinant":
        need(len(inner) == 2 and inner[0] == inner[1], f"{name} is no square")
    if kind == "reduction":
        need(entry.name in ("max", "product") and len(inner) == 1, f"{name}: no such reduction")
    if kind == "share":
        need(len(indices) >= 1 and not inner, f"{name} wants an index")
    if kind in ("sum", "function"):
        need(not inner, f"{name} has inner indices")


def combined(terms: Iterable[Term]) -> dict[Term, Fraction]:
    """Like terms put together."""
    total: dict[Term, Fraction] = {}
    for term in terms:
        like = term.like
        total[like] = total.get(like, Fraction(0)) + term.coefficient
    return {term: coefficient for term, coefficient in total.items() if coefficient}


class Evaluation:
    """Terms at one point: sizes, inputs, and the values of definitions."""

    def __init__(
        self,
        definitions: Definitions,
        numbers: Plain,
        sizes: Mapping[str, int],
        inputs: Mapping[str, Any],
        budget: Budget,
    ) -> None:
        self.numbers = numbers
        self.sizes = sizes
        self.budget = budget
        self.values: dict[str, Any] = {}
        self._powers: dict[tuple[str, Fraction], Any] = {}
        for name, entry in definitions.items():
            found = self._definition(entry, inputs)
            shape = tuple(value(size, sizes) for size in entry.indices)
            need(found.shape == shape, f"{name[:20]} has the shape {found.shape}, not {shape}")
            self.values[name] = found

    def terms(self, terms: Sequence[Term], free: Sequence[Polynomial]) -> Any:
        """The sum of terms, as an array with an axis for every size."""
        shape = tuple(value(size, self.sizes) for size in free)
        need(prod(shape) <= 20_000, "an expression of too many elements")
        total = objects(shape, [self.numbers.whole(0)] * prod(shape))
        for term in terms:
            total = np.asarray(total + self._term(term, shape), dtype=object)
        return total

    def _scalar(self, term: Term) -> Any:
        whole, numbers = self.numbers.whole, self.numbers
        factor = numbers.number(Number(term.coefficient))[()]
        for name, power in term.sizes:
            need(name in self.sizes, f"the size {name[:20]!r} isn't given")
            factor = factor * numbers.power(objects((1,), [whole(self.sizes[name])]), power)[0]
        for name, power in term.numbers:
            number = (
                numbers.number(Number(Fraction(1), name))
                if name in ("pi", "e")
                else numbers.number(Number(Fraction(int(name))))
            )
            factor = factor * numbers.power(number.reshape(1), power)[0]
        return factor

    def _term(self, term: Term, shape: tuple[int, ...]) -> Any:
        """Factors one after another; an index is summed once no later factor has it."""
        letters: dict[str, int] = {}
        lengths = {name: value(size, self.sizes) for name, size in term.sums}
        lengths |= {f"i{axis}": size for axis, size in enumerate(shape)}
        for name in lengths:
            letters[name] = len(letters)
        total = objects((), [self._scalar(term)])
        axes: list[str] = []
        for place, factor in enumerate(term.factors):
            later = {index for rest in term.factors[place + 1 :] for index in rest.indices}
            mine = list(dict.fromkeys((*axes, *factor.indices)))
            kept = [index for index in mine if index in later or index not in dict(term.sums)]
            self.budget.spend(10 + prod(lengths[index] for index in mine))
            total = np.asarray(
                np.einsum(
                    total,
                    [letters[index] for index in axes],
                    self._power(factor),
                    [letters[index] for index in factor.indices],
                    [letters[index] for index in kept],
                ),
                dtype=object,
            )
            axes = kept
        met = {index for factor in term.factors for index in factor.indices}
        for name, _ in term.sums:
            if name not in met:
                total = np.asarray(total * self.numbers.whole(lengths[name]), dtype=object)
        order = [f"i{axis}" for axis in range(len(shape))]
        present = [index for index in order if index in axes]
        total = np.transpose(total, [axes.index(index) for index in present])
        full = tuple(lengths[index] if index in axes else 1 for index in order)
        self.budget.spend(prod(shape))
        return np.broadcast_to(total.reshape(full), shape)

    def _power(self, factor: Factor) -> Any:
        key = (factor.of, factor.exponent)
        if key not in self._powers:
            base = self.values[factor.of]
            self.budget.spend(base.size)
            self._powers[key] = (
                base if factor.exponent == 1 else self.numbers.power(base, factor.exponent)
            )
        return self._powers[key]

    def _definition(self, entry: Definition, inputs: Mapping[str, Any]) -> Any:
        numbers, kind = self.numbers, entry.kind
        shape = tuple(value(size, self.sizes) for size in entry.indices)
        if kind == "tensor":
            need(entry.name in inputs, f"no input is called {entry.name[:40]!r}")
            return _on_axes(numbers.lift(inputs[entry.name]), entry)
        if kind == "table":
            return _on_axes(_table(entry.name, numbers), entry)
        if kind == "delta":
            return numbers.lift(np.eye(shape[0], dtype=int).astype(object))
        if kind == "index":
            return numbers.lift(objects(shape, range(shape[0])))
        inner = self.terms(entry.terms, (*entry.inner, *entry.indices))
        if kind == "sum":
            return inner
        if kind == "function":
            return self._function(entry.name, inner)
        if kind in ("inverse", "cholesky", "determinant"):
            return self._matrix(kind, inner)
        if kind == "share":
            return numbers.share(inner, 0)
        if entry.name == "product":
            total = inner[0]
            for row in inner[1:]:
                total = total * row
            return np.asarray(total, dtype=object)
        return np.asarray((numbers.share(inner, 0) * inner).sum(axis=0), dtype=object)

    def _function(self, name: str, x: Any) -> Any:
        if name == "step":
            return self.numbers.step(x)
        if name == "less":
            return self.numbers.above(x)
        if name == "equal":
            ones = [self.numbers.whole(int(self.numbers.is_zero(item))) for item in x.ravel()]
            return objects(x.shape, ones)
        return self.numbers.function(name, x)

    def _matrix(self, kind: str, x: Any) -> Any:
        numbers = self.numbers
        self.budget.spend(x.size * x.shape[0])
        batch = np.moveaxis(x, (0, 1), (-2, -1))
        if kind == "determinant":
            return numbers.determinant(batch)
        if kind == "cholesky":
            found = numbers.cholesky(batch)
        else:
            one = numbers.lift(np.eye(x.shape[0], dtype=int).astype(object))
            found = numbers.solve(batch, np.broadcast_to(one, batch.shape).copy())
        return np.moveaxis(found, (-2, -1), (0, 1))


def _on_axes(array: Any, entry: Definition) -> Any:
    """The axes that have indices, in their order, and the first element along the others."""
    need(array.ndim == entry.rank, f"{entry.name[:40]!r} has {array.ndim} axes")
    others = [axis for axis in range(array.ndim) if axis not in entry.axes]
    need(
        all(array.shape[axis] == 1 for axis in others), f"{entry.name[:40]!r}: an axis is left out"
    )
    array = np.transpose(array, (*entry.axes, *others))
    return array.reshape(array.shape[: len(entry.axes)])


def _table(name: str, numbers: Plain) -> Any:
    raise RefusedError(f"not confirmed: the table {name[:40]!r}")
