"""Matrix calculus: traces, determinants and inverses, differentiated."""

from typing import Any

import numpy as np
from array_api_compat import array_namespace

from verimath import (
    Claim,
    Domain,
    Gradient,
    Hessian,
    Jacobian,
    numeric,
    reals,
    spd,
    symmetric,
    well_conditioned,
)

_COOKBOOK = "Petersen and Pedersen, The Matrix Cookbook (2012), "


def _linalg(x: Any) -> Any:
    return array_namespace(x).linalg


def _trace(X: Any) -> Any:
    return _linalg(X).trace(X)


def _inverse(X: Any) -> Any:
    return _linalg(X).inv(X)


# --- traces -----------------------------------------------------------------------------------

trace_product = Claim(
    id="trace-product-gradient",
    title="The gradient of tr(AX) is A'",
    source=_COOKBOOK + "equation 100",
    domain=Domain(X=reals("n m"), A=reals("m n")),
    statement=Gradient(of=lambda X, A: _trace(A @ X), wrt="X", equals=lambda X, A: A.T + 0 * X),
    mutants={
        "A's numbers, not transposed": lambda X, A: array_namespace(A).reshape(A, X.shape),
        "X": lambda X, A: X,
        "2A'": lambda X, A: 2 * A.T,
        "the average": lambda X, A: A.T / A.shape[0],
    },
)

trace_quadratic = Claim(
    id="trace-quadratic-gradient",
    title="The gradient of tr(X'AX) is (A + A')X",
    source=_COOKBOOK + "equation 108",
    domain=Domain(X=reals("n m"), A=reals("n n")),
    statement=Gradient(
        of=lambda X, A: _trace(X.T @ A @ X), wrt="X", equals=lambda X, A: (A + A.T) @ X
    ),
    mutants={
        "2AX, for A that is not symmetric": lambda X, A: 2 * (A @ X),
        "AX": lambda X, A: A @ X,
        "A'X": lambda X, A: A.T @ X,
        "(A - A')X": lambda X, A: (A - A.T) @ X,
    },
)

trace_of_three = Claim(
    id="trace-of-three-gradient",
    title="The gradient of tr(AXB) is A'B'",
    source=_COOKBOOK + "equation 101",
    domain=Domain(X=reals("n n"), A=reals("n n"), B=reals("n n")),
    statement=Gradient(
        of=lambda X, A, B: _trace(A @ X @ B), wrt="X", equals=lambda X, A, B: A.T @ B.T
    ),
    mutants={
        "(AB)' = B'A'": lambda X, A, B: B.T @ A.T,
        "AB": lambda X, A, B: A @ B,
        "BA": lambda X, A, B: B @ A,
        "A'B": lambda X, A, B: A.T @ B,
    },
)

frobenius_norm = Claim(
    id="frobenius-norm-gradient",
    title="The gradient of tr(X'X), the squared Frobenius norm, is 2X",
    source=_COOKBOOK + "equation 115",
    domain=Domain(X=reals("n m")),
    statement=Gradient(of=lambda X: _trace(X.T @ X), wrt="X", equals=lambda X: 2 * X),
    mutants={
        "X": lambda X: X,
        "the norm's own, n for its length": lambda X: 2 * X / X.shape[0],
        "the mean's": lambda X: 2 * X / X.size,
        "-2X": lambda X: -2 * X,
    },
)


# --- determinants -----------------------------------------------------------------------------


def log_det(X: Any) -> Any:
    return _linalg(X).slogdet(X)[1]


log_determinant = Claim(
    id="log-determinant-gradient",
    title="The gradient of log|det X| is the transposed inverse",
    source=_COOKBOOK + "equation 57",
    domain=Domain(X=well_conditioned("n n")),
    statement=Gradient(of=log_det, wrt="X", equals=lambda X: _inverse(X).T),
    assume=["X has an inverse"],
    mutants={
        "the inverse, not transposed": _inverse,
        "the transpose": lambda X: X.T,
        "det's gradient": lambda X: _linalg(X).det(X) * _inverse(X).T,
        "twice, less the diagonal, as for symmetric X": lambda X: (
            2 * _inverse(X).T
            - array_namespace(X).eye(X.shape[0], dtype=X.dtype, device=X.device) * _inverse(X)
        ),
    },
)

bilinear_symmetric = Claim(
    id="bilinear-form-symmetric",
    title="The gradient of b'Ac in a symmetric A is bc', up to an antisymmetric matrix",
    source=_COOKBOOK + "section 2.8; Horn and Johnson, Matrix Analysis, 2nd ed., section 0.6.4",
    domain=Domain(A=symmetric("n n"), b=reals("n", -8, 8), c=reals("n", -8, 8)),
    statement=Gradient(
        of=lambda A, b, c: array_namespace(A).vecdot(b, A @ c),
        wrt="A",
        equals=lambda A, b, c: b[:, None] * c[None, :],
        up_to={"A": "antisymmetric"},
    ),
    routes=[
        numeric("the symmetric part", lambda A, b, c: (np.outer(b, c) + np.outer(c, b)) / 2),
        numeric("the transpose", lambda A, b, c: np.outer(c, b)),
    ],
    mutants={
        "both triangles, as if they were free": lambda A, b, c: (
            b[:, None] * c[None, :] + c[:, None] * b[None, :]
        ),
        "b's alone": lambda A, b, c: b[:, None] * b[None, :],
        "the diagonal": lambda A, b, c: array_namespace(A).tril(
            array_namespace(A).triu(b[:, None] * c[None, :])
        ),
        "half": lambda A, b, c: b[:, None] * c[None, :] / 2,
    },
)

