"""What a claim wants, at which sizes it speaks, and how far orders of evaluation may differ."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

from verimath import AtMost, Claim, Domain, Equal, Gradient, masks, reals
from verimath.backends import get_backend
from verimath.errors import ClaimError
from verimath.reference.evaluate import wanted, wanted_by
from verimath.reference.prepare import prepare
from verimath.routes import Cell, Way


def claim_of(statement, **inputs):
    return Claim(id="c", title="t", source="s", domain=Domain(**inputs), statement=statement)


def mean_square(x):
    return array_namespace(x).mean(2 * (x + 1) ** 2)


def its_gradient(x):
    return 4 / x.size * (x + 1)


MEAN_SQUARE = claim_of(Gradient(of=mean_square, wrt="x", equals=its_gradient), x=reals("n d"))
X = np.array([[0.5, -1.25, 3.0], [2.0**-20, 7.0, -1.0]])
SIZES = {"n": 2, "d": 3}


def want_of(claim, inputs, sizes, dtype="float64", **options):
    return wanted(
        prepare(claim, {}), {k: v[None] for k, v in inputs.items()}, sizes, dtype, **options
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("what", ["claim", "forward"])
def test_the_wanted_gradient_is_the_rational_one(what, dtype):
    (want,) = want_of(MEAN_SQUARE, {"x": X}, SIZES, dtype, what=what)
    roundoff = {"float64": Fraction(1, 2**53), "float32": Fraction(1, 2**24)}[dtype]
    for at in np.ndindex(2, 3):
        exact = Fraction(4, 6) * (Fraction(X[at]) + 1)
        assert abs(Fraction(want.value[0][at]) - exact) <= Fraction(want.error[0][at])
        assert want.error[0][at] <= want.allowed[0][at] <= want.envelope[0][at]
        # A handful of roundings, and what underflows.
        assert Fraction(want.allowed[0][at]) <= 20 * roundoff * abs(exact) + Fraction(1, 2**140)


def test_the_value_of_the_primal_is_wanted_by_its_own_bound():
    (want,) = want_of(MEAN_SQUARE, {"x": X}, SIZES, what="value")
    exact = sum(2 * (Fraction(x) + 1) ** 2 for x in X.ravel()) / 6
    assert want.value.shape == (1,)
    assert abs(Fraction(float(want.value[0])) - exact) <= Fraction(float(want.error[0]))


def test_a_false_closed_form_does_not_move_the_reference():
    false = claim_of(Gradient(of=mean_square, wrt="x", equals=lambda x: 0 * x), x=reals("n d"))
    (want,) = want_of(false, {"x": X}, SIZES)
    (true,) = want_of(MEAN_SQUARE, {"x": X}, SIZES)
    assert np.array_equal(want.value, true.value)


def test_the_bound_is_the_largest_of_all_declared_orders():
    def plain(x):
        return 2 * x

    def detour(x):
        return 3 * x - 100 * x + 99 * x

    both = claim_of(Equal(left=plain, right=detour), x=reals("n"))
    alone = claim_of(Equal(left=plain, right=plain), x=reals("n"))
    x = {"x": np.array([1.0, 3.0])}
    (wide,), (narrow,) = want_of(both, x, {"n": 2}), want_of(alone, x, {"n": 2})
    assert np.all(wide.allowed > 10 * narrow.allowed)


def test_a_product_multiplied_out_is_in_the_envelope_and_a_square_is_not():
    def square(a, b):
        return (a - b) ** 2

    def product(a, b):
        return 3 * (a - b)

    claim, other = (
        claim_of(Equal(left=f, right=f), a=reals("n"), b=reals("n")) for f in (square, product)
    )
    generator = np.random.default_rng(0)
    a = generator.normal(size=200).astype(np.float32)
    b = (a + generator.normal(size=200) * 1e-4).astype(np.float32)
    inputs = {"a": a.astype(np.float64), "b": b.astype(np.float64)}
    (want,) = want_of(claim, inputs, {"n": 200}, "float32")
    off = np.abs((a * a - 2 * a * b + b * b).astype(np.float64) - want.value[0])
    assert np.mean(off > want.envelope[0]) > 0.5
    (want,) = want_of(other, inputs, {"n": 200}, "float32")
    off = np.abs((3 * a - 3 * b).astype(np.float64) - want.value[0])
    assert np.all(off <= want.envelope[0])
    assert np.any(off > want.allowed[0])
    assert np.all(want.envelope[0] < 1e-6 * (np.abs(a) + np.abs(b)))


@pytest.mark.parametrize(
    ("sizes", "allowed"),
    [({"n": 2, "d": 3}, True), ({"n": 0, "d": 3}, False), ({"n": 1, "d": 1}, True)],
)
def test_a_claim_does_not_speak_of_sizes_that_it_divides_by_if_zero(sizes, allowed):
    assert prepare(MEAN_SQUARE, {}).allows(sizes) is allowed


def test_a_denominator_of_sizes_counts_wherever_it_is():
    def variance(x):
        return array_namespace(x).sum(x * x) * (x.size - 1) ** -1

    claim = claim_of(Equal(left=variance, right=variance), x=reals("n"))
    assert [prepare(claim, {}).allows({"n": n}) for n in (0, 1, 2)] == [True, False, True]


def test_a_size_below_zero_is_not_allowed():
    def total(x):
        return array_namespace(x).sum(x)

    claim = claim_of(Equal(left=total, right=total), x=reals("n-2"))
    assert [prepare(claim, {}).allows({"n": n}) for n in (1, 2, 3)] == [False, True, True]


def test_empty_arrays_are_wanted_empty():
    def total(x):
        return array_namespace(x).sum(x**2)

    claim = claim_of(Gradient(of=total, wrt="x", equals=lambda x: 2 * x), x=reals("n d"))
    for what in ("claim", "forward"):
        (want,) = want_of(claim, {"x": np.zeros((0, 3))}, {"n": 0, "d": 3}, what=what)
        assert want.value.shape == want.allowed.shape == (1, 0, 3)


def test_one_preparation_per_number_of_axes():
    claim = claim_of(Gradient(of=mean_square, wrt="x", equals=its_gradient), x=reals("*shape"))
    for rank in (0, 1, 3):
        prepared = prepare(claim, {"shape": rank})
        sizes = {f"shape[{axis}]": 2 for axis in range(rank)}
        (want,) = wanted(prepared, {"x": np.ones((1, *(2,) * rank))}, sizes, "float32")
        assert want.value.shape == (1, *(2,) * rank)
        assert float(want.value.ravel()[0]) == pytest.approx(8 / 2**rank)


def test_at_most_wants_the_formula_itself():
    claim = claim_of(AtMost(of=lambda x: x * x, bound=1.0), x=reals("n"))
    (want,) = want_of(claim, {"x": np.array([3.0])}, {"n": 1})
    assert want.value.tolist() == [[9.0]]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            Gradient(of=mean_square, wrt="x", equals=lambda x: its_gradient(x).T),
            "claim 'c': the gradient has shape (n, d), but the closed form `<lambda>` has shape "
            "(d, n); they have to agree for every size",
        ),
        (
            Equal(left=lambda x: (x, x), right=lambda x: x),
            "claim 'c': the left side is 2 array(s), the right side `<lambda>` 1",
        ),
        (
            Gradient(of=lambda x: x, wrt="x", equals=lambda x: x),
            "claim 'c': formula `<lambda>` has shape (n, d); a gradient needs a 0-d result "
            "(sum or average it, or state its Jacobian)",
        ),
    ],
)
def test_a_claim_whose_sides_do_not_fit_is_refused(statement, words):
    with pytest.raises(ClaimError) as caught:
        prepare(claim_of(statement, x=reals("n d")), {})
    assert str(caught.value) == words


def test_forward_mode_has_bounds_where_there_is_nothing_to_differentiate_in():
    """With no direction, arrays that depend on one have no batch, and constants have one."""

    def padded(x, c):
        xp = array_namespace(x)
        return xp.sum(c * xp.concat([xp.zeros_like(c[:1]), x]))

    claim = claim_of(
        Gradient(of=padded, wrt="x", equals=lambda x, c: c[1:] + 0 * x),
        x=reals("n"),
        c=reals("n+1"),
    )
    inputs = {"x": np.zeros((2, 0)), "c": np.ones((2, 1))}
    (want,) = wanted(prepare(claim, {}), inputs, {"n": 0}, "float64", what="forward")
    assert want.allowed.shape == want.value.shape == (2, 0)


def test_a_mask_that_is_given_doesnt_turn_in_any_rearrangement():
    def kept(x, m):
        xp = array_namespace(x)
        return xp.where(m, x, xp.zeros_like(x))

    claim = claim_of(
        Equal(left=kept, right=lambda x, m: kept(1 * x, m)), x=reals("n"), m=masks("n")
    )
    inputs = {"x": np.array([[3.0, 3.0]]), "m": np.array([[1.0, 0.0]])}
    (want,) = wanted(prepare(claim, {}), inputs, {"n": 2}, "float64")
    assert want.value.tolist() == [[3.0, 0.0]]
    assert (want.envelope < 1e-14).all()
    assert want.envelope[0, 1] < 1e-300


def product_cell(kind, dtype):
    way = Way(kind, kind, lambda x: x.prod(), ("torch",))
    return Cell(way, get_backend("torch-cpu"), dtype)


PRODUCT = claim_of(
    Gradient(
        of=lambda x: array_namespace(x).prod(x),
        wrt="x",
        equals=lambda x: array_namespace(x).flip(x),
    ),
    x=reals("2"),
)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_product_that_underflows_may_be_divided_by_its_factors(dtype):
    """torch's rule: what is left of a product among the subnormal numbers, over each factor."""
    prepared = prepare(PRODUCT, {})
    least = {"float32": 2.0**-149, "float16": 2.0**-24, "bfloat16": 2.0**-133}[dtype]
    beyond = False
    for first, second in ((0.125, 2 * least), (3 * 2.0**-7, 77 * least), (2.0**-10, 999 * least)):
        x = torch.tensor([first, second], dtype=getattr(torch, dtype), requires_grad=True)
        x.prod().backward()
        got = x.grad.double().numpy()
        exact = {"x": x.detach().double().numpy()[None]}
        differentiated, claimed = (
            wanted_by(product_cell(kind, dtype), prepared, exact, {})[0]
            for kind in ("reverse", "numeric")
        )
        assert np.all(differentiated.value == exact["x"][:, ::-1])
        off = np.abs(got - differentiated.value[0])
        assert np.all(off <= differentiated.envelope[0])
        assert np.all(differentiated.allowed[0] <= claimed.allowed[0] + least)
        beyond |= bool(np.any(off > claimed.envelope[0]))
    assert beyond  # code of one's own has no such room


def test_a_product_that_does_not_underflow_has_no_more_room():
    prepared = prepare(PRODUCT, {})
    exact = {"x": np.array([[3.0, -0.5], [0.0, 7.0], [0.0, 0.0]])}
    differentiated, claimed = (
        wanted_by(product_cell(kind, "float32"), prepared, exact, {})[0]
        for kind in ("reverse", "numeric")
    )
    assert np.all(differentiated.envelope <= 3 * claimed.envelope + 2.0**-147)
