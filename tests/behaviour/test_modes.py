"""Cotangents, second derivatives, mixed directions and vmap of torch code."""

import mpmath
import numpy as np
import pytest
import torch
from array_api_compat import array_namespace
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd.function import once_differentiable

from tests.functions import MeanSquare, Squares, SumOfSquares, WithoutJvp
from verimath import Claim, Domain, Gradient, Status, autograd, reals
from verimath.behaviour.curvature import curvature, slope
from verimath.claims.autograd import mean_square
from verimath.reference.prepare import prepare

# torch's forward mode warns of its own code on first use.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")

# --- cotangents ---


class Doubling(SumOfSquares):
    """Doubles its cotangent where it lies."""

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient.mul_(2) * x


class DoublingItsOwn(SumOfSquares):
    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient.clone().mul_(2) * x


class Through(torch.autograd.Function):
    """The identity, which hands its cotangent on."""

    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def test_a_backward_that_writes_into_its_cotangent(rejected, accepted):
    words = "a backward writes into the cotangent that it is given: it was -2.0 and is -4.0"
    rejected(autograd("mine", Doubling.apply), "mutates_cotangent", words, way="reverse mode")
    accepted(autograd("mine", DoublingItsOwn.apply))
    accepted(autograd("mine", lambda x: (Through.apply(x) ** 2).sum()))


# --- second derivatives ---


class Detached(SumOfSquares):
    """A second derivative that is zero without a word."""

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * 2 * x.detach()


class CutOff(SumOfSquares):
    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return (gradient * 2 * x).detach()


class Twice(torch.autograd.Function):
    """Twice x, with a backward of three: only a second derivative shows it."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        return 3 * gradient


class HalfDone(SumOfSquares):
    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * Twice.apply(x)


class OnceOnly(SumOfSquares):
    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * 2 * x


class ByNumpy(SumOfSquares):
    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return torch.from_numpy(np.asarray(gradient.numpy() * 2 * x.detach().numpy()))


@pytest.mark.parametrize(
    ("function", "words"),
    [(Detached, "wanted"), (CutOff, "cut off from its input"), (HalfDone, "wanted")],
)
def test_a_wrong_second_derivative(rejected, function, words):
    candidate = autograd("mine", function.apply)
    rejected(candidate, "second_derivative", words, way="reverse mode")


@pytest.mark.parametrize("function", [SumOfSquares, WithoutJvp, OnceOnly])
def test_a_right_second_derivative_or_none_is_no_fault(accepted, function):
    found = accepted(autograd("mine", function.apply))["reverse mode"]
    assert (found.reason or "").startswith("no second derivative") == (function is OnceOnly)


def test_a_second_derivative_of_symbolic_zeros_is_read(accepted):
    """torch's vector_norm answers with a ZeroTensor."""
    claim = Claim(
        id="absolute-sum",
        title="t",
        source="s",
        domain=Domain(x=reals("n d")),
        statement=Gradient(
            of=lambda x: array_namespace(x).sum(abs(x)),
            wrt="x",
            equals=lambda x: array_namespace(x).sign(x),
        ),
    )
    accepted(autograd("mine", lambda x: torch.linalg.vector_norm(x, 1)), claim)


def test_a_backward_in_numpy_is_no_fault_if_it_says_so(verdicts):
    verdict = verdicts(autograd("mine", ByNumpy.apply))["reverse mode"]
    assert verdict.status is Status.PASS, verdict.reason


def cubes(x, y):
    xp = array_namespace(x)
    return xp.sum(x**3 * xp.exp(y)) + xp.sum(x) ** 2


CUBES = Claim(
    id="cubes",
    title="t",
    source="s",
    domain=Domain(x=reals("n", -2, 2), y=reals("n", -2, 2)),
    statement=Gradient(
        of=cubes,
        wrt=("x", "y"),
        equals=lambda x, y: (
            3 * x**2 * array_namespace(x).exp(y) + 2 * array_namespace(x).sum(x),
            x**3 * array_namespace(x).exp(y),
        ),
    ),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=1, max_size=4))
