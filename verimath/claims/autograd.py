"""The lecture's autograd examples, true and false."""

from typing import Any

from array_api_compat import array_namespace

from verimath import AtMost, Claim, Domain, Gradient, given, numeric, reals

# --- mean(2 (x + 1)^2) ----------------------------------------------------------------------


def j(x: Any) -> Any:
    y = x + 1
    z = 2 * y**2
    return array_namespace(x).mean(z)


def _dj_dx(x: Any) -> Any:
    return 4 / x.size * (x + 1)


def _dj_dx_by_hand(x: Any) -> Any:
    return (2 * x + 2) * (2 / x.size)


mean_square = Claim(
    id="mean-square-gradient",
    title="Each partial derivative of mean(2(x+1)²) is 4/size (x+1), whatever the shape",
    source="lecture, L-48",
    domain=Domain(x=reals("*shape")),
    statement=Gradient(of=j, wrt="x", equals=_dj_dx),
    routes=[numeric("by hand", _dj_dx_by_hand)],
    mutants={
        "sum for mean": lambda x: 4 * (x + 1),
        "the inner +1 forgotten": lambda x: 4 / x.size * x,
        "2/3 at every size": lambda x: 2 / 3 * (x + 1),
    },
)

mean_square_2x3 = Claim(
    id="mean-square-gradient-2x3",
    title="For a 2×3 tensor each partial derivative of mean(2(x+1)²) is 2/3 (x+1)",
    source="lecture, L-47 and L-48",
    domain=Domain(x=reals("2 3")),
    statement=Gradient(of=j, wrt="x", equals=lambda x: 2 / 3 * (x + 1)),
    routes=[numeric("by hand", lambda x: 1 / 6 * (4 * (x + 1)))],
    mutants={"the factor 1/6 forgotten": lambda x: 4 * (x + 1)},
)

# --- chain rule -----------------------------------------------------------------------------


