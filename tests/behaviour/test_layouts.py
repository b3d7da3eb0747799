"""Right on contiguous arrays, and wrong or raising on the same numbers arranged otherwise."""

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

from tests.functions import Squares
from verimath import (
    Claim,
    Domain,
    Equal,
    autograd,
    diagonally_dominant,
    labels,
    numeric,
    reals,
)
from verimath.behaviour import layouts
from verimath.claims.autograd import sum_of_squares, summed_product

X = np.arange(24.0).reshape(2, 3, 4)

ALL = [
    (layouts.numpy_transposed, lambda a: a.flags.f_contiguous),
    (layouts.numpy_strided, lambda a: not a.flags.forc and a.strides[-1] > 0),
    (layouts.numpy_reversed, lambda a: a.strides[-1] < 0),
    (layouts.numpy_offset, lambda a: a.base is not None and a.flags.c_contiguous),
    (layouts.numpy_read_only, lambda a: not a.flags.writeable),
    (layouts.torch_transposed, lambda a: a.T.is_contiguous()),
    (layouts.torch_strided, lambda a: a.stride(-1) == 2),
    (layouts.torch_offset, lambda a: a.storage_offset() == 1),
]
EXPANDED = [
    (layouts.numpy_expanded, lambda a: a.strides[0] == 0),
    (layouts.torch_expanded, lambda a: a.stride(0) == 0),
]


def in_library(function, array):
    return torch.tensor(array) if function.__name__.startswith("torch") else array.copy()


@pytest.mark.filterwarnings("ignore:The use of `x.T`")
@pytest.mark.parametrize(("arrange", "has_it"), ALL)
def test_the_numbers_are_the_same_and_the_layout_is_not(arrange, has_it):
    usual = in_library(arrange, X)
    assert not has_it(usual)
    arranged = arrange(in_library(arrange, X))
    assert has_it(arranged)
    np.testing.assert_array_equal(np.asarray(arranged), X)


@pytest.mark.parametrize(("arrange", "has_it"), EXPANDED)
def test_an_expanded_array_repeats_its_first_row(arrange, has_it):
    arranged = arrange(in_library(arrange, X))
    assert has_it(arranged)
    np.testing.assert_array_equal(np.asarray(arranged), X[[0, 0]])


@pytest.mark.filterwarnings("ignore:The use of `x.T`")
@pytest.mark.parametrize(("arrange", "has_it"), ALL)
@pytest.mark.parametrize("dtype", [np.int64, np.bool_])
def test_labels_and_masks_can_be_arranged(arrange, has_it, dtype):
    arranged = arrange(in_library(arrange, (X % 2).astype(dtype)))
    assert has_it(arranged)
    np.testing.assert_array_equal(np.asarray(arranged), (X % 2).astype(dtype))


def test_a_number_without_axes_can_be_arranged():
    for arrange, _ in ALL:
        number = in_library(arrange, np.array(3.5))
        assert float(arrange(number)) == 3.5
        assert arrange(in_library(arrange, np.array(3.5))).shape == ()


def doubles_unless(predicate, noise):
    """A right function, but for arrays of one layout."""

    def candidate(x):
        return 2 * x + noise if predicate(x) else 2 * x

    return candidate


NUMPY = [
    ("transposed in memory", lambda x: x.ndim > 1 and x.flags.f_contiguous and not x.flags.carray),
    ("a strided view", lambda x: x.size > 1 and not x.flags.forc and x.strides[-1] > 0),
    ("a reversed view", lambda x: x.ndim > 0 and x.strides[-1] < 0),
    (
        "at an offset in a buffer|transposed in memory",
        lambda x: x.size > 0 and x.base is not None and x.base.ndim == 1,
    ),
    ("read-only|expanded", lambda x: not x.flags.writeable),
    ("expanded", lambda x: x.size > 1 and 0 in x.strides),
]
TORCH = [
    ("transposed in memory", lambda x: x.ndim > 1 and x.stride(0) == 1 and x.stride(1) > 1),
    ("a strided view", lambda x: x.ndim > 0 and min(x.stride()) == 2),
    ("at an offset in a buffer", lambda x: x.storage_offset() == 1),
    ("expanded", lambda x: x.numel() > 1 and 0 in x.stride()),
]
# Layouts that come by themselves: an axis of size one may have any stride.
DOUBLED = Claim(
    id="doubled",
    title="t",
    source="s",
    domain=Domain(x=reals("n d")),
    statement=Equal(left=lambda x: 2 * x, right=lambda x: 2 * x),
)


@pytest.mark.parametrize(("phrase", "predicate"), NUMPY)
def test_wrong_in_one_layout_of_numpy(rejected, phrase, predicate):
    candidate = doubles_unless(predicate, 1)
    words = f"right on contiguous arrays, but with (x|inputs) ({phrase})"
    rejected(candidate, "layout", words, DOUBLED)


@pytest.mark.parametrize(("phrase", "predicate"), TORCH)
def test_wrong_in_one_layout_of_torch(rejected, phrase, predicate):
    candidate = doubles_unless(predicate, 1)
    words = f"right on contiguous arrays, but with (x|inputs) {phrase}"
    rejected(candidate, "layout", words, DOUBLED, library="torch")


def test_the_input_that_it_depends_on_is_named(rejected):
    claim = Claim(
        id="product",
        title="t",
        source="s",
        domain=Domain(a=reals("n d"), b=reals("n d")),
        statement=Equal(left=lambda a, b: a * b, right=lambda a, b: a * b),
    )

    def by_memory(a, b):
        return a * b.ravel(order="K").reshape(b.shape)

    rejected(by_memory, "layout", "but with (b|inputs) transposed in memory", claim)


