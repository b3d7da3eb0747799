"""Attack: what is proved of random formulas and their siblings holds at larger sizes, in balls."""

import random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.conftest import INPUTS
from verimath import Domain, reals
from verimath.formula.graph import Formula
from verimath.formula.mutate import mutate
from verimath.proof import refute as refuting
from verimath.proof.identity import Identity, at_sizes, for_all_sizes
from verimath.proof.normal_form import normalise
from verimath.proof.points import drawn_point

# What the lemma covers; positions, products and inverses have no bound.
COVERED = (
    *("negate", "shift", "scale", "square", "cube", "root", "exp", "log", "sqrt", "sin", "tanh"),
    *("add", "subtract", "multiply", "divide", "matmul", "left matmul", "gram", "transpose"),
    *("sum", "column sums", "row sums", "mean", "column", "row", "spread", "trace", "diagonal"),
    *("outer", "vecdot", "divide by size", "abs", "maximum", "variance", "softmax", "logsumexp"),
    *("log softmax", "sigmoid", "softplus", "standardize"),
)
LARGE = ({"n": 5, "d": 4}, {"n": 4, "d": 6})


def identity_of(left, right):
    domain = Domain(**{name: reals(shape) for name, shape in INPUTS.items()})
    shapes = {name: spec.shape.expand({}) for name, spec in domain.inputs.items()}
    return Identity(left, right, domain.inputs, shapes)


def attack(program, number, seed):
    formula = program.formula
    siblings = list(mutate(Formula("x", formula.inputs, formula.outputs, {})))
    assume(siblings)
    name, other = siblings[number % len(siblings)]
    assume(all(a.shape == b.shape for a, b in zip(formula.outputs, other.outputs, strict=True)))
    identity = identity_of(formula.outputs, other.outputs)
    known = for_all_sizes(identity, seed=seed)
    rewritten = normalise(identity.left, identity.right, budget=4000).proved
    if not (known.equal or rewritten):
        return False
    outputs = refuting.lowered((*identity.left, *identity.right))
    source = random.Random(seed)
    for binding in LARGE:
        for attempt in range(2):
            point = drawn_point(identity, binding, source, attempt)
            found = refuting._difference(outputs, point, binding)
            assert found is None, (name, binding, found)
    return True


def attack_at_sizes(program, number, seed):
    formula = program.formula
    siblings = list(mutate(Formula("x", formula.inputs, formula.outputs, {})))
    assume(siblings)
    name, other = siblings[number % len(siblings)]
    assume(all(a.shape == b.shape for a, b in zip(formula.outputs, other.outputs, strict=True)))
    identity = identity_of(formula.outputs, other.outputs)
    binding = {"n": 3, "d": 2}
    if not at_sizes(identity, [binding], seed=seed).equal:
        return
    outputs = refuting.lowered((*identity.left, *identity.right))
    source = random.Random(seed)
    for attempt in range(4):
        point = drawn_point(identity, binding, source, attempt)
        found = refuting._difference(outputs, point, binding)
        assert found is None, (name, found)


@given(st.data())
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
def test_what_is_exact_at_sizes_holds_there(programs, data):
    attack_at_sizes(data.draw(programs(longest=6)), data.draw(st.integers(0, 99)), seed=1)


@pytest.mark.deep
@given(st.data())
@settings(max_examples=4000, suppress_health_check=list(HealthCheck))
def test_what_is_exact_at_sizes_holds_there_of_thousands(programs, data):
    seed = data.draw(st.integers(0, 9))
    attack_at_sizes(data.draw(programs(longest=6)), data.draw(st.integers(0, 99)), seed=seed)


@given(st.data())
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
def test_what_is_proved_holds(programs, data):
    program = data.draw(programs(longest=6, only=COVERED))
    attack(program, data.draw(st.integers(0, 99)), seed=1)


@pytest.mark.deep
@given(st.data())
@settings(max_examples=4000, suppress_health_check=list(HealthCheck))
def test_what_is_proved_holds_of_thousands(programs, data):
    program = data.draw(programs(longest=6, only=COVERED))
    attack(program, data.draw(st.integers(0, 99)), seed=data.draw(st.integers(0, 9)))
