"""Mutants: which there are, that they die, and that the same function in disguise is none."""

import numpy as np
import pytest
from array_api_compat import array_namespace

from verimath import Claim, Domain, Equal, Gradient, check, composites, given, reals
from verimath.formula.mutate import mutate
from verimath.formula.trace import trace
from verimath.power import mutants_of
from verimath.reference.prepare import prepare
from verimath.shapes import Size

N, D = Size.of("n"), Size.of("d")


def claim_of(statement, **inputs):
    return Claim(id="c", title="t", source="s", domain=Domain(**inputs), statement=statement)


def gradient(of, equals, **inputs):
    return claim_of(Gradient(of=of, wrt=next(iter(inputs)), equals=equals), **inputs)


def mean_square(x):
    return array_namespace(x).mean(2 * (x + 1) ** 2)


MEAN = gradient(mean_square, lambda x: 4 / x.size * (x + 1), x=reals("n d"))


def records(claim, **options):
    report = check(claim, backend="numpy", dtype="float64", **options)
    return report.claims[0]


def names(claim):
    return [mutant.name.partition(" (")[0] for mutant in records(claim).mutants]


def test_the_mistakes_that_people_make_are_made():
    found = set(names(MEAN))
    assert found >= {
        "twice the value",
        "half the value",
        "the sign flipped",
        "a sum for the mean: the division forgotten",
        "n - 1 for n",
        "n + 1 for n",
        "divided by n alone",
        "divided by d alone",
        "the second term dropped",
        "a link of the chain missing",
        "all ones for the cotangent",
        "one element off by twice the detection floor",
        "off by 0.1 % where a size is one",
        "off by 0.1 % where the arrays are not contiguous",
        "off by 0.1 % where an input is zero",
        "off by 0.1 % in this dtype alone",
    }


def test_products_swapped_and_operands_transposed():
    def quadratic(A, x):
        return x @ (A @ x)

    claim = gradient(
        lambda x, A: quadratic(A, x),
        lambda x, A: A @ x + A.T @ x,
        x=reals("n"),
        A=reals("n n"),
    )
    found = records(claim)
    assert found.outcome == "as_expected", found.reason
    assert "an operand transposed" in {m.name.partition(" (")[0] for m in found.mutants}
    assert all(mutant.killed_by for mutant in found.mutants)


def test_every_mutant_is_another_formula_of_the_same_shapes():
    formula = trace(lambda x: composites.softmax(x @ x.T, axis=0) / x.shape[0], {"x": (N, D)})
    found = dict(mutate(formula))
    assert len(found) > 8
    for mutant in found.values():
        assert mutant is not formula
        assert [o.shape for o in mutant.outputs] == [o.shape for o in formula.outputs]


def test_mutants_die_in_every_claim_of_softmax():
    claim = gradient(
        lambda x: array_namespace(x).sum(composites.logsumexp(x, axis=-1)),
        lambda x: composites.softmax(x, axis=-1),
        x=reals("n d"),
    )
    found = records(claim)
    assert found.outcome == "as_expected", found.reason
    assert all(mutant.killed_by for mutant in found.mutants)


def test_the_same_function_in_disguise_is_no_mutant():
    def total(x):
        return array_namespace(x).sum(x * x * 1)

    # Dropping a factor of one, or exchanging equal factors, changes nothing.
    found = records(gradient(total, lambda x: 1 * (x + x), x=reals("n")))
    assert found.outcome == "as_expected", found.reason
    assert not any("first factor" in mutant.name for mutant in found.mutants)
    assert len(found.mutants) > 5


def test_what_is_zero_everywhere_has_only_mutants_that_are_not():
    def zero(x):
        return x - x

    found = records(claim_of(Equal(left=zero, right=lambda x: 0 * x), x=reals("n")))
    assert found.outcome == "as_expected", found.reason
    assert all(mutant.killed_by for mutant in found.mutants)
    assert not any("twice the value" in mutant.name for mutant in found.mutants)


def test_a_claim_that_can_not_tell_its_mutants_fails():
    # At x = 2 alone, x^2 and 2 x are one number; nothing else is ever drawn.
    def double(x):
        return 2 * x

    claim = Claim(
        id="c",
        title="t",
        source="s",
        domain=Domain(x=given(2.0)),
        statement=Equal(left=double, right=double),
        mutants={"the square": lambda x: x**2},
    )
    found = records(claim)
    assert (found.outcome, found.reason) == ("not_as_expected", "surviving mutant: the square")


def test_low_precision_says_what_it_can_not_tell():
    def total(x):
        return array_namespace(x).sum(x)

    left = claim_of(
        Equal(left=lambda x: total(x) * (1 + 1e-5), right=lambda x: total(x) * (1 + 1e-5)),
        x=reals("n"),
    )
    found = {m.name.partition(" (")[0]: m for m in records(left).mutants}
    factor = found["the second factor missing"]
    assert factor.killed_by is not None
    assert "float16" in factor.not_separable_in


@pytest.mark.parametrize("seed", range(2))
def test_mutants_are_the_same_for_the_same_seed(seed):
    one, two = (records(MEAN, seed=seed).mutants for _ in range(2))
    assert one == two


def test_mutants_are_numbered_where_they_share_a_name():
    found = mutants_of(prepare(MEAN, {}))
    assert len(set(found)) == len(found)
    assert np.all([formula.outputs for formula in found.values()])