def test_what_second_derivatives_should_be(points):
    x, y = np.array(points).T
    prepared = prepare(CUBES, {})
    inputs, binding = {"x": x, "y": y}, {"n": len(x)}
    with mpmath.workprec(200):
        extra = curvature(prepared, inputs, binding)
        u, v = ([mpmath.mpf(float(a)) for a in vector] for vector in extra.vectors)
        X, Y = ([mpmath.mpf(float(a)) for a in vector] for vector in (x, y))
        total, rows = sum(u), range(len(X))
        hx = [6 * X[i] * mpmath.exp(Y[i]) * u[i] + 2 * total for i in rows]
        hx = [hx[i] + 3 * X[i] ** 2 * mpmath.exp(Y[i]) * v[i] for i in rows]
        hy = [3 * X[i] ** 2 * mpmath.exp(Y[i]) * u[i] for i in rows]
        hy = [hy[i] + X[i] ** 3 * mpmath.exp(Y[i]) * v[i] for i in rows]
        for wanted, (value, room) in zip((hx, hy), extra.wants, strict=True):
            pairs = zip(wanted, value, strict=True)
            off = [abs(float(want - mpmath.mpf(float(got)))) for want, got in pairs]
            assert np.all(np.array(off) <= room)
            assert np.all(room <= 1e-3 * (1 + np.sum(np.abs(x)) * 100))
        dx = [3 * X[i] ** 2 * mpmath.exp(Y[i]) + 2 * sum(X) for i in rows]
        dy = [X[i] ** 3 * mpmath.exp(Y[i]) for i in rows]
        want = sum(a * b for a, b in zip(dx + dy, u + v, strict=True))
        ((value, room),) = slope(prepared, inputs, binding).wants
        assert abs(float(want - mpmath.mpf(float(value)))) <= room


def test_second_derivatives_across_inputs(rejected, accepted):
    def through_a_detached_y(x, y):
        return (x**3 * torch.exp(y)).sum() + Square.apply(x.sum())

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, total):
            ctx.total = total.detach()
            return total**2

        @staticmethod
        def backward(ctx, gradient):
            return 2 * gradient * ctx.total

    candidate = autograd("mine", through_a_detached_y)
    rejected(candidate, "second_derivative", "wanted", CUBES, way="reverse mode")
    accepted(autograd("mine", lambda x, y: (x**3 * torch.exp(y)).sum() + x.sum() ** 2), CUBES)


class Product(torch.autograd.Function):
    """The sum of w x^2, with the gradients that are asked for."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return (w * x**2).sum()

    @staticmethod
    def backward(ctx, gradient):
        x, w = ctx.saved_tensors
        in_x, in_w = ctx.needs_input_grad
        return gradient * 2 * w * x if in_x else None, gradient * x**2 if in_w else None


class AskedOfTheOther(Product):
    """The gradient in w is made if x needs one."""

    @staticmethod
    def backward(ctx, gradient):
        x, w = ctx.saved_tensors
        asked = ctx.needs_input_grad[0]
        return gradient * 2 * w * x if asked else None, gradient * x**2 if asked else None


class OfAConstantCotangent(Product):
    """Right twice, but for what depends on the value."""

    @staticmethod
    def backward(ctx, gradient):
        return Product.backward(ctx, gradient.detach())


class OfAConstantLine(torch.autograd.Function):
    """A linear function, whose second derivative is zero, but for the cotangent's."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(w)
        return (w * x).sum()

    @staticmethod
    def backward(ctx, gradient):
        (w,) = ctx.saved_tensors
        return gradient.detach() * w, None


def products(wrt):
    """Claims of w x^2 in both inputs, or one."""
    slopes = {"x": lambda x, w: 2 * w * x, "w": lambda x, w: x**2}
    return Claim(
        id="products",
        title="t",
        source="s",
        domain=Domain(x=reals("n"), w=reals("n")),
        statement=Gradient(
            of=lambda x, w: array_namespace(x).sum(w * x**2),
            wrt=wrt,
            equals=lambda x, w: tuple(slopes[name](x, w) for name in wrt),
        ),
    )


BOTH = products(("x", "w"))
LINE = Claim(
    id="line",
    title="t",
    source="s",
    domain=Domain(x=reals("n"), w=reals("n")),
    statement=Gradient(
        of=lambda x, w: array_namespace(x).sum(w * x), wrt="x", equals=lambda x, w: w + 0
    ),
)


def test_what_is_needed_of_one_input_is_no_matter_of_another(rejected, accepted):
    words = "one input at a time needs a gradient"
    rejected(autograd("mine", AskedOfTheOther.apply), "value", words, BOTH, way="reverse mode")
    accepted(autograd("mine", Product.apply), BOTH)


def test_what_needs_no_gradient_may_need_one(rejected, accepted):
    def frozen(x, w):
        return Product.apply(x, w) * (2 if w.requires_grad else 1)

    def by_numpy(x, w):
        return (torch.from_numpy(w.numpy().copy()) * x**2).sum()

    words = "where every input needs a gradient"
    rejected(autograd("mine", frozen), "value", words, products(("x",)), way="reverse mode")
    found = accepted(autograd("mine", by_numpy), products(("x",)))["reverse mode"]
    assert (found.reason or "").startswith("no gradient in every input")