determinant = Claim(
    id="determinant-gradient",
    title="The gradient of det X is det(X) times the transposed inverse",
    source=_COOKBOOK + "equation 49",
    domain=Domain(X=well_conditioned("n n")),
    statement=Gradient(
        of=lambda X: _linalg(X).det(X),
        wrt="X",
        equals=lambda X: _linalg(X).det(X) * _inverse(X).T,
    ),
    assume=["X has an inverse"],
    mutants={
        "the inverse, not transposed": lambda X: _linalg(X).det(X) * _inverse(X),
        "the logarithm's": lambda X: _inverse(X).T,
        "the determinant alone": lambda X: _linalg(X).det(X) + 0 * X,
        "divided by it": lambda X: _inverse(X).T / _linalg(X).det(X),
    },
)


# --- inverses ---------------------------------------------------------------------------------


def _inverse_slopes(X: Any) -> Any:
    """-Y[i, k] Y[l, j], the derivative of Y[i, j] in X[k, l]."""
    xp, Y = array_namespace(X), _inverse(X)
    return -xp.permute_dims(xp.tensordot(Y, Y, axes=0), (0, 3, 1, 2))


def _with_axes(*axes: int) -> Any:
    """The Jacobian of the inverse with other places for its indices."""

    def slopes(X: Any) -> Any:
        xp, Y = array_namespace(X), _inverse(X)
        return -xp.permute_dims(xp.tensordot(Y, Y, axes=0), axes)

    return slopes


inverse_jacobian = Claim(
    id="inverse-jacobian",
    title="The derivative of Y = X⁻¹: that of Y[i,j] in X[k,l] is -Y[i,k] Y[l,j]",
    source=_COOKBOOK + "equation 60",
    domain=Domain(X=well_conditioned("n n")),
    statement=Jacobian(of=lambda X: _inverse(X), wrt="X", equals=_inverse_slopes),
    assume=["X has an inverse"],
    mutants={
        "-Y[i,j] Y[k,l]": _with_axes(0, 1, 2, 3),
        "-Y[i,l] Y[k,j]": _with_axes(0, 3, 2, 1),
        "-Y[j,k] Y[l,i]": _with_axes(3, 0, 1, 2),
        "a plus": lambda X: -_inverse_slopes(X),
    },
)


def _through_inverse(X: Any, B: Any) -> Any:
    Y = _inverse(X)
    return -(Y @ B @ Y).T


trace_of_inverse = Claim(
    id="trace-inverse-gradient",
    title="The gradient of tr(BX⁻¹) is -(X⁻¹BX⁻¹)'",
    source=_COOKBOOK + "equation 124",
    domain=Domain(X=well_conditioned("n n"), B=reals("n n", -8, 8)),
    statement=Gradient(of=lambda X, B: _trace(B @ _inverse(X)), wrt="X", equals=_through_inverse),
    assume=["X has an inverse"],
    mutants={
        "not transposed": lambda X, B: _through_inverse(X, B).T,
        "-BX⁻²": lambda X, B: -(B @ _inverse(X) @ _inverse(X)),
        "a plus": lambda X, B: -_through_inverse(X, B),
        "X⁻¹ once": lambda X, B: -(_inverse(X) @ B).T,
    },
)


def form(X: Any, a: Any, b: Any) -> Any:
    y = _linalg(X).solve(X, b)
    return array_namespace(X).sum(a * y)


def _bilinear_gradient(X: Any, a: Any, b: Any) -> Any:
    left, right = _linalg(X).solve(X.T, a), _linalg(X).solve(X, b)
    return -_linalg(X).outer(left, right)


inverse_form = Claim(
    id="inverse-bilinear-gradient",
    title="The gradient of a'X⁻¹b is -X⁻'ab'X⁻'",
    source=_COOKBOOK + "equation 61",
    domain=Domain(X=well_conditioned("n n"), a=reals("n", -8, 8), b=reals("n", -8, 8)),
    statement=Gradient(of=form, wrt="X", equals=_bilinear_gradient),
    assume=["X has an inverse"],
    mutants={
        "a and b swapped": lambda X, a, b: _bilinear_gradient(X, b, a),
        "transposed": lambda X, a, b: _bilinear_gradient(X, a, b).T,
        "a plus": lambda X, a, b: -_bilinear_gradient(X, a, b),
        "b left as it is": lambda X, a, b: -_linalg(X).outer(_linalg(X).solve(X.T, a), b),
    },
)


def energy(x: Any, A: Any) -> Any:
    return array_namespace(x).sum(x * _linalg(A).solve(A, x)) / 2


inverse_hessian = Claim(
    id="inverse-quadratic-hessian",
    title="The Hessian of half of x'A⁻¹x is A⁻¹ for symmetric A",
    source=_COOKBOOK + "equation 98",
    domain=Domain(x=reals("n", -8, 8), A=spd("n n")),
    statement=Hessian(of=energy, wrt="x", equals=lambda x, A: _inverse(A)),
    assume=["A is symmetric and has an inverse"],
    mutants={
        "A": lambda x, A: A,
        "half of it": lambda x, A: _inverse(A) / 2,
        "twice": lambda x, A: 2 * _inverse(A),
        "the diagonal's inverse": lambda x, A: (
            array_namespace(A).eye(A.shape[0], dtype=A.dtype, device=A.device)
            / _linalg(A).diagonal(A)
        ),
    },
)