def y2(x: Any, w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
    y1 = x * w1 + b1
    return y1 * w2 + b2


def _product_of_autograds(x: Any, w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
    """The lecture's own lines: two calls of autograd.grad, multiplied."""
    import torch

    w1 = w1.detach().requires_grad_()
    y1 = x * w1 + b1
    y2 = y1 * w2 + b2
    (dy2_dy1,) = torch.autograd.grad(y2, y1, retain_graph=True)
    (dy1_dw1,) = torch.autograd.grad(y1, w1)
    return dy2_dy1 * dy1_dw1


chain_rule = Claim(
    id="chain-rule",
    title="∂y₂/∂w₁ is ∂y₂/∂y₁ times ∂y₁/∂w₁, that is w₂ x",
    source="lecture, L-40",
    domain=Domain(x=reals(), w1=reals(), b1=reals(), w2=reals(), b2=reals()),
    statement=Gradient(of=y2, wrt="w1", equals=lambda x, w1, b1, w2, b2: w2 * x),
    routes=[
        numeric("by hand", lambda x, w1, b1, w2, b2: x * w2),
        numeric("product of two autograds", _product_of_autograds, library="torch"),
    ],
    mutants={
        "the factor ∂y₂/∂y₁ forgotten": lambda x, w1, b1, w2, b2: 1 * x,
        "w1 for x": lambda x, w1, b1, w2, b2: w2 * w1,
    },
)

# --- sum of squares -------------------------------------------------------------------------

sum_of_squares = Claim(
    id="sum-of-squares-gradient",
    title="The gradient of the sum of squares is 2x, whatever the shape",
    source="lecture, L-41",
    domain=Domain(x=reals("*shape")),
    statement=Gradient(of=lambda x: array_namespace(x).sum(x**2), wrt="x", equals=lambda x: 2 * x),
    routes=[numeric("by hand", lambda x: x + x)],
    mutants={
        "x for 2x": lambda x: 1 * x,
        "mean for sum": lambda x: 2 / x.size * x,
    },
)

# --- two affine layers ----------------------------------------------------------------------


def y(w1: Any, x: Any, b1: Any, w2: Any, b2: Any) -> Any:
    z = w1 @ x + b1
    return array_namespace(x).sum(w2 @ z + b2)


def _dy_dw1(w1: Any, x: Any, b1: Any, w2: Any, b2: Any) -> Any:
    xp = array_namespace(x)
    ones = xp.ones((w2.shape[0], 1), dtype=x.dtype, device=x.device)
    return w2.T @ ones @ x.T


def _outer_product(w1: Any, x: Any, b1: Any, w2: Any, b2: Any) -> Any:
    return w2.sum(axis=0)[:, None] * x[:, 0][None, :]


affine_layers = Claim(
    id="two-affine-layers-gradient",
    title="The summed output of two affine layers has the gradient w₂ᵀ 1 xᵀ in w₁",
    source="lecture, L-44",
    domain=Domain(
        w1=reals("h d"), x=reals("d 1"), b1=reals("h 1"), w2=reals("o h"), b2=reals("1 1")
    ),
    statement=Gradient(of=y, wrt="w1", equals=_dy_dw1),
    routes=[numeric("by hand", _outer_product)],
    mutants={
        "the mean of w2's rows for their sum": lambda w1, x, b1, w2, b2: (
            _dy_dw1(w1, x, b1, w2, b2) / w2.shape[0]
        ),
        "w1 itself added": lambda w1, x, b1, w2, b2: _dy_dw1(w1, x, b1, w2, b2) + w1,
    },
)

# --- the printed gradients ------------------------------------------------------------------


def _off_rank_one(gradient: Any) -> Any:
    """What is left of the printed matrix after subtracting a product of two vectors."""
    column = _table(gradient, [[0.1303], [1]])
    row = _table(gradient, [[-0.99292, 0.23967, -0.18137]])
    return gradient - column @ row


def _one_digit_changed(gradient: Any) -> Any:
    """As if -0.1293 were printed in place of -0.1294."""
    return _off_rank_one(gradient + _table(gradient, [[1e-4, 0, 0], [0, 0, 0]]))


def _table(x: Any, values: list[list[float]]) -> Any:
    return array_namespace(x).asarray(values, dtype=x.dtype, device=x.device)


printed_rank_one = Claim(
    id="printed-gradient-rank-one",
    title="The printed gradient of w₁ is a column times a row, up to rounding of its digits",
    source="lecture, L-44",
    domain=Domain(gradient=given([[-0.1294, 0.0312, -0.0236], [-0.9929, 0.2397, -0.1814]])),
    statement=AtMost(of=_off_rank_one, bound=5e-5),
    mutants={"one printed digit changed": _one_digit_changed},
)

# --- X X ------------------------------------------------------------------------------------


def s(X: Any) -> Any:
    return array_namespace(X).sum(X @ X)


def _row_plus_column_sums(X: Any) -> Any:
    xp = array_namespace(X)
    rows, columns = xp.sum(X, axis=1), xp.sum(X, axis=0)
    return rows[None, :] + columns[:, None]


def _with_ones(X: Any) -> Any:
    ones = 0 * X + 1
    return X.T @ ones + ones @ X.T


summed_product = Claim(
    id="summed-matrix-product-gradient",
    title="The gradient of the summed matrix product X X at [i, j] is row sum j plus column sum i",
    source="lecture, L-42, repaired",
    domain=Domain(X=reals("n n")),
    statement=Gradient(of=s, wrt="X", equals=_row_plus_column_sums),
    routes=[numeric("by hand", _with_ones)],
    mutants={
        "transposed": lambda X: _row_plus_column_sums(X.T),
        "the second factor held fixed": lambda X: (
            array_namespace(X).sum(X, axis=1)[None, :] + 0 * X
        ),
    },
)

summed_product_2x = Claim(
    id="summed-matrix-product-gradient-2x",
    title="The gradient of the summed matrix product X X is 2X",
    source="lecture, L-42",
    domain=Domain(X=reals("n n")),
    statement=Gradient(of=s, wrt="X", equals=lambda X: 2 * X),
    expected="refuted",
    repaired="summed-matrix-product-gradient",
)