@pytest.mark.parametrize(
    ("function", "claim"), [(OfAConstantCotangent, BOTH), (OfAConstantLine, LINE)]
)
def test_a_gradient_that_is_cut_off_from_its_cotangent(rejected, function, claim):
    words = "a derivative of the gradient in its cotangent is"
    candidate = autograd("mine", function.apply)
    rejected(candidate, "second_derivative", words, claim, way="reverse mode")


# --- values, with and without gradients ---


def test_a_value_that_depends_on_whether_gradients_are_recorded(rejected, accepted):
    def in_training(x, w):
        return (w * x**2).sum() * (1 if torch.is_grad_enabled() else 1.01)

    def of_constants(x, w):
        return (w * x**2).sum() * (1.01 if x.requires_grad and torch.is_grad_enabled() else 1)

    def needs_gradients(x, w):
        if not torch.is_grad_enabled():
            raise RuntimeError("made of a gradient")
        return (w * x**2).sum()

    rejected(autograd("mine", in_training), "value", r"under torch.no_grad\(\)", BOTH, way="value")
    words = "inputs that need a gradient"
    rejected(autograd("mine", of_constants), "value", words, BOTH, way="value")
    found = accepted(autograd("mine", needs_gradients), BOTH)["value"]
    assert (found.reason or "").startswith("no value without gradients")


# --- forward mode ---


class LargestOnly(SumOfSquares):
    """Right along single elements, and blind to all but the largest of several."""

    @staticmethod
    def jvp(ctx, tangent):
        (x,) = ctx.saved_tensors
        if not x.numel():
            return tangent.sum()
        at = tangent.abs().argmax()
        return (2 * x * tangent).reshape(-1)[at]


def test_a_jvp_that_is_right_along_single_elements_alone(rejected, accepted):
    words = "along a direction that changes several elements"
    candidate = autograd("mine", LargestOnly.apply)
    rejected(candidate, "forward_mode", words, way="forward mode")
    accepted(autograd("mine", SumOfSquares.apply))
    accepted(autograd("mine", MeanSquare.apply), mean_square)


class SometimesForward(SumOfSquares):
    @staticmethod
    def jvp(ctx, tangent):
        if tangent.numel() > 2:
            raise NotImplementedError("not for so many")
        return SumOfSquares.jvp(ctx, tangent)


class NeverForward(SumOfSquares):
    @staticmethod
    def jvp(ctx, tangent):
        raise NotImplementedError("not yet")


def test_a_forward_mode_that_is_there_at_times_is_an_error(verdicts):
    verdict = verdicts(autograd("mine", SometimesForward.apply))["forward mode"]
    assert (verdict.status, verdict.defect) == (Status.ERROR, "raises")
    assert "not for so many" in verdict.reason
    verdict = verdicts(autograd("mine", NeverForward.apply))["forward mode"]
    assert verdict.status is Status.SKIPPED


# --- vmap ---


class Mapped(Squares):
    """Adds the batch up under vmap."""

    generate_vmap_rule = False

    @staticmethod
    def vmap(info, in_dims, x):
        return x.sum(in_dims[0]) ** 2, None


class MappedRight(Squares):
    generate_vmap_rule = False

    @staticmethod
    def vmap(info, in_dims, x):
        return x**2, in_dims[0]


def with_a_branch(x):
    return (x**2).sum() if x.detach().sum() == 0 else (x * x).sum()


def test_a_wrong_rule_for_vmap(rejected, accepted):
    candidate = autograd("mine", lambda x: Mapped.apply(x).sum())
    rejected(candidate, "value", "under torch.func.vmap", way="value")
    accepted(autograd("mine", lambda x: MappedRight.apply(x).sum()))
    accepted(autograd("mine", lambda x: Squares.apply(x).sum()))


def test_code_that_has_no_vmap_lacks_a_capability(accepted):
    for function in (WithoutJvp.apply, with_a_branch):
        assert accepted(autograd("mine", function))["value"].reason.startswith("no vmap")


def test_a_second_derivative_that_torch_knows_to_be_zero(accepted):
    distance = Claim(
        id="distance",
        title="t",
        source="s",
        domain=Domain(x=reals("n"), y=reals("n")),
        statement=Gradient(
            of=lambda x, y: array_namespace(x).sum(abs(x - y)),
            wrt="x",
            equals=lambda x, y: array_namespace(x).sign(x - y),
        ),
    )
    accepted(
        autograd("mine", lambda x, y: torch.nn.functional.l1_loss(x, y, reduction="sum")), distance
    )
    accepted(autograd("mine", lambda x, y: (torch.relu(x - y) + torch.relu(y - x)).sum()), distance)
