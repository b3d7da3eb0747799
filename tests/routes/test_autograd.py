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
