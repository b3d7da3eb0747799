"""An evaluator of its own for graphs and certificates: it shares no code with the package's.

Numbers are either integers modulo the prime 2^61 - 1 (`Field`: polynomials, quotients, matrix
inverses) or reals of 60 digits (`Reals`: roots, exponentials and the rest too). Certificates are
read by docs/certificates.md alone.
"""

import itertools
import json
import math
import re
from fractions import Fraction

import mpmath as mp
import numpy as np

PRIME = 2**61 - 1
mp.mp.dps = 60


class Singular(Exception):
    """A division by zero: the point that was drawn is outside the domain."""


class Unsupported(Exception):
    """What this number system doesn't have."""


class Field:
    """Integers modulo a prime."""

    def of(self, value):
        value = Fraction(value)
        return value.numerator * pow(value.denominator, -1, PRIME) % PRIME

    def draw(self, random, shape):
        return _filled(shape, lambda: random.randrange(1, PRIME))

    def reduce(self, x):
        return _each(lambda v: int(v) % PRIME, x)

    def power(self, x, exponent):
        if exponent.denominator != 1:
            raise Unsupported("a root")
        if x % PRIME == 0 and exponent < 0:
            raise Singular
        return pow(int(x), int(exponent), PRIME)

    def function(self, name, x):
        if name == "equal":
            return int(x % PRIME == 0)
        if name == "less":  # of small integers
            return int(0 < x % PRIME < PRIME // 2)
        raise Unsupported(name)

    def same(self, x, y):
        return np.array_equal(self.reduce(np.asarray(x) - np.asarray(y)), np.zeros(np.shape(x)))


class Reals:
    """Reals of 60 digits; agreement is to 40 of the largest one that is compared."""

    def of(self, value):
        value = Fraction(value)
        return mp.mpf(value.numerator) / value.denominator

    def draw(self, random, shape):
        return _filled(shape, lambda: self.of(Fraction(random.randrange(-96, 97) or 1, 64)))

    def reduce(self, x):
        return x

    def power(self, x, exponent):
        if (exponent.denominator != 1 and x <= 0) or (exponent < 0 and x == 0):
            raise Singular
        return mp.mpf(x) ** (mp.mpf(exponent.numerator) / exponent.denominator)

    def function(self, name, x):
        if name == "log" and x <= 0:
            raise Singular
        if name == "step":
            return mp.mpf(1) if x > 0 else mp.mpf(0) if x < 0 else mp.mpf("0.5")
        if name == "less":
            return mp.mpf(x > 0)
        if name == "equal":
            return mp.mpf(x == 0)
        found = getattr(mp, name)(x)
        if not isinstance(found, mp.mpf):
            raise Singular
        return found

    def same(self, x, y):
        x, y = np.ravel(x), np.ravel(y)
        size = max([abs(v) for v in (*x, *y)], default=0) + 1
        return all(abs(a - b) <= size * mp.mpf(10) ** -40 for a, b in zip(x, y, strict=True))


def _filled(shape, make):
    found = np.empty(shape, dtype=object)
    for index in np.ndindex(*shape):
        found[index] = make()
    return found


def _each(function, *x):
    x = np.broadcast_arrays(*(np.asarray(a, dtype=object) for a in x))
    found = np.empty(x[0].shape, dtype=object)
    for index in np.ndindex(*found.shape):
        found[index] = function(*(a[index] for a in x))
    return found


def _matrices(numbers, function, *x):
    """A function of matrices on every matrix of arrays with leading axes."""
    lead = x[0].shape[:-2]
    found = {i: function(numbers, *(a[i] for a in x)) for i in np.ndindex(*lead)}
    if not found:
        return np.empty((*lead, *x[-1].shape[-2:]), dtype=object)
    result = np.empty(lead + np.shape(next(iter(found.values()))), dtype=object)
    for i, cells in found.items():
        result[i] = cells
    return result


def solved(numbers, a, b):
    """Gauss and Jordan's elimination."""
    n, k = b.shape
    m = np.concatenate([a, b], axis=1)
    for j in range(n):
        pivot = max(range(j, n), key=lambda r: abs(m[r, j]))
        if m[pivot, j] == 0:
            raise Singular
        m[[j, pivot]] = m[[pivot, j]]
        m[j] = numbers.reduce(m[j] * numbers.power(m[j, j], Fraction(-1)))
        for r in range(n):
            if r != j:
                m[r] = numbers.reduce(m[r] - m[r, j] * m[j])
    return m[:, n:].reshape(n, k)


def determinant(numbers, a):
    """Leibniz's formula."""
    total = numbers.of(0)
    for order in itertools.permutations(range(len(a))):
        sign = (-1) ** sum(i > j for k, j in enumerate(order) for i in order[:k])
        term = numbers.of(sign)
        for row, column in enumerate(order):
            term = term * a[row, column]
        total = total + term
    return numbers.reduce(np.asarray(total, dtype=object)).item()


def cholesky(numbers, a):
    n = len(a)
    low = _filled((n, n), lambda: numbers.of(0))
    for i in range(n):
        for j in range(i + 1):
            rest = a[i, j] - sum(low[i, k] * low[j, k] for k in range(j))
            low[i, j] = numbers.power(rest, Fraction(1, 2)) if i == j else rest / low[j, j]
    return low


LARGEST = 2**18  # products of numbers in one step; more would take minutes


def einsum(numbers, operands, output):
    """Sum of products; `operands` are pairs of an array and the names of its axes."""
    numbered = {}
    todo = [
        (np.asarray(array, dtype=object), [numbered.setdefault(n, len(numbered)) for n in axes])
        for array, axes in operands
    ]
    wanted = [numbered[n] for n in output]
    found, have = np.asarray(1, dtype=object), []
    for k, (array, axes) in enumerate(todo):
        # An index is summed as soon as nothing later has it.
        later = {i for _, others in todo[k + 1 :] for i in others} | set(wanted)
        met = dict(zip([*have, *axes], [*found.shape, *array.shape], strict=True))
        if math.prod(met.values()) > LARGEST:
            raise Unsupported("a sum of too many products")
        kept = [i for i in met if i in later]
        found = np.asarray(np.einsum(found, have, array, axes, kept), dtype=object)
        found, have = numbers.reduce(found), kept
    return np.transpose(found, [have.index(i) for i in wanted])


# --- graphs -------------------------------------------------------------------------------------


def size_at(size, sizes):
    return sum(c * int(np.prod([sizes[n] for n in names], dtype=int)) for names, c in size.terms)


def graph(numbers, node, inputs, sizes, known=None):
    """The value of a node as an object array."""
    known = {} if known is None else known
    if node in known:
        return known[node]
    if node.operation == "composite":
        body = node.parameter
        below = {
            inner: graph(numbers, x, inputs, sizes, known)
            for inner, x in zip(body.inputs, node.inputs, strict=True)
        }
        found = graph(numbers, body.definition, inputs, sizes, below)
    else:
        x = [graph(numbers, child, inputs, sizes, known) for child in node.inputs]
        found = _node(numbers, node, x, inputs, sizes)
    known[node] = np.asarray(found, dtype=object)
    return known[node]


def _constant(numbers, c):
    if c.unit == "sqrt":
        return numbers.of(c.factor) * numbers.power(numbers.of(c.radicand), Fraction(1, 2))
    if c.unit != "1":
        if isinstance(numbers, Field):
            raise Unsupported(c.unit)
        return numbers.of(c.factor) * getattr(mp, c.unit)
    return numbers.of(c.factor)


def _kink(numbers, x):
    return numbers.function("step", x)


def _node(numbers, node, x, inputs, sizes):
    shape = tuple(size_at(n, sizes) for n in node.shape)
    one, zero = numbers.of(1), numbers.of(0)
    match node.operation:
        case "input":
            return inputs[node.parameter]
        case "constant":
            return _constant(numbers, node.parameter)
        case "size":
            return numbers.of(size_at(node.parameter, sizes))
        case "delta":
            return _filled(shape, lambda: zero) + np.eye(shape[0], dtype=int)
        case "add":
            return numbers.reduce(x[0] + x[1])
        case "multiply":
            return numbers.reduce(x[0] * x[1])
        case "divide":
            return numbers.reduce(x[0] * _each(lambda v: numbers.power(v, Fraction(-1)), x[1]))
        case "power":
            return _each(lambda v: numbers.power(v, node.parameter), x[0])
        case "function" if node.parameter == "negative":
            return numbers.reduce(-x[0])
        case "function" if node.parameter == "sqrt":
            return _each(lambda v: numbers.power(v, Fraction(1, 2)), x[0])
        case "function" if node.parameter == "abs":
            return _each(lambda v: v * (2 * _kink(numbers, v) - 1), x[0])
        case "function" if node.parameter == "sign":
            return _each(lambda v: 2 * _kink(numbers, v) - 1, x[0])
        case "function":
            return _each(lambda v: numbers.function(node.parameter, v), x[0])
        case "einsum":
            subscripts = node.parameter
            return einsum(
                numbers, list(zip(x, subscripts.operands, strict=True)), subscripts.output
            )
        case "broadcast":
            return np.broadcast_to(x[0], shape)
        case "reshape":
            return x[0].reshape(shape)
        case "index":
            return _filled(shape, lambda: zero) + np.arange(shape[0])
        case "convert":
            return x[0]
        case "compare":
            relation = {
                "less": lambda a, b: a < b,
                "less_equal": lambda a, b: a <= b,
                "equal": lambda a, b: a == b,
            }[node.parameter]
            return _each(lambda a, b: one if relation(a, b) else zero, *x)
        case "where":
            return _each(lambda m, a, b: a if m else b, *x)
        case "maximum":
            return _each(max, *x)
        case "subgradient" if node.parameter == "step":
            return _each(lambda a, b: _kink(numbers, a - b), *x)
        case "subgradient" if node.parameter == "sign":
            return _each(lambda a: 2 * _kink(numbers, a) - 1, *x)
        case "cumulative":
            axis, backwards = node.parameter
            rows = np.flip(x[0], axis) if backwards else x[0]
            found = np.add.accumulate(rows, axis=axis)
            return np.flip(found, axis) if backwards else found
        case "max" | "product":
            rows = np.moveaxis(x[0], node.parameter, -1)
            function = max if node.operation == "max" else (lambda r: math.prod(r, start=one))
            found = np.empty(rows.shape[:-1], dtype=object)
            for i in np.ndindex(*found.shape):
                found[i] = function(list(rows[i]))
            return numbers.reduce(found)
        case "gather":
            return np.take(x[0], x[1].astype(int), axis=node.parameter)
        case "scatter":
            found = _filled(shape, lambda: zero)
            rank, axis = x[1].ndim, node.parameter
            moved = np.moveaxis(x[0], range(axis, axis + rank), range(rank))
            for i in np.ndindex(*x[1].shape):
                found[(slice(None),) * axis + (int(x[1][i]),)] += moved[i]
            return found
        case "solve":
            return _matrices(numbers, solved, *x)
        case "determinant":
            return _matrices(numbers, determinant, *x)
        case "cholesky":
            return _matrices(numbers, cholesky, *x)
    raise Unsupported(node.operation)


# --- certificates -------------------------------------------------------------------------------


class Certificate:
    """Evaluates what a certificate says at one point; see docs/certificates.md, "derivation"."""

    def __init__(self, numbers, written, inputs, sizes):
        self.numbers, self.inputs, self.sizes = numbers, inputs, sizes
        self.values = {}
        for name, definition in written["definitions"].items():
            self.values[name] = self._defined(definition)

    def size(self, text):
        total = 0
        for sign, product in re.findall(r"([+-]?)([^+-]+)", text):
            term = -1 if sign == "-" else 1
            for factor in product.split("*"):
                term *= int(factor) if factor.isdigit() else self.sizes[factor]
            total += term
        return total

    def terms(self, terms, shape, names=None):
        """The value of a sum of terms over the indices i0, i1, ... of an array."""
        names = [f"i{k}" for k in range(len(shape))] if names is None else names
        numbers = self.numbers
        total = _filled(shape, lambda: numbers.of(0))
        for term in terms:
            scalar = numbers.of(Fraction(term["coefficient"]))
            for name, exponent in term.get("sizes", {}).items():
                size = numbers.of(self.sizes[name])
                scalar = scalar * numbers.power(size, Fraction(exponent))
            for name, exponent in term.get("numbers", {}).items():
                if not name.isdigit() and isinstance(numbers, Field):
                    raise Unsupported(name)
                base = numbers.of(int(name)) if name.isdigit() else getattr(mp, name)
                scalar = scalar * numbers.power(base, Fraction(exponent))
            operands = [(np.asarray(scalar, dtype=object), ())]
            used = set()
            for factor in term["factors"]:
                value, exponent = self.values[factor["of"]], Fraction(factor.get("exponent", "1"))
                if exponent != 1:
                    value = _each(lambda v, e=exponent: numbers.power(v, e), value)
                operands.append((value, factor["indices"]))
                used.update(factor["indices"])
            for index, size in term.get("sum", {}).items():
                operands.append((_filled((self.size(size),), lambda: numbers.of(1)), (index,)))
            for name, size in zip(names, shape, strict=True):
                operands.append((_filled((size,), lambda: numbers.of(1)), (name,)))
            total = total + einsum(numbers, operands, names)
        return numbers.reduce(total)

    def _defined(self, d):
        numbers, kind = self.numbers, d["kind"]
        shape = tuple(map(self.size, d["indices"]))
        inner = tuple(map(self.size, d.get("inner", [])))
        if kind == "tensor":
            array = self.inputs[d["name"]]
            return array.reshape([array.shape[k] for k in d["axes"]])
        if kind == "delta":
            return _filled(shape, lambda: numbers.of(0)) + np.eye(shape[0], dtype=int)
        if kind == "index":
            return _filled(shape, lambda: numbers.of(0)) + np.arange(shape[0])
        value = self.terms(d["terms"], inner + shape)
        if kind == "sum":
            return value
        if kind == "function":
            return _each(lambda v: numbers.function(d["name"], v), value)
        if kind == "determinant":
            return _matrices(numbers, determinant, np.moveaxis(value, (0, 1), (-2, -1)))
        if kind == "inverse":
            moved = np.moveaxis(value, (0, 1), (-2, -1))
            eye = np.broadcast_to(np.eye(moved.shape[-1], dtype=int).astype(object), moved.shape)
            return np.moveaxis(_matrices(numbers, solved, moved, eye), (-2, -1), (0, 1))
        if kind == "cholesky":
            moved = np.moveaxis(value, (0, 1), (-2, -1))
            return np.moveaxis(_matrices(numbers, cholesky, moved), (-2, -1), (0, 1))
        if kind == "reduction":
            function = {"max": max, "product": np.prod}[d["name"]]
            found = np.empty(shape, dtype=object)
            for i in np.ndindex(*shape):
                found[i] = function(list(value[(slice(None), *i)]))
            return numbers.reduce(found)
        raise Unsupported(kind)


def collected(terms):
    """Coefficients by what they stand before: the bookkeeping of a certificate."""
    total = {}
    for term in terms:
        key = json.dumps({k: v for k, v in term.items() if k != "coefficient"}, sort_keys=True)
        total[key] = total.get(key, 0) + Fraction(term["coefficient"])
    return {key: c for key, c in total.items() if c}


def _negative(terms):
    return [{**t, "coefficient": str(-Fraction(t["coefficient"]))} for t in terms]


def replay(numbers, certificate, left, right, inputs, sizes):
    """Check a certificate at one point: the sides against the graphs, then every step.

    Returns None, or a sentence about the first thing that doesn't hold.
    """
    reader = Certificate(numbers, certificate, inputs, sizes)
    for k, output in enumerate(certificate["outputs"]):
        shape = tuple(map(reader.size, output["shape"]))
        for side, node in (("left", left[k]), ("right", right[k])):
            want = graph(numbers, node, inputs, sizes)
            if not numbers.same(reader.terms(output[side], shape), want):
                return f"the {side} side is not what the formula says"
        first, *steps = output["steps"]
        terms = [*output["left"], *_negative(output["right"])]
        if collected(terms) != collected(first["terms"]):
            return "the first expression is not the difference of both sides"
        terms = first["terms"]
        for step in steps:
            problem = _step(reader, step, terms, shape)
            if problem:
                return f"step {step['rule']!r}: {problem}"
            terms = step["terms"]
        if terms:
            return "the last expression is not empty"
    return None


def _step(reader, step, before, shape):
    changes = step["changes"]
    replaced = collected([change["from"] for change in changes])
    kept = collected([*before, *_negative([change["from"] for change in changes])])
    if {**kept, **replaced} != collected(before):
        return "a term is replaced that is not there"
    if "times" in step and kept:
        return "a term is not multiplied"
    after = [t for change in changes for t in change["to"]]
    keep = [t for t in before if not collected([t]).items() <= replaced.items()]
    if collected([*keep, *after]) != collected(step["terms"]):
        return "the terms don't add up"
    for change in changes:
        value = _multiplied(reader, step.get("times"), reader.terms([change["from"]], shape))
        if not reader.numbers.same(reader.terms(change["to"], shape), value):
            return "a term is replaced by something else"
    return None


def _multiplied(reader, by, value):
    """A value times a number per element, or times a matrix along an axis; neither may be zero."""
    if by is None:
        return value
    shape, numbers = value.shape, reader.numbers
    names = [f"i{k}" for k in range(len(shape))]
    if "axis" not in by:
        factor = reader.terms(by["terms"], shape)
        if any(v == 0 for v in np.ravel(factor)):
            raise Singular
        return numbers.reduce(value * factor)
    axis = by["axis"]
    matrix = reader.terms(by["terms"], (*shape, shape[axis]), [*names, "was"])
    square = np.moveaxis(matrix, (axis, -1), (-2, -1))
    _matrices(numbers, solved, square, square)  # Singular if it is
    old = ["was" if k == axis else name for k, name in enumerate(names)]
    return einsum(numbers, [(matrix, [*names, "was"]), (value, old)], names)
