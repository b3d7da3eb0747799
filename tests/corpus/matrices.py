"""Inverses, determinants, factors and solutions: what needs a matrix that has an inverse."""

import numpy as np
import torch
from array_api_compat import array_namespace

from verimath import (
    Claim,
    Domain,
    Equal,
    Gradient,
    diagonally_dominant,
    reals,
    spd,
    well_conditioned,
)

from tests.corpus.case import right, wrong  # isort: skip

_COOKBOOK = "Petersen and Pedersen, The Matrix Cookbook (2012), "


def _linalg(x):
    return array_namespace(x).linalg


def _eye_like(x):
    xp = array_namespace(x)
    return xp.eye(x.shape[-1], dtype=x.dtype, device=x.device)


def _bilinear_inverse(X, a, b):
    left, solved = _linalg(X).solve(X.mT, a), _linalg(X).solve(X, b)
    return -left[:, None] * solved


def _inverse_sum(X):
    ones = array_namespace(X).ones_like(X[:, 0])
    left, solved = _linalg(X).solve(X.mT, ones), _linalg(X).solve(X, ones)
    return -left[:, None] * solved


def _ridge_solution(X, y):
    return _linalg(X).solve(X.mT @ X + _eye_like(X), X.mT @ y)


def _two_jacobi_steps(A, b):
    eye = _eye_like(A)
    d = _linalg(A).diagonal(A)
    rest = A - eye * d
    x = b / d
    return (b - rest @ ((b - rest @ x) / d)) / d


CLAIMS = [
    Claim(
        id="inverse-bilinear",
        title="The gradient of a'X⁻¹b is -X⁻ᵀab'X⁻ᵀ",
        source=_COOKBOOK + "equation 61",
        domain=Domain(X=well_conditioned("n n"), a=reals("n"), b=reals("n")),
        statement=Gradient(
            of=lambda X, a, b: array_namespace(X).sum(a * _linalg(X).solve(X, b)),
            wrt="X",
            equals=_bilinear_inverse,
        ),
    ),
    Claim(
        id="inverse-sum",
        title="The gradient of the sum of the elements of X⁻¹ is -X⁻ᵀ11'X⁻ᵀ",
        source=_COOKBOOK + "equation 60",
        domain=Domain(X=well_conditioned("n+1 n+1")),
        statement=Gradient(
            of=lambda X: array_namespace(X).sum(_linalg(X).inv(X)), wrt="X", equals=_inverse_sum
        ),
    ),
    Claim(
        id="log-det",
        title="The gradient of log|det X| is X⁻ᵀ",
        source=_COOKBOOK + "equation 57",
        domain=Domain(X=spd("n n")),
        statement=Gradient(
            of=lambda X: _linalg(X).slogdet(X)[1], wrt="X", equals=lambda X: _linalg(X).inv(X).mT
        ),
    ),
    Claim(
        id="solution",
        title="Solving Ax = b multiplies b by the inverse",
        source="Golub and Van Loan, Matrix Computations (4th ed.), section 3.2",
        domain=Domain(A=diagonally_dominant("n n"), b=reals("n")),
        statement=Equal(
            left=lambda A, b: _linalg(A).solve(A, b), right=lambda A, b: _linalg(A).inv(A) @ b
        ),
    ),
    Claim(
        id="ridge-solution",
        title="(X'X + I)⁻¹X'y is X'(XX' + I)⁻¹y",
        source="Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, 18.3.5",
        domain=Domain(X=reals("n d", -2, 2), y=reals("n")),
        statement=Equal(
            left=_ridge_solution,
            right=lambda X, y: X.mT @ _linalg(X).solve(X @ X.mT + _eye_like(X.mT), y),
        ),
    ),
    Claim(
        id="cholesky-factor",
        title="The lower Cholesky factor is the transpose of the upper one",
        source="Higham, Accuracy and Stability of Numerical Algorithms (2nd ed.), section 10.1",
        domain=Domain(A=spd("n n")),
        statement=Equal(
            left=lambda A: _linalg(A).cholesky(A),
            right=lambda A: _linalg(A).cholesky(A, upper=True).mT,
        ),
    ),
    Claim(
        id="matrix-cube",
        title="A³ is A(AA) and (AA)A",
        source="any book on linear algebra",
        domain=Domain(A=reals("n n")),
        statement=Equal(left=lambda A: A @ (A @ A), right=lambda A: (A @ A) @ A),
    ),
    Claim(
        id="jacobi-steps",
        title="Two steps of Jacobi's method from D⁻¹b",
        source="Golub and Van Loan, Matrix Computations (4th ed.), section 11.2.2",
        domain=Domain(A=diagonally_dominant("n n"), b=reals("n")),
        statement=Equal(
            left=_two_jacobi_steps,
            right=_two_jacobi_steps,
        ),
    ),
]

