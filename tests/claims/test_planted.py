"""Planted mistakes: for every gradient claim, wrong code is called wrong, on a small example."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from verimath import Claim, Status, Verdict, check, numeric
from verimath.catalogue import lecture_claims

pytestmark = pytest.mark.xdist_group("planted")

# The right gradients, written once more by a third hand, and what a missing 1/n multiplies by.


def linear_regression(X, w, b, y):
    error = X @ w[:, 0] + b - y
    return (X.T @ error / len(y))[:, None], np.atleast_1d(error.sum() / len(y))


def summed_product(X):
    n = len(X)
    entries = [X[j, :].sum() + X[:, i].sum() for i in range(n) for j in range(n)]
    return np.array(entries, dtype=X.dtype).reshape(n, n)


RIGHT: dict[str, Callable[..., Any]] = {
    "mean-square-gradient": lambda x: (x + 1) * 4 / x.size,
    "mean-square-gradient-2x3": lambda x: (x + 1) * 4 / 6,
    "chain-rule": lambda x, w1, b1, w2, b2: x * w2,
    "sum-of-squares-gradient": lambda x: x + x,
    "two-affine-layers-gradient": lambda w1, x, b1, w2, b2: np.outer(w2.sum(axis=0), x),
    "linear-regression-gradients": linear_regression,
    "summed-matrix-product-gradient": summed_product,
}
COUNT: dict[str, Callable[..., int]] = {
    "mean-square-gradient": lambda x: x.size,
    "mean-square-gradient-2x3": lambda x: x.size,
    "linear-regression-gradients": lambda X, w, b, y: len(y),
}
# Names of dimensions, and where each is found among the inputs.
DIMENSIONS: dict[str, dict[str, Callable[..., int]]] = {
    "mean-square-gradient": {"shape[0]": lambda x: x.shape[0] if x.ndim else 0},
    "sum-of-squares-gradient": {"shape[0]": lambda x: x.shape[0] if x.ndim else 0},
    "two-affine-layers-gradient": {
        "h": lambda w1, *_: w1.shape[0],
        "d": lambda w1, *_: w1.shape[1],
        "o": lambda w1, x, b1, w2, b2: w2.shape[0],
    },
    "linear-regression-gradients": {
        "n": lambda X, *_: X.shape[0],
        "d": lambda X, *_: X.shape[1],
    },
    "summed-matrix-product-gradient": {"n": lambda X: X.shape[0]},
}


def changed(function, change):
    """The function with its first result changed; `change` also sees the inputs."""

    def wrong(*inputs):
        result = function(*inputs)
        if isinstance(result, tuple):
            return (change(np.asarray(result[0]), *inputs), *result[1:])
        return change(np.asarray(result), *inputs)

    return wrong


def first_element_off(g, *_):
    g = g.copy()
    if g.size:
        g.flat[0] *= 1 + 1e-6
    return g


def planted(name: str) -> dict[str, Callable[..., Any]]:
    right = RIGHT[name]
    plants = {
        "times 2": changed(right, lambda g, *_: g * 2),
        "sign flipped": changed(right, lambda g, *_: -g),
        "wrong in float32": changed(
            right, lambda g, *_: g * np.float32(1.01) if g.dtype == np.float32 else g
        ),
        "one element off": changed(right, first_element_off),
    }
    if name != "chain-rule":
        plants["transposed"] = changed(right, lambda g, *_: g.T)
    if name in COUNT:
        count = COUNT[name]
        plants["1/n missing"] = changed(right, lambda g, *inputs: g * count(*inputs))
    for axis, size in DIMENSIONS.get(name, {}).items():
        plants[f"wrong where {axis} is 1"] = changed(
            right, lambda g, *inputs, size=size: g * 3 if size(*inputs) == 1 else g
        )
    return plants


@cache
def verdicts_of(name: str) -> dict[tuple[str, str], Verdict]:
    """Verdicts by candidate and dtype: the right implementation and every planted one."""
    claim: Claim = lecture_claims()[name]
    routes = [numeric(plant, function) for plant, function in planted(name).items()]
    report = check(claim, *routes, numeric("right", RIGHT[name]), backend="numpy", examples=20)
    return {(v.route, v.dtype): v for v in report.claims[0].verdicts}


CASES = [(name, plant) for name in RIGHT for plant in planted(name)]


def test_every_gradient_claim_that_holds_has_plants():
    from verimath import Gradient

    gradients = {
        id_
        for id_, claim in lecture_claims().items()
        if isinstance(claim.statement, Gradient) and claim.expected == "holds"
    }
    assert gradients == set(RIGHT)


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_right_implementation_passes(name, dtype):
    verdict = verdicts_of(name)["right", dtype]
    assert verdict.status is Status.PASS, verdict.reason
    assert verdict.elements > 0


@pytest.mark.parametrize(("name", "plant"), CASES)
def test_planted_mistake_is_wrong(name, plant):
    dtype = "float32" if plant == "wrong in float32" else "float64"
    verdict = verdicts_of(name)[plant, dtype]
    assert verdict.status is Status.WRONG
    assert verdict.defect in (("shape", "value") if plant == "transposed" else ("value",))


@pytest.mark.parametrize(("name", "plant"), CASES)
def test_smallest_example_is_small(name, plant):
    dtype = "float32" if plant == "wrong in float32" else "float64"
    found = verdicts_of(name)[plant, dtype].counterexample
    assert found is not None
    needed = 2 if plant in ("transposed", "1/n missing") else 1
    assert all(size <= needed for size in found.sizes.values()), found.sizes
    numbers = [float.fromhex(h) for array in found.inputs for h in array.hex]
    # Zeros and ones, but for what has to differ or not to vanish.
    assert all(x in (-1, 0, 1, 2) for x in numbers), numbers
    assert sum(x != 0 for x in numbers) <= 2, numbers


@pytest.mark.parametrize("name", RIGHT)
def test_mistake_in_float32_alone_leaves_float64_alone(name):
    assert verdicts_of(name)["wrong in float32", "float64"].status is Status.PASS


@pytest.mark.parametrize(
    ("name", "axis"), [(name, axis) for name, axes in DIMENSIONS.items() for axis in axes]
)
def test_mistake_at_size_one_is_shown_at_size_one(name, axis):
    found = verdicts_of(name)[f"wrong where {axis} is 1", "float64"].counterexample
    assert found is not None
    assert found.sizes[axis] == 1


def test_counterexample_says_by_how_much():
    found = verdicts_of("two-affine-layers-gradient")["times 2", "float64"].counterexample
    assert found is not None
    assert (found.got, found.want) == (2.0, 1.0)
    assert 0 < found.allowed < 1e-14
    assert found.output == "gradient in w1"
    assert found.index == (0, 0)
