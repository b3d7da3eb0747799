"""Preparing a graph for evaluation with unknowns: equal nodes become one, laws become structure.

- A function of an array that is repeated or reshaped is the function, repeated or reshaped.
- exp(Σ cₖaₖ), and sin and cos by exp(ix), are one node with the rational numbers cₖ as parameter
  and the arrays aₖ as inputs; exp(c log y + …) = y^c exp(…) where y is positive.
- Logarithms and roots of products, quotients and powers of what is positive by how it is written
  (of what isn't negative, for roots) are taken apart.

Each of these is an identity of real functions wherever both sides are defined.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from verimath.rechecking.graph import Node, Number, Shape
from verimath.rechecking.limits import EXPONENT, NODES, TERMS, RefusedError

POSITIVE, NOT_NEGATIVE, ANY = 2, 1, 0
_PRIMES = 1000
_BITS = 4000  # of a constant


class Formula:
    """Nodes, each once; methods add one and return its place."""

    def __init__(self, positive: set[str]) -> None:
        self.nodes: list[Node] = []
        self._places: dict[Node, int] = {}
        self._signs: list[int] = []
        self._constants: list[Fraction | None] = []
        self._positive = positive

    def add(
        self,
        operation: str,
        inputs: Sequence[int],
        shape: Shape,
        parameter: Any,
        kind: str = "real",
    ) -> int:
        """A node as it is."""
        node = Node(operation, tuple(inputs), shape, parameter, kind)
        found = self._places.get(node)
        if found is None:
            if len(self.nodes) > 8 * NODES:
                raise RefusedError("not confirmed: the formula grows too long")
            found = self._places[node] = len(self.nodes)
            self.nodes.append(node)
            self._signs.append(self._sign(node))
            self._constants.append(self._constant(node))
        return found

    def _constant(self, node: Node) -> Fraction | None:
        """The one rational number that all elements are."""
        if node.operation == "constant" and node.parameter.unit is None:
            return node.parameter.factor if node.parameter.root is None else None
        if node.operation in ("broadcast", "reshape", "convert"):
            return self._constants[node.inputs[0]]
        if node.operation == "size" and node.kind == "real":
            size = node.parameter
            if not size:
                return Fraction(0)
            return Fraction(size[0][1]) if len(size) == 1 and not size[0][0] else None
        return None

    def _sign(self, node: Node) -> int:
        signs = [self._signs[place] for place in node.inputs]
        operation, parameter = node.operation, node.parameter
        if operation == "input":
            return POSITIVE if parameter in self._positive else ANY
        if operation == "constant":
            factor = parameter.factor
            return POSITIVE if factor > 0 and parameter.root != 0 else int(factor >= 0)
        if operation == "size":
            grows = all(coefficient > 0 for _, coefficient in parameter)
            return (POSITIVE if parameter else NOT_NEGATIVE) if grows else ANY
        if operation == "exponential":
            return POSITIVE if parameter[0] == "exp" else ANY
        if operation == "add":
            return max(signs) if min(signs) >= NOT_NEGATIVE else ANY
        if operation in ("multiply", "divide"):
            if node.inputs[0] == node.inputs[1]:
                return max(signs[0], NOT_NEGATIVE)
            return min(signs)
        if operation == "power":
            if signs[0] == POSITIVE:
                return POSITIVE
            even = parameter.denominator > 1 or parameter.numerator % 2 == 0
            return NOT_NEGATIVE if even else signs[0]
        if operation in ("broadcast", "reshape", "convert", "gather", "product", "cumulative"):
            return signs[0]
        if operation == "concatenate":
            return min(signs)
        if operation == "einsum":
            if len(signs) == 2 and node.inputs[0] == node.inputs[1]:
                terms = parameter[0]
                if terms[0] == terms[1]:
                    return max(min(signs), NOT_NEGATIVE)
            return min(signs)
        if operation in ("delta", "index", "compare", "subgradient", "logical"):
            return NOT_NEGATIVE
        return ANY

    # Constructors that know laws ------------------------------------------------------------

    def constant(self, number: Fraction, shape: Shape) -> int:
        """A rational number, repeated."""
        return self.repeated(self.add("constant", (), (), Number(number)), shape)

    def repeated(self, place: int, shape: Shape) -> int:
        """Broadcast, unless it has the shape."""
        if self.nodes[place].shape == shape:
            return place
        return self.add("broadcast", (place,), shape, None)

    def multiply(self, x: int, y: int) -> int:
        """X y, constants folded."""
        a, b = self._constants[x], self._constants[y]
        shape = self.nodes[x].shape
        if a is not None and b is not None and _short(a, b):
            return self.constant(a * b, shape)
        if a == 1:
            return y
        if b == 1:
            return x
        return self.add("multiply", (x, y), shape, None)

    def _unwrapped(self, place: int) -> tuple[int, list[Node]]:
        """What an array is a rearrangement of, and the rearrangements, the last one first."""
        wrappers: list[Node] = []
        while True:
            node = self.nodes[place]
            moves = node.operation in ("broadcast", "reshape") or (
                node.operation == "einsum"
                and len(node.inputs) == 1
                and set(node.parameter[0][0]) == set(node.parameter[1])
            )
            if not moves or node.kind != "real":
                return place, wrappers
            wrappers.append(node)
            place = node.inputs[0]

    def _wrapped(self, place: int, wrappers: list[Node]) -> int:
        for node in reversed(wrappers):
            place = self.add(node.operation, (place,), node.shape, node.parameter)
        return place

    def function(self, name: str, x: int) -> int:
        """A function by its laws."""
        if name == "negative":
            value = self._constants[x]
            if value is not None:
                return self.constant(-value, self.nodes[x].shape)
            return self.add("function", (x,), self.nodes[x].shape, name)
        inner, wrappers = self._unwrapped(x)
        if name in ("exp", "sin", "cos"):
            found = self._exponential(name, inner)
        elif name == "log":
            found = self._logarithm(inner)
        else:
            found = self.add("function", (inner,), self.nodes[inner].shape, name)
        return self._wrapped(found, wrappers)

    def power(self, x: int, exponent: Fraction) -> int:
        """x^exponent by its laws; a work list, since products may be long."""
        inner, wrappers = self._unwrapped(x)
        shape = self.nodes[inner].shape
        total: int | None = None
        work = [(inner, exponent, list[Node]())]
        steps = 0
        while work:
            place, power, around = work.pop()
            steps += 1
            if steps > TERMS:
                raise RefusedError("not confirmed: a root of too long a product")
            below, more = self._unwrapped(place)
            around = around + more
            parts = self._power_parts(below, power)
            if parts is None:
                found = self._wrapped(self._plain_power(below, power), around)
                total = found if total is None else self.multiply(total, found)
            else:
                work.extend((part, by, around) for part, by in parts)
        assert total is not None
        return self._wrapped(self.repeated(total, shape), wrappers)

    def _power_parts(self, place: int, power: Fraction) -> list[tuple[int, Fraction]] | None:
        node = self.nodes[place]
        whole = power.denominator == 1
        if node.operation in ("multiply", "divide"):
            x, y = node.inputs
            if whole and power != 1:
                return None  # nothing is gained
            if x == y and node.operation == "multiply" and self._signs[x] >= NOT_NEGATIVE:
                return [(x, 2 * power)]
            if min(self._signs[x], self._signs[y]) >= NOT_NEGATIVE:
                return [(x, power), (y, power if node.operation == "multiply" else -power)]
        if node.operation == "power":
            inner = node.parameter
            if whole or inner.denominator > 1 or self._signs[node.inputs[0]] >= NOT_NEGATIVE:
                return [(node.inputs[0], inner * power)]
        return None

    def _plain_power(self, place: int, power: Fraction) -> int:
        node = self.nodes[place]
        if max(abs(power.numerator), power.denominator) > EXPONENT * EXPONENT:
            raise RefusedError("not confirmed: an exponent grows too large")
        if power == 1:
            return place
        if power == 0:
            return self.constant(Fraction(1), node.shape)
        if node.operation == "exponential" and node.parameter[0] == "exp":
            coefficients = tuple(c * power for c in node.parameter[1])
            return self.add("exponential", node.inputs, node.shape, ("exp", coefficients))
        value = self._constants[place]
        if value is not None and _short(value) and (power.denominator == 1 or value > 0):
            return self._constant_power(value, power, node.shape)
        return self.add("power", (place,), node.shape, power)

    def _constant_power(self, value: Fraction, power: Fraction, shape: Shape) -> int:
        if power.denominator == 1:
            if value == 0 and power < 0:
                raise RefusedError("divides by zero")
            return self.constant(value**power.numerator, shape)
        total = self.constant(Fraction(1), shape)
        for prime, count in _factors(value):
            by = count * power
            whole = by.numerator // by.denominator
            total = self.multiply(total, self.constant(Fraction(prime) ** whole, shape))
            if by != whole:
                root = self.add("constant", (), (), Number(Fraction(prime)))
                root = self.add("power", (root,), (), by - whole)
                total = self.multiply(total, self.repeated(root, shape))
        return total

    def _logarithm(self, x: int) -> int:
        shape = self.nodes[x].shape
        total: int | None = None
        work = [(x, Fraction(1), list[Node]())]
        steps = 0
        while work:
            place, factor, around = work.pop()
            steps += 1
            if steps > TERMS:
                raise RefusedError("not confirmed: a logarithm of too long a product")
            below, more = self._unwrapped(place)
            around = around + more
            node = self.nodes[below]
            signs = [self._signs[part] for part in node.inputs]
            if node.operation in ("multiply", "divide") and min(signs) == POSITIVE:
                other = factor if node.operation == "multiply" else -factor
                work += [(node.inputs[0], factor, around), (node.inputs[1], other, around)]
                continue
            if node.operation == "power" and signs[0] == POSITIVE:
                work.append((node.inputs[0], factor * node.parameter, around))
                continue
            if self._constants[below] == 1:
                found = self.constant(Fraction(0), node.shape)
            elif node.operation == "exponential" and node.parameter[0] == "exp":
                found = self._combination(node)
            else:
                found = self.add("function", (below,), node.shape, "log")
            found = self._wrapped(found, around)
            found = self.multiply(self.constant(factor, self.nodes[found].shape), found)
            total = found if total is None else self.add("add", (total, found), shape, None)
        assert total is not None
        return total

    def _combination(self, node: Node) -> int:
        total = self.constant(Fraction(0), node.shape)
        for part, coefficient in zip(node.inputs, node.parameter[1], strict=True):
            scaled = self.multiply(self.constant(coefficient, node.shape), part)
            total = self.add("add", (total, scaled), node.shape, None)
        return total

    def _exponential(self, name: str, x: int) -> int:
        shape = self.nodes[x].shape
        space = "exp" if name == "exp" else "cis"
        powers: list[int] = []
        atoms: dict[int, Fraction] = {}
        for place, coefficient in self._linear_form(x).items():
            below, around = self._unwrapped(place)
            node = self.nodes[below]
            if space == "exp" and node.operation == "function" and node.parameter == "log":
                powers.append(self._wrapped(self.power(node.inputs[0], coefficient), around))
            elif coefficient:
                atoms[place] = coefficient
        parts = sorted(atoms.items())
        places = [place for place, _ in parts]
        coefficients = tuple(coefficient for _, coefficient in parts)
        found = self.add("exponential", places, shape, (name, coefficients))
        for factor in powers:
            found = self.multiply(found, factor)
        return found

    def _linear_form(self, x: int) -> dict[int, Fraction]:
        """Arrays of one shape with rational coefficients whose sum is x."""
        form: dict[int, Fraction] = {}
        work = [(x, Fraction(1), list[Node]())]
        steps = 0
        while work:
            place, factor, around = work.pop()
            steps += 1
            if steps > TERMS:
                raise RefusedError("not confirmed: an exponent of too many terms")
            below, more = self._unwrapped(place)
            around = around + more
            node = self.nodes[below]
            if node.operation == "add" and node.kind == "real":
                work += [(part, factor, around) for part in node.inputs]
                continue
            if node.operation == "function" and node.parameter == "negative":
                work.append((node.inputs[0], -factor, around))
                continue
            if node.operation in ("multiply", "divide"):
                a, b = (self._constants[part] for part in node.inputs)
                if b is not None and _short(b, factor) and (b or node.operation == "multiply"):
                    by = b if node.operation == "multiply" else 1 / b
                    work.append((node.inputs[0], factor * by, around))
                    continue
                if a is not None and _short(a, factor) and node.operation == "multiply":
                    work.append((node.inputs[1], factor * a, around))
                    continue
            value = self._constants[below]
            if value is not None and _short(value, factor):
                below, factor = self.constant(Fraction(1), node.shape), factor * value
            found = self._wrapped(below, around)
            form[found] = form.get(found, Fraction(0)) + factor
        return form


def _short(*numbers: Fraction) -> bool:
    """Whether numbers may be computed with here: constants of constants grow without end."""
    return all(
        max(number.numerator.bit_length(), number.denominator.bit_length()) <= _BITS
        for number in numbers
    )


def _factors(number: Fraction) -> list[tuple[int, int]]:
    """Prime factors with their exponents; what is left after small ones counts as one."""
    found: list[tuple[int, int]] = []
    for rest, sign in ((number.numerator, 1), (number.denominator, -1)):
        for prime in range(2, _PRIMES):
            count = 0
            while rest % prime == 0:
                rest, count = rest // prime, count + 1
            if count:
                found.append((prime, sign * count))
        if rest > 1:
            found.append((rest, sign))
    return found


def normalised(
    nodes: Sequence[Node], wanted: Sequence[int], positive: set[str]
) -> tuple[list[Node], list[int]]:
    """The same nodes with laws applied, and the places of the wanted ones."""
    formula = Formula(positive)
    places: list[int] = []
    for node in nodes:
        inputs = [places[place] for place in node.inputs]
        real = node.kind == "real"
        if node.operation == "function":
            place = formula.function(node.parameter, inputs[0])
        elif node.operation == "power":
            place = formula.power(inputs[0], node.parameter)
        elif node.operation == "multiply" and real:
            place = formula.multiply(*inputs)
        elif node.operation == "constant" and node.parameter.unit == "e":
            one = formula.constant(Fraction(1), ())
            e = formula.add("exponential", (one,), (), ("exp", (Fraction(1),)))
            place = formula.multiply(formula.constant(node.parameter.factor, ()), e)
        elif node.operation == "constant" and node.parameter.root is not None:
            under = formula.constant(node.parameter.root, ())
            root = formula.power(under, Fraction(1, 2)) if node.parameter.root else under
            place = formula.multiply(formula.constant(node.parameter.factor, ()), root)
        elif node.operation == "broadcast":
            place = (
                formula.repeated(inputs[0], node.shape) if real else _as_is(formula, node, inputs)
            )
        else:
            place = _as_is(formula, node, inputs)
        places.append(place)
    return formula.nodes, [places[place] for place in wanted]


def _as_is(formula: Formula, node: Node, inputs: list[int]) -> int:
    return formula.add(node.operation, inputs, node.shape, node.parameter, node.kind)