# --- a'X⁻¹b -----------------------------------------------------------------------------------

RIGHT = [
    right(
        "inverse-bilinear",
        "with the inverse",
        lambda X, a, b: -np.outer(np.linalg.inv(X).T @ a, np.linalg.inv(X) @ b),
        bait="an explicit inverse",
    ),
    right(
        "inverse-bilinear",
        "solve",
        lambda X, a, b: a @ torch.linalg.solve(X, b),
        kind="autograd",
    ),
    right(
        "inverse-bilinear",
        "inv",
        lambda X, a, b: a @ torch.linalg.inv(X) @ b,
        kind="autograd",
        bait="differentiates an explicit inverse",
    ),
]

WRONG = [
    wrong(
        "inverse-bilinear",
        "no minus",
        lambda X, a, b: np.outer(np.linalg.solve(X.T, a), np.linalg.solve(X, b)),
        "the minus forgotten",
    ),
    wrong(
        "inverse-bilinear",
        "no transposes",
        lambda X, a, b: -np.outer(np.linalg.solve(X, a), np.linalg.solve(X, b)),
        "solves with X for a, too",
    ),
    wrong(
        "inverse-bilinear",
        "b and a swapped",
        lambda X, a, b: -np.outer(np.linalg.solve(X, b), np.linalg.solve(X.T, a)),
        "the transposed gradient",
    ),
    wrong(
        "inverse-bilinear",
        "frozen factor",
        lambda X, a, b: a @ torch.linalg.inv(X.detach()) @ X @ torch.linalg.inv(X) @ b,
        "one of three factors detached, so the two others cancel",
        kind="autograd",
    ),
    wrong(
        "inverse-bilinear",
        "a little jitter",
        lambda X, a, b: a @ torch.linalg.solve(X + 1e-6 * torch.eye(len(X), dtype=X.dtype), b),
        "a multiple of the identity added before solving",
        kind="autograd",
    ),
]

# --- sum of the inverse -----------------------------------------------------------------------


def _sums_of_inverse(X):
    inverse = np.linalg.inv(X)
    return -np.outer(inverse.sum(axis=0), inverse.sum(axis=1))


RIGHT += [
    right("inverse-sum", "row and column sums", _sums_of_inverse),
    right(
        "inverse-sum",
        "solve for ones",
        lambda X: torch.linalg.solve(X, torch.ones_like(X[:, 0])).sum(),
        kind="autograd",
        bait="no inverse anywhere",
    ),
]

WRONG += [
    wrong(
        "inverse-sum",
        "sums swapped",
        lambda X: -np.outer(np.linalg.inv(X).sum(axis=1), np.linalg.inv(X).sum(axis=0)),
        "row sums for column sums",
    ),
    wrong(
        "inverse-sum",
        "minus the square",
        lambda X: -(np.linalg.inv(X) @ np.linalg.inv(X)).T,
        "the trace's gradient for the sum's",
    ),
    wrong(
        "inverse-sum",
        "one of the factors",
        lambda X: -np.linalg.inv(X).T * np.linalg.inv(X).sum(),
        "the total for one of the two sums",
    ),
]

