"""Lowered formulas have the value, and the derivative, of the formula itself.

The derivative comes from Taylor arithmetic in balls (python-flint's arb_series), which shares
nothing with the rules of `reverse`.
"""

from fractions import Fraction

import flint
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from verimath.arithmetic.ball import BALLS, decided
from verimath.arithmetic.exact import Numbers, UndecidedError, evaluate
from verimath.errors import NotExpressibleError
from verimath.formula.core import KEPT_FUNCTIONS, lowered
from verimath.formula.derive import derive
from verimath.formula.forward import push_forward
from verimath.formula.graph import topological

CORE = frozenset(
    (
        *("input", "constant", "size", "table", "delta", "add", "multiply", "divide", "power"),
        *("function", "einsum", "broadcast", "reshape", "index", "convert", "compare", "logical"),
        *("where", "subgradient", "gather", "scatter", "concatenate", "product", "cumulative"),
        *("solve", "determinant", "cholesky"),
    )
)


def fractions(values):
    """Dyadic numbers near some floats, exactly."""
    cells = np.empty(np.shape(values), dtype=object)
    for place in np.ndindex(*cells.shape):
        cells[place] = Fraction(round(float(values[place]) * 64) * 2 + 1, 128)
    return cells


def floats(cells):
    return np.asarray(np.frompyfunc(float, 1, 1)(cells), dtype=np.float64)


def in_balls(outputs, point, binding):
    inputs = {name: BALLS.array(cells) for name, cells in point.items()}
    return decided(lambda: evaluate(outputs, inputs, binding, BALLS))


def without_kinks(what):
    try:
        return what()
    except (UndecidedError, NotExpressibleError):
        assume(False)


@given(st.data())
@settings(max_examples=300, suppress_health_check=list(HealthCheck))
def test_a_lowered_formula_has_the_same_value(programs, data):
    program = data.draw(programs(longest=8))
    formula = program.formula
    outputs = without_kinks(lambda: lowered(formula.outputs))
    nodes = topological(outputs)
    assert {node.operation for node in nodes} <= CORE
    assert {n.parameter for n in nodes if n.operation == "function"} <= KEPT_FUNCTIONS
    point = {name: fractions(values) for name, values in program.draw(1).items()}
    (found,) = without_kinks(lambda: in_balls(outputs, point, program.binding))
    tensors = [torch.from_numpy(floats(cells)) for cells in point.values()]
    # Loose: torch rounds, and what is looked for is another function.
    np.testing.assert_allclose(floats(found), program(*tensors).numpy(), rtol=1e-6, atol=1e-6)


# --- derivatives ----------------------------------------------------------------------------


class Taylor:
    """a + b t in balls, by python-flint's power series (which numpy would take for sequences)."""

    def __init__(self, inner):
        self.inner = inner

    @staticmethod
    def of(value, slope=0):
        return Taylor(flint.arb_series([flint.arb(value), flint.arb(slope)], prec=2))

    def __add__(self, other):
        return self if isinstance(other, int) else Taylor(self.inner + other.inner)

    __radd__ = __add__  # a sum starts with zero

    def __sub__(self, other):
        return Taylor(self.inner - other.inner)

    def __mul__(self, other):
        return Taylor(self.inner * other.inner)

    def __truediv__(self, other):
        return Taylor(self.inner / other.inner)

    def __neg__(self):
        return Taylor(-self.inner)

    def __eq__(self, other):
        return self.value == other

    def __lt__(self, other):
        return self.value < other.value

    def __le__(self, other):
        return self.value <= other.value

    @property
    def value(self):
        return self.inner[0]

    @property
    def slope(self):
        return self.inner[1]


def power(x, exponent):
    if exponent.denominator != 1:
        return power(Taylor(x.inner.sqrt()), exponent * 2)
    found = Taylor.of(1)
    for _ in range(abs(exponent.numerator)):
        found = found * x
    return found if exponent >= 0 else Taylor.of(1) / found


def function(name, x):
    if name in ("asinh", "acosh", "atanh"):
        under = {"asinh": x.value**2 + 1, "acosh": x.value**2 - 1, "atanh": 1 - x.value**2}[name]
        root = under if name == "atanh" else under.sqrt()
        return Taylor.of(getattr(x.value, name)(), x.slope / root)
    return Taylor(getattr(x.inner, name)())


SERIES = Numbers(
    lambda value: Taylor.of(flint.fmpq(value.numerator, value.denominator)),
    lambda constant: Taylor.of(BALLS.of_constant(constant)),
    function,
    power,
    lambda x: BALLS.sign(x.value),
    lambda x: BALLS.whole(x.value),
)


