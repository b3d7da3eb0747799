"""Inputs changed in kind, and results that share memory."""

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

from verimath import Claim, Domain, Equal, Gradient, Status, numeric, reals


def claim(function, **inputs):
    domain = Domain(**(inputs or {"x": reals("n d")}))
    statement = Equal(left=function, right=function)
    return Claim(id="c", title="t", source="s", domain=domain, statement=statement)


ONCE = claim(lambda x: 1 * x)
TRANSPOSE = claim(lambda x: x.T)
DOUBLED = claim(lambda x: 2 * x)
TOTAL = Claim(
    id="total",
    title="t",
    source="s",
    domain=Domain(a=reals("n d"), b=reals("n d")),
    statement=Gradient(
        of=lambda a, b: array_namespace(a).sum(a + b),
        wrt=("a", "b"),
        equals=lambda a, b: (1 + 0 * a, 1 + 0 * b),
    ),
)

# --- inputs ---


def freezes(x):
    x.setflags(write=False)
    return 2 * x


def turns(x):
    result = 2 * x
    x.shape = x.shape[::-1]
    return result


def leaves_a_gradient(x):
    x.requires_grad_()
    (x**2).sum().backward()
    return x.grad


def leaves_it_tracked(x):
    x.requires_grad_()
    return torch.autograd.grad((x**2).sum(), x)[0]


def flips_in_place(x):
    result = 2 * x
    x.t_()
    return result


def other_kind(x):
    result = 2 * x
    x.data = x.data.float()
    return result


@pytest.mark.parametrize(
    ("function", "library", "words"),
    [
        (freezes, "numpy", "writeable of x is False"),
        (leaves_a_gradient, "torch", "requires_grad of x is True"),
        (leaves_it_tracked, "torch", "requires_grad of x is True"),
    ],
)
def test_an_input_changed_in_kind(rejected, function, library, words):
    rejected(function, "mutates_input", words, DOUBLED, library=library)


@pytest.mark.parametrize(
    ("function", "library"), [(turns, "numpy"), (flips_in_place, "torch"), (other_kind, "torch")]
)
def test_an_input_of_another_shape_or_dtype(verdicts, function, library):
    verdict = verdicts(function, DOUBLED, library=library)[""]
    assert (verdict.status, verdict.defect) == (Status.WRONG, "mutates_input")


def on_a_detached_input(x):
    x = x.detach().requires_grad_()
    return torch.autograd.grad((x**2).sum(), x)[0]


def on_an_own_copy(x):
    x = x.copy()
    x *= 2
    x.shape = x.shape
    return x


@torch.no_grad()
def without_gradients(x):
    return x.clone().mul_(2)


@pytest.mark.parametrize(
    ("function", "library"),
    [(on_an_own_copy, "numpy"), (on_a_detached_input, "torch"), (without_gradients, "torch")],
)
def test_in_place_on_ones_own_is_no_fault(accepted, function, library):
    accepted(function, DOUBLED, library=library)


# --- results ---

BUFFERS = {}


def into_a_buffer(x):
    out = BUFFERS.setdefault(x.shape, np.empty(x.shape, x.dtype))
    return np.multiply(x, 2, out=out)


def now_and_then(x):
    return x if x.size == 1 else x.copy()


@pytest.mark.parametrize(
    ("function", "of", "library", "words"),
    [
        (lambda x: x, ONCE, "numpy", "result 1 and x are the same memory"),
        (lambda x: x[::-1][::-1], ONCE, "numpy", "result 1 and x are the same memory"),
        (now_and_then, ONCE, "numpy", "result 1 and x are the same memory"),
        (lambda x: x.view_as(x), ONCE, "torch", "result 1 and x are the same memory"),
        (into_a_buffer, DOUBLED, "numpy", "both share memory"),
        (
            lambda a, b: (np.ones_like(a),) * 2,
            TOTAL,
            "numpy",
            "result 1 and result 2 are the same memory",
        ),
        (
            lambda a, b: (torch.ones_like(a),) * 2,
            TOTAL,
            "torch",
            "result 1 and result 2 are the same memory",
        ),
    ],
)
def test_shared_memory(rejected, function, of, library, words):
    rejected(function, "aliases", words, of, library=library)


def halves_of_one_buffer(a, b):
    both = np.ones((a.shape[0], 2 * a.shape[1]), a.dtype)
    return both[:, ::2], both[:, 1::2]


def one_number_spread(a, b):
    one = np.broadcast_to(a.dtype.type(1), a.shape)
    return one, one


@pytest.mark.parametrize(
    ("function", "of", "library"),
    [
        (lambda x: x.T, TRANSPOSE, "numpy"),
        (lambda x: x.mT, TRANSPOSE, "torch"),
        (lambda x: np.stack([x, 2 * x])[1], DOUBLED, "numpy"),
        (lambda x: torch.stack([x, 2 * x])[1], DOUBLED, "torch"),
        (lambda x: x.copy(), ONCE, "numpy"),
        (halves_of_one_buffer, TOTAL, "numpy"),
        (one_number_spread, TOTAL, "numpy"),
    ],
)
def test_views_of_what_is_ones_own_or_meant_are_no_fault(accepted, function, of, library):
    accepted(function, of, library=library)


def test_the_gradient_of_a_number_may_be_handed_on(accepted):
    number = Claim(
        id="number",
        title="t",
        source="s",
        domain=Domain(x=reals()),
        statement=Gradient(of=lambda x: 3 * x, wrt="x", equals=lambda x: 3 + 0 * x),
    )
    accepted(numeric("mine", lambda x: np.asarray(3, x.dtype)), number)
