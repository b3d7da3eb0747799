"""torch's two modes against closed forms."""

import numpy as np
import pytest
import torch

from verimath.routes.autograd import forward, reverse

# torch's forward mode warns of its own code on first use.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
MODES = pytest.mark.parametrize("mode", [reverse, forward])
DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])


def tensors(dtype=torch.float64, **arrays):
    return {name: torch.tensor(values, dtype=dtype) for name, values in arrays.items()}


def bilinear(x, A, y):
    return x @ A @ y


@MODES
@DTYPES
def test_several_inputs(mode, dtype):
    arrays = tensors(dtype, x=[1.0, 2.0], A=[[1.0, 0.0, 3.0], [0.5, -1.0, 2.0]], y=[2.0, 1.0, 0.0])
    x, A, y = arrays.values()
    dy, dA = mode(bilinear, arrays, ("y", "A"))
    assert torch.equal(dy, x @ A)
    assert torch.equal(dA, torch.outer(x, y))
    assert dy.dtype == dA.dtype == dtype


@MODES
@DTYPES
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (0,), (2, 0)])
def test_shapes_and_dtypes(mode, dtype, shape):
    x = torch.linspace(-1, 2, int(np.prod(shape)), dtype=dtype).reshape(shape)
    (gradient,) = mode(lambda x: (x**2).sum(), {"x": x}, ("x",))
    assert torch.equal(gradient, 2 * x)
    assert (gradient.shape, gradient.dtype) == (x.shape, dtype)
    assert not x.requires_grad


@MODES
def test_elementary_functions(mode):
    arrays = tensors(x=[0.5, 1.0, 2.0])
    (gradient,) = mode(lambda x: torch.exp(x).sum() * torch.log(x).sum(), arrays, ("x",))
    x = arrays["x"]
    want = torch.exp(x) * torch.log(x).sum() + torch.exp(x).sum() / x
    assert torch.allclose(gradient, want, rtol=1e-14, atol=0)


@MODES
@pytest.mark.parametrize(
    "function", [lambda x, y: (y**2).sum(), lambda x, y: torch.tensor(3.0, dtype=torch.float64)]
)
def test_independent_of_an_input_is_zero(mode, function):
    (gradient,) = mode(function, tensors(x=[1.0, 2.0], y=[3.0]), ("x",))
    assert torch.equal(gradient, torch.zeros(2, dtype=torch.float64))


@MODES
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x, r"shape \(2,\); a gradient needs a 0-d tensor"),
        (lambda x: x.sum()[None], r"shape \(1,\)"),
        (lambda x: None, "returned None"),
        (lambda x: x.sum().item(), "returned 3.0"),
    ],
)
def test_only_a_scalar_has_a_gradient(mode, function, message):
    with pytest.raises(TypeError, match=message):
        mode(function, tensors(x=[1.0, 2.0]), ("x",))


# --- directions at once ---


def _as_softmax(x, w):
    return torch.softmax(x @ w, -1).log().square().sum()


DERIVED = pytest.mark.parametrize(
    ("function", "derived"),
    [
        (_as_softmax, "gradient"),
        (_as_softmax, "hessian"),
        (lambda x, w: torch.tanh(x @ w), "jacobian"),
        (lambda x, w: (x @ w).relu().sum(), "gradient"),
        (lambda x, w: (w * 2).sum(), "gradient"),
    ],
)


@DERIVED
def test_directions_at_once_are_those_one_by_one(function, derived):
    random = np.random.default_rng(3)
    arrays = tensors(x=random.normal(size=(3, 4)), w=random.normal(size=(4, 5)))
    together = forward(function, arrays, ("x", "w"), derived)
    apart = forward(function, arrays, ("x", "w"), derived, together=False)
    for one, other in zip(together, apart, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        assert torch.allclose(one, other, rtol=1e-11, atol=1e-11)


def test_directions_at_once_of_complex_numbers_and_of_shared_memory():
    random = np.random.default_rng(4)
    z = torch.tensor(random.normal(size=(3, 4)) + 1j * random.normal(size=(3, 4)))
    function = lambda z: (z.abs() ** 2 * z.real).sum()
    for array in (z, z[:1].expand(3, 4), z.mT):
        (one,) = forward(function, {"z": array}, ("z",))
        (other,) = forward(function, {"z": array}, ("z",), together=False)
        assert torch.allclose(one, other, rtol=1e-12)


def test_an_overflow_of_twice_the_derivative_is_no_overflow_of_it():
    x, slope = tensors(x=np.arange(12.0)), 2.0**1023
    for together in (True, False):
        (found,) = forward(lambda x: (x * slope).sum(), x, ("x",), together=together)
        assert torch.equal(found, torch.full_like(found, slope))


class _Doubling(torch.autograd.Function):
    """Without a rule for vmap."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def jvp(ctx, tangent):
        return 2 * tangent


def _branching(x):
    return (x * x).sum() if (x * x).sum().item() > 0 else x.sum()


@pytest.mark.parametrize(
    ("function", "of_square"),
    [(lambda x: _Doubling.apply(x).sum(), False), (_branching, True)],
)
def test_what_vmap_cannot_do_is_done_one_by_one(function, of_square):
    x = torch.arange(1.0, 13.0, dtype=torch.float64)
    (together,) = forward(function, {"x": x}, ("x",))
    (apart,) = forward(function, {"x": x}, ("x",), together=False)
    assert torch.equal(together, apart)
    assert torch.equal(together, 2 * x if of_square else 2 * torch.ones_like(x))


def test_what_is_wrong_with_code_is_raised_by_the_code_itself():
    def function(x):
        raise ValueError("twelve is too many")

    with pytest.raises(ValueError, match="twelve is too many"):
        forward(function, tensors(x=np.ones(12)), ("x",))
