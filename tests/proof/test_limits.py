"""Deep, huge and hostile formulas end in time, with a clear word for why."""

from functools import reduce

import pytest
from array_api_compat import array_namespace as ns

from verimath import Claim, Domain, Equal, prove, reals


def proof_of(left, right, **inputs):
    domain = Domain(**(inputs or {"x": reals("n")}))
    return prove(
        Claim(id="x", title="x", source="x", domain=domain, statement=Equal(left=left, right=right))
    )


def repeated(function, times):
    def run(x):
        for _ in range(times):
            x = function(x)
        return x

    return run


def multiplied(*x):
    return reduce(lambda a, b: a * (ns(b).sum(b) + 1), x, 1)


TRUE = {
    "a huge exponent": (lambda x: (x + 1) ** 10**6, lambda x: (1 + x) ** 10**6),
    "a long sum": (repeated(lambda x: x + 1, 2000), lambda x: x + 2000),
    "a long exponent": (
        lambda x: ns(x).exp(repeated(lambda y: y + x, 1500)(x)),
        lambda x: ns(x).exp(1501 * x),
    ),
    "squares of squares": (repeated(lambda x: x * x, 60), repeated(lambda x: x**2, 60)),
    "nested logarithms": (
        repeated(lambda x: ns(x).log(1 + x * x), 100),
        repeated(lambda x: ns(x).log(x**2 + 1), 100),
    ),
    "many sums": (lambda x: ns(x).sum(x) ** 100 * x, lambda x: x * ns(x).sum(x) ** 100),
}


@pytest.mark.parametrize("name", TRUE)
def test_large_formulas_are_proved(name):
    assert proof_of(*TRUE[name]).label.startswith("all_shapes"), name


def test_a_product_of_twelve_sums():
    twelve = {f"x{k}": reals("n") for k in range(12)}
    proof = proof_of(multiplied, lambda *x: -multiplied(*x[::-1]), **twelve)
    assert proof.label == "refuted"
    proof = proof_of(multiplied, lambda *x: multiplied(*x[::-1]), **twelve)
    assert proof.label.startswith("all_shapes")


def test_degrees_beyond_every_prime_are_undecided():
    proof = proof_of(repeated(lambda x: x * x + x, 60), repeated(lambda x: x * (x + 1), 60))
    assert proof.label == "none"
    assert "degrees are so high" in proof.finding
    assert "budget of 20000 rewrite steps" in proof.finding


def test_a_wrong_power_is_refuted_at_once():
    proof = proof_of(lambda x: x**10**6, lambda x: x * 1)
    assert proof.label == "refuted"


def test_sizes_that_no_machine_holds_are_refused_by_count():
    proof = proof_of(
        lambda x: ns(x).cumulative_sum(x),
        lambda x: ns(x).cumulative_sum(2 * x),
        x=reals("1000000000"),
    )
    assert proof.label == "none"
    assert "elements to evaluate" in proof.finding


def test_deep_nesting_ends_with_a_word():
    proof = proof_of(
        repeated(lambda x: ns(x).exp(-x * x), 600), repeated(lambda x: ns(x).exp(x * -x), 600)
    )
    assert proof.label.startswith("all_shapes") or "too deep" in proof.finding