# --- log det ----------------------------------------------------------------------------------


def _structured(X):
    inverse = np.linalg.inv(X)
    return 2 * inverse - np.diag(np.diag(inverse))


RIGHT += [
    right("log-det", "inverse", lambda X: np.linalg.inv(X), bait="no transpose: X is symmetric"),
    right("log-det", "logdet", lambda X: torch.linalg.slogdet(X)[1], kind="autograd"),
    right(
        "log-det",
        "solve for I",
        lambda X: np.linalg.solve(X, np.eye(len(X), dtype=X.dtype)),
    ),
    right(
        "log-det",
        "by the triangular factors",
        lambda X: torch.linalg.lu_factor(X)[0].diagonal().abs().log().sum(),
        kind="autograd",
        bait="ill-conditioned matrices, and pivots of either sign",
    ),
]

WRONG += [
    wrong(
        "log-det",
        "structured",
        _structured,
        "the derivative among symmetric matrices, off-diagonal elements twice",
    ),
    wrong(
        "log-det",
        "pseudo-inverse",
        lambda X: np.linalg.pinv(X, rcond=1e-2),
        "small singular values dropped",
    ),
    wrong(
        "log-det",
        "det's gradient",
        lambda X: np.linalg.det(X) * np.linalg.inv(X),
        "no logarithm",
    ),
    wrong(
        "log-det",
        "log of the trace",
        lambda X: X.diagonal().log().sum(),
        "the product of the diagonal for the determinant",
        kind="autograd",
    ),
    wrong(
        "log-det",
        "of the factor",
        lambda X: torch.linalg.cholesky(X).diagonal().log().sum(),
        "half of it: the factor's determinant",
        kind="autograd",
    ),
]

# --- solving ----------------------------------------------------------------------------------


def _eliminated(A, b):
    A, b = A.copy(), b.copy()
    n = len(b)
    for k in range(n):
        for i in range(k + 1, n):
            factor = A[i, k] / A[k, k]
            A[i, k:] -= factor * A[k, k:]
            b[i] -= factor * b[k]
    x = np.zeros_like(b)
    for k in reversed(range(n)):
        x[k] = (b[k] - A[k, k + 1 :] @ x[k + 1 :]) / A[k, k]
    return x


def _eliminated_in_place(A, b):
    n = len(b)
    for k in range(n):
        for i in range(k + 1, n):
            factor = A[i, k] / A[k, k]
            A[i, k:] -= factor * A[k, k:]
            b[i] -= factor * b[k]
    x = np.zeros_like(b)
    for k in reversed(range(n)):
        x[k] = (b[k] - A[k, k + 1 :] @ x[k + 1 :]) / A[k, k]
    return x


def _sixty_sweeps(A, b):
    d = np.diag(A)
    x = b / d
    for _ in range(60):
        x = (b - (A - np.diag(d)) @ x) / d
    return x


def _lapack_order(A, b):
    """Hands Fortran a C array: it solves with the transpose."""
    return np.linalg.solve(A.T, b)


RIGHT += [
    right("solution", "solve", lambda A, b: np.linalg.solve(A, b)),
    right(
        "solution", "elimination", _eliminated, bait="no pivoting: A is dominated by its diagonal"
    ),
    right(
        "solution",
        "LU",
        lambda A, b: torch.linalg.lu_solve(*torch.linalg.lu_factor(A), b[:, None])[:, 0],
        kind="torch",
    ),
]

WRONG += [
    wrong("solution", "transposed", _lapack_order, "solves with the transpose"),
    wrong("solution", "in place", _eliminated_in_place, "eliminates in its inputs"),
    wrong("solution", "sixty sweeps", _sixty_sweeps, "an iteration that has not converged"),
    wrong(
        "solution",
        "single",
        lambda A, b: np.linalg.solve(A.astype(np.float32), b.astype(np.float32)).astype(b.dtype),
        "solved in float32",
    ),
    wrong(
        "solution",
        "float64 comes out",
        lambda A, b: np.linalg.solve(A.astype(np.float64), b.astype(np.float64)),
        "a wrong dtype out",
        dtype="float32",
    ),
]