def ball(value):
    return flint.arb(flint.fmpq(value.numerator, value.denominator))


def directional(outputs, point, direction, binding):
    """The derivative along a direction, in balls, without any rule of ours."""
    inputs = {}
    for name, cells in point.items():
        made = np.empty(cells.shape, dtype=object)
        for place in np.ndindex(*cells.shape):
            slope = direction[name][place] if name in direction else Fraction(0)
            made[place] = Taylor.of(ball(cells[place]), ball(slope))
        inputs[name] = made
    (found,) = evaluate(outputs, inputs, binding, SERIES)
    slopes = np.empty(found.shape, dtype=object)
    for place in np.ndindex(*found.shape):
        slopes[place] = found[place].slope
        if not slopes[place].is_finite():
            raise UndecidedError("a Taylor coefficient that isn't finite")
    return slopes


def check_gradient(program, seed):
    formula = program.formula
    # Lowered alone: the derivative's own nodes are not looked at here.
    primal = without_kinks(lambda: lowered(formula.outputs))
    names = [name for name, node in formula.inputs.items() if node in formula.nodes()]
    assume(names)
    point = {name: fractions(values) for name, values in program.draw(seed).items()}
    gradients = derive(formula, tuple(names)).derivatives
    outputs = without_kinks(lambda: lowered(gradients.outputs))
    found = without_kinks(lambda: in_balls(outputs, point, program.binding))
    draws = program.draw(seed + 1)
    direction = {name: fractions(draws[name]) for name in names}
    slope = without_kinks(
        lambda: decided(lambda: directional(primal, point, direction, program.binding))
    )[()]
    total = flint.arb(0)
    for gradient, name in zip(found, names, strict=True):
        for place in np.ndindex(*gradient.shape):
            total += gradient[place] * ball(direction[name][place])
    assume(total.is_finite())
    assert slope.overlaps(total), (slope, total)
    assert slope.rad() < 1e-3 * (1 + abs(slope)).upper()
    # And torch's own.
    tensors = {n: torch.tensor(floats(x), requires_grad=n in names) for n, x in point.items()}
    program(*tensors.values()).backward()
    for gradient, name in zip(found, names, strict=True):
        theirs = tensors[name].grad
        theirs = np.zeros(gradient.shape) if theirs is None else theirs.numpy()
        np.testing.assert_allclose(floats(gradient), theirs, rtol=1e-5, atol=1e-5)


@given(st.data())
@settings(max_examples=400, suppress_health_check=list(HealthCheck))
def test_gradients_of_random_formulas(programs, data):
    check_gradient(data.draw(programs(longest=12, scalar=True)), seed=2)


@pytest.mark.deep
@given(st.data())
@settings(max_examples=2000, suppress_health_check=list(HealthCheck))
def test_gradients_of_two_thousand_random_formulas(programs, data):
    check_gradient(data.draw(programs(longest=12, scalar=True)), seed=data.draw(st.integers(0, 99)))


@given(st.data())
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
def test_directional_derivatives_of_random_formulas(programs, data):
    program = data.draw(programs(longest=8))
    formula = program.formula
    name = data.draw(st.sampled_from(list(formula.inputs)))
    primal = without_kinks(lambda: lowered(formula.outputs))
    forward = push_forward(formula, name, "the direction")
    outputs = without_kinks(lambda: lowered(forward.outputs))
    draws = program.draw(3)
    point = {n: fractions(values) for n, values in draws.items()}
    direction = fractions(program.draw(4)[name])
    (found,) = without_kinks(
        lambda: in_balls(outputs, {**point, "the direction": direction}, program.binding)
    )
    slopes = without_kinks(
        lambda: decided(lambda: directional(primal, point, {name: direction}, program.binding))
    )
    for place in np.ndindex(*slopes.shape):
        assert slopes[place].overlaps(found[place])


def test_a_wrong_rule_is_noticed(monkeypatch, programs):
    from verimath.formula import operations as op
    from verimath.formula import reverse as rules

    monkeypatch.setitem(rules.REVERSE, "add", lambda node, c: [c, op.function("negative", c)])

    @given(st.data())
    @settings(max_examples=200, database=None, suppress_health_check=list(HealthCheck))
    def attack(data):
        check_gradient(data.draw(programs(longest=4, scalar=True, only=("add", "sin"))), seed=2)

    with pytest.raises(AssertionError):
        attack()