def by_pointer(x):
    """As C code that is handed a pointer reads its array."""
    start = x.__array_interface__["data"][0]
    import ctypes

    values = np.ctypeslib.as_array((ctypes.c_double * x.size).from_address(start))
    return 2 * values.reshape(x.shape)


def undone(x):
    x *= 2
    result = x.copy()
    x /= 2
    return result


@pytest.mark.parametrize(
    ("candidate", "library", "words"),
    [
        (by_pointer, "numpy", "but with (x|inputs) "),
        (undone, "numpy", "(read-only|expanded): (it raises )?ValueError"),
        (lambda x: torch.from_numpy(x).mul(2).numpy(), "numpy", "a reversed view: "),
        (lambda x: (2 * x.view(-1)).view(x.shape), "torch", "RuntimeError: view size"),
    ],
)
def test_code_that_reads_its_buffers_as_if_contiguous(rejected, candidate, library, words):
    rejected(candidate, "layout", words, DOUBLED, library=library)


@pytest.mark.parametrize(
    ("candidate", "library"),
    [
        (lambda x: by_pointer(np.array(x, order="C")), "numpy"),
        (lambda x: (2 * x.ravel()).reshape(x.shape), "numpy"),
        (lambda x: torch.from_numpy(x.copy()).mul(2).numpy(), "numpy"),
        (lambda x: (2 * x.contiguous().view(-1)).view(x.shape), "torch"),
        (lambda x: (2 * x.mT).mT, "torch"),
        (lambda x: 2 * x[:, torch.arange(x.shape[1])], "torch"),
    ],
)
def test_code_that_copies_where_it_has_to_is_no_fault(accepted, candidate, library):
    accepted(candidate, DOUBLED, library=library)


def test_a_matrix_product_may_take_another_way_for_another_layout(accepted):
    accepted(
        lambda X: X.T @ np.ones_like(X) + np.ones_like(X) @ X.T, summed_product, dtype="float32"
    )


SOLUTION = Claim(
    id="solution",
    title="t",
    source="s",
    domain=Domain(A=diagonally_dominant("n n"), b=reals("n")),
    statement=Equal(
        left=lambda A, b: array_namespace(A).linalg.solve(A, b),
        right=lambda A, b: array_namespace(A).linalg.solve(A, b),
    ),
)
LOOK_UP = Claim(
    id="look-up",
    title="t",
    source="s",
    domain=Domain(x=reals("v"), y=labels("n", classes="v")),
    statement=Equal(left=lambda x, y: array_namespace(x).take(x, y), right=lambda x, y: 1 * x[y]),
)


def test_a_row_is_not_repeated_where_that_makes_another_matrix(accepted, rejected):
    accepted(lambda A, b: np.linalg.solve(A, b), SOLUTION)
    accepted(lambda A, b: torch.linalg.solve(A, b), SOLUTION, library="torch")

    def by_memory(A, b):
        return np.linalg.solve(A.ravel(order="K").reshape(A.shape), b)

    rejected(by_memory, "layout", "but with (A|inputs) transposed in memory", SOLUTION)


def test_whole_numbers_are_arranged_too(accepted, rejected):
    accepted(lambda x, y: x[y], LOOK_UP)
    accepted(lambda x, y: x[y], LOOK_UP, library="torch")

    def by_pointer(x, y):
        return x[y.as_strided(y.shape, (1,))]

    words = "but with (y|inputs) a strided view"
    rejected(by_pointer, "layout", words, LOOK_UP, library="torch")


# --- cotangents ---


class FlatSquares(Squares):
    """Reads its cotangent by its storage."""

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        steps = torch.empty(x.shape).stride()
        start = gradient.storage_offset()
        return torch.as_strided(gradient, x.shape, steps, start) * 2 * x


class ViewedSquares(Squares):
    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return (gradient.view(-1) * 2 * x.reshape(-1)).view(x.shape)


class CopyingSquares(Squares):
    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return (gradient.reshape(-1) * 2 * x.reshape(-1)).reshape(x.shape)


def summed_with_ones(squares):
    return lambda x: (squares(x) * torch.ones_like(x)).sum()


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (FlatSquares, "right as it is, but with its cotangent "),
        (ViewedSquares, "RuntimeError: view size is not compatible"),
    ],
)
def test_a_backward_that_wants_its_cotangent_contiguous(rejected, function, words):
    candidate = autograd("mine", summed_with_ones(function.apply))
    rejected(candidate, "layout", words, sum_of_squares, way="reverse mode")


def test_a_backward_that_wants_a_contiguous_cotangent_and_gets_an_expanded_one(verdicts):
    verdict = verdicts(autograd("mine", lambda x: ViewedSquares.apply(x).sum()))["reverse mode"]
    assert verdict.status in ("error", "wrong")


def test_a_backward_that_reads_any_cotangent_is_no_fault(accepted):
    accepted(autograd("mine", summed_with_ones(CopyingSquares.apply)))
    accepted(autograd("mine", lambda x: CopyingSquares.apply(x).sum()))
    accepted(numeric("mine", lambda x: 2 * x))


def test_torch_may_refuse_duals_of_what_overlaps_itself(accepted, rejected):
    def by_func(x):
        return torch.func.jvp(lambda x: x**2, (x,), (torch.ones_like(x),))[1]

    def in_place(x):
        x.mul_(2)
        y = x.clone()
        x.div_(2)
        return y

    accepted(by_func, library="torch")
    words = "count of writes of x is 2; it was 0"
    rejected(in_place, "mutates_input", words, library="torch")