# --- ridge's solution -------------------------------------------------------------------------


def _dual(X, y):
    return X.T @ np.linalg.solve(X @ X.T + np.eye(len(X), dtype=X.dtype), y)


def _rank_one_updates(X, y):
    """Recursive least squares: Sherman and Morrison's formula, row by row."""
    P, w = np.eye(X.shape[1], dtype=X.dtype), np.zeros(X.shape[1], dtype=X.dtype)
    for x, target in zip(X, y, strict=True):
        Px = P @ x
        gain = Px / (1 + x @ Px)
        w = w + gain * (target - x @ w)
        P = P - np.outer(gain, Px)
    return w


def _normal(X, y, penalty):
    A = X.T @ X + penalty
    return np.linalg.solve(A, X.T @ y)


RIGHT += [
    right(
        "ridge-solution",
        "normal equations",
        lambda X, y: _normal(X, y, np.eye(X.shape[1], dtype=X.dtype)),
    ),
    right("ridge-solution", "dual", _dual, bait="a system of n equations, not d"),
    right(
        "ridge-solution",
        "by rows",
        _rank_one_updates,
        bait="recursive least squares, another algorithm",
    ),
]

WRONG += [
    wrong(
        "ridge-solution",
        "one everywhere",
        lambda X, y: np.linalg.lstsq(X.T @ X + 1, X.T @ y, rcond=None)[0],
        "the penalty added to every element",
    ),
    wrong(
        "ridge-solution",
        "penalty times n",
        lambda X, y: (
            _normal(X, y, len(X) * np.eye(X.shape[1], dtype=X.dtype))
            if len(X)
            else np.zeros(X.shape[1], dtype=X.dtype)
        ),
        "the penalty of the mean loss",
    ),
    wrong(
        "ridge-solution",
        "first not penalised",
        lambda X, y: _normal(X, y, np.diag((np.arange(X.shape[1]) > 0) + 1e-9)),
        "the first weight taken for an intercept",
    ),
    wrong(
        "ridge-solution",
        "no ridge for many rows",
        lambda X, y: _normal(X, y, (1.0 if len(X) < 6 else 0.5) * np.eye(X.shape[1])),
        "another penalty from six rows on",
    ),
]

# --- Cholesky ---------------------------------------------------------------------------------


def _by_columns(A):
    n = len(A)
    L = np.zeros_like(A)
    for j in range(n):
        L[j, j] = np.sqrt(A[j, j] - L[j, :j] @ L[j, :j])
        for i in range(j + 1, n):
            L[i, j] = (A[i, j] - L[i, :j] @ L[j, :j]) / L[j, j]
    return L


def _by_outer_products(A):
    A = A.copy()
    n = len(A)
    for k in range(n):
        A[k, k] = np.sqrt(A[k, k])
        A[k + 1 :, k] /= A[k, k]
        A[k + 1 :, k + 1 :] -= np.outer(A[k + 1 :, k], A[k + 1 :, k])
    return np.tril(A)


def _untidy(A):
    L = np.linalg.cholesky(A)
    return L + np.triu(A, 1)


def _symmetric_root(A):
    values, vectors = np.linalg.eigh(A)
    return (vectors * np.sqrt(np.abs(values))) @ vectors.T


RIGHT += [
    right("cholesky-factor", "by columns", _by_columns),
    right("cholesky-factor", "by outer products", _by_outer_products, bait="another order"),
    right("cholesky-factor", "torch", lambda A: torch.linalg.cholesky(A), kind="torch"),
]

