"""What holds at every depth: recurrences that stay related, proved by induction."""

from typing import Any

from array_api_compat import array_namespace

from verimath import Claim, Domain, induction, invertible, reals


def _identity(x: Any, n: Any) -> Any:
    return array_namespace(x).eye(n, dtype=x.dtype, device=x.device)


def _transposed(x: Any) -> Any:
    return array_namespace(x).matrix_transpose(x)


def _inverse(x: Any) -> Any:
    return array_namespace(x).linalg.inv(x)


def _solved(a: Any, b: Any) -> Any:
    return array_namespace(a).linalg.solve(a, b)


def _pair(start: Any, step: Any) -> Any:
    """A mutant: another right side of the start and of the step."""
    return lambda state, *inputs: (start(state, *inputs), step(state, *inputs))


collapse_at_every_depth = Claim(
    id="mlp-collapse",
    title="Without biases and activations an MLP of any depth is one matrix product",
    source="lecture, L-72",
    domain=Domain(M=reals("d a"), X=reals("n d"), W=reals("a b")),
    statement=induction(
        left=(lambda X, W: X, lambda H, X, W: H @ W),
        right=(lambda X, W: _identity(X, X.shape[1]), lambda M, X, W: M @ W),
        relation=lambda M, X, W: X @ M,
    ),
    mutants={
        "one layer too many": _pair(lambda M, X, W: X, lambda M, X, W: 2 * (X @ (M @ W))),
        "a bias on the way": _pair(lambda M, X, W: X, lambda M, X, W: X @ (M @ W) + 1),
    },
)

transpose_of_many = Claim(
    id="transpose-of-many-factors",
    title="The transpose of a product of any number of factors is that of the transposes, reversed",
    source="Horn and Johnson, Matrix Analysis, 2nd ed., section 0.2.5",
    domain=Domain(M=reals("d a"), W=reals("a b"), X=reals("d d")),
    statement=induction(
        left=(lambda W, X: _identity(X, X.shape[0]), lambda H, W, X: _transposed(W) @ H),
        right=(lambda W, X: _identity(X, X.shape[0]), lambda M, W, X: M @ W),
        relation=lambda M, W, X: _transposed(M),
    ),
    mutants={
        "twice the last factor": _pair(
            lambda M, W, X: _identity(X, X.shape[0]), lambda M, W, X: 2 * _transposed(M @ W)
        ),
    },
)

inverse_of_many = Claim(
    id="inverse-of-many-factors",
    title="The inverse of a product of any number of factors is that of the inverses, reversed",
    source="Horn and Johnson, Matrix Analysis, 2nd ed., section 0.5",
    domain=Domain(M=invertible("n n"), W=invertible("n n")),
    statement=induction(
        left=(lambda W: _identity(W, W.shape[0]), lambda H, W: _inverse(W) @ H),
        right=(lambda W: _identity(W, W.shape[0]), lambda M, W: M @ W),
        relation=lambda M, W: _inverse(M),
    ),
    mutants={
        "in the same order": _pair(
            lambda M, W: _identity(W, W.shape[0]), lambda M, W: _inverse(M) @ _inverse(W)
        ),
        "the product itself": _pair(lambda M, W: _identity(W, W.shape[0]), lambda M, W: M @ W),
    },
)

determinant_of_many = Claim(
    id="determinant-of-many-factors",
    title="The determinant of a product of any number of factors is the product of theirs",
    source="Horn and Johnson, Matrix Analysis, 2nd ed., section 0.3.5",
    domain=Domain(M=reals("n n"), W=reals("n n")),
    statement=induction(
        left=(
            lambda W: array_namespace(W).linalg.det(_identity(W, W.shape[0])),
            lambda d, W: d * array_namespace(W).linalg.det(W),
        ),
        right=(lambda W: _identity(W, W.shape[0]), lambda M, W: M @ W),
        relation=lambda M, W: array_namespace(M).linalg.det(M),
    ),
    mutants={
        "a sum for the product": _pair(
            lambda M, W: array_namespace(W).linalg.det(_identity(W, W.shape[0])),
            lambda M, W: array_namespace(M).linalg.det(M) + array_namespace(W).linalg.det(W),
        ),
    },
)

splitting_error = Claim(
    id="splitting-error-at-every-step",
    title="After any number of steps of S xₖ₊₁ = T xₖ + b the error is (S⁻¹T)ᵏ times the first one",
    source="lecture, L-07 and L-08; Golub and Van Loan, Matrix Computations, section 11.2.3",
    domain=Domain(
        R=reals("n n"), S=invertible("n n"), T=reals("n n"), x=reals("n 1"), first=reals("n 1")
    ),
    statement=induction(
        left=(
            lambda S, T, x, first: first,
            lambda y, S, T, x, first: _solved(S, T @ y + (S - T) @ x),
        ),
        right=(
            lambda S, T, x, first: _identity(S, S.shape[0]),
            lambda R, S, T, x, first: _solved(S, T @ R),
        ),
        relation=lambda R, S, T, x, first: x + R @ (first - x),
    ),
    mutants={
        "the error kept": _pair(
            lambda R, S, T, x, first: first,
            lambda R, S, T, x, first: x + R @ (first - x),
        ),
        "T before the inverse of S": _pair(
            lambda R, S, T, x, first: first,
            lambda R, S, T, x, first: x + T @ _solved(S, R) @ (first - x),
        ),
    },
)

gradient_descent_error = Claim(
    id="gradient-descent-error-at-every-step",
    title="On a quadratic, gradient descent has the error (I - rate A)ᵏ times the first, at any k",
    source="Nocedal and Wright, Numerical Optimization, 2nd ed., section 3.3",
    domain=Domain(
        R=reals("n n"), A=reals("n n"), x=reals("n 1"), first=reals("n 1"), rate=reals("", 0, 1)
    ),
    statement=induction(
        left=(
            lambda A, x, first, rate: first,
            lambda y, A, x, first, rate: y - rate * (A @ (y - x)),
        ),
        right=(
            lambda A, x, first, rate: _identity(A, A.shape[0]),
            lambda R, A, x, first, rate: R - rate * (A @ R),
        ),
        relation=lambda R, A, x, first, rate: x + R @ (first - x),
    ),
    mutants={
        "uphill": _pair(
            lambda R, A, x, first, rate: first,
            lambda R, A, x, first, rate: x + (R + rate * (A @ R)) @ (first - x),
        ),
    },
)