WRONG += [
    wrong("cholesky-factor", "upper", lambda A: np.linalg.cholesky(A).T.copy(), "the upper factor"),
    wrong("cholesky-factor", "untidy", _untidy, "the input left above the diagonal"),
    wrong("cholesky-factor", "symmetric root", _symmetric_root, "another square root"),
    wrong(
        "cholesky-factor",
        "jitter",
        lambda A: np.linalg.cholesky(A + 1e-8 * np.eye(len(A))),
        "jitter on the diagonal",
    ),
    wrong(
        "cholesky-factor",
        "unit diagonal",
        lambda A: np.linalg.cholesky(A) / np.diag(np.linalg.cholesky(A)),
        "the factor of L D L'",
    ),
]

# --- A³ ---------------------------------------------------------------------------------------


def _from_the_right(A):
    found = np.zeros_like(A)
    square = np.zeros_like(A)
    for k in reversed(range(len(A))):
        square += np.outer(A[:, k], A[k])
    for k in reversed(range(len(A))):
        found += np.outer(square[:, k], A[k])
    return found


RIGHT += [
    right("matrix-cube", "matrix_power", lambda A: np.linalg.matrix_power(A, 3)),
    right("matrix-cube", "outer products", _from_the_right, bait="added from the last index on"),
    right("matrix-cube", "chain", lambda A: torch.linalg.multi_dot([A, A, A]), kind="torch"),
]

WRONG += [
    wrong("matrix-cube", "elementwise", lambda A: A**3, "every element cubed"),
    wrong("matrix-cube", "fourth power", lambda A: np.linalg.matrix_power(A, 4), "one factor more"),
    wrong("matrix-cube", "A A' A", lambda A: A @ A.T @ A, "a transpose in the middle"),
    wrong(
        "matrix-cube",
        "symmetrised",
        lambda A: np.linalg.matrix_power((A + A.T) / 2, 3),
        "the symmetric part's cube",
    ),
    wrong(
        "matrix-cube",
        "reused buffer",
        lambda A: np.matmul(A, np.matmul(A, A, out=A)),
        "the square written over the input",
    ),
]

# --- Jacobi's method --------------------------------------------------------------------------


def _row_by_row(A, b):
    d = np.diag(A)
    x = b / d
    for _ in range(2):
        new = np.empty_like(x)
        for i in range(len(b)):
            others = np.arange(len(b)) != i
            new[i] = (b[i] - A[i, others] @ x[others]) / A[i, i]
        x = new
    return x


def _gauss_seidel(A, b):
    x = b / np.diag(A)
    for _ in range(2):
        for i in range(len(b)):
            others = np.arange(len(b)) != i
            x[i] = (b[i] - A[i, others] @ x[others]) / A[i, i]
    return x


def _by_residual(A, b, steps=2):
    d = np.diag(A)
    x = b / d
    for _ in range(steps):
        x = x + (b - A @ x) / d
    return x


RIGHT += [
    right("jacobi-steps", "row by row", _row_by_row),
    right(
        "jacobi-steps",
        "torch",
        lambda A, b: (
            (b - (A - A.diag().diag()) @ ((b - (A - A.diag().diag()) @ (b / A.diag())) / A.diag()))
            / A.diag()
        ),
        kind="torch",
    ),
    right(
        "jacobi-steps",
        "by the residual",
        _by_residual,
        bait="corrects by the residual, which has the diagonal's terms, too",
    ),
]

WRONG += [
    wrong("jacobi-steps", "Gauss and Seidel", _gauss_seidel, "uses new elements at once"),
    wrong("jacobi-steps", "three steps", lambda A, b: _by_residual(A, b, 3), "one step more"),
    wrong(
        "jacobi-steps",
        "converged",
        lambda A, b: np.linalg.solve(A, b),
        "the limit for the second iterate",
    ),
    wrong(
        "jacobi-steps",
        "columns",
        lambda A, b: _by_residual(A.T, b),
        "takes columns for rows",
    ),
]
