"""Iterations: splittings of a matrix, their fixed points and how their errors go on."""

from typing import Any

from array_api_compat import array_namespace

from verimath import Claim, Domain, Equal, diagonally_dominant, reals, well_conditioned

_SAAD = "Saad, Iterative Methods for Sparse Linear Systems, 2nd ed. (2003), "
_TAME = -8, 8
_SYSTEM = {"A": diagonally_dominant("n n"), "x": reals("n", *_TAME)}
# At size one there is nothing off the diagonal, and no error is left after a step.
_WITH_ERROR = {
    "A": diagonally_dominant("n+1 n+1"),
    "x": reals("n+1", *_TAME),
    "s": reals("n+1", *_TAME),
}


def _eye(x: Any) -> Any:
    return array_namespace(x).eye(x.shape[0], dtype=x.dtype, device=x.device)


def _solve(S: Any, b: Any) -> Any:
    return array_namespace(S).linalg.solve(S, b)


def _diagonal(A: Any) -> Any:
    return array_namespace(A).linalg.diagonal(A)


def _upper(A: Any) -> Any:
    return array_namespace(A).triu(A, k=1)


def _lower(A: Any) -> Any:
    return array_namespace(A).tril(A, k=-1)


# --- one step, and what is left of an error -----------------------------------------------------


def _jacobi(A: Any, x: Any, b: Any) -> Any:
    d = _diagonal(A)
    rest = A - _eye(A) * d
    return (b - rest @ x) / d


def _jacobi_error(A: Any, e: Any) -> Any:
    d = _diagonal(A)
    return e - (A @ e) / d


def _gauss_seidel(A: Any, x: Any, b: Any) -> Any:
    S = array_namespace(A).tril(A)
    return _solve(S, b - (A - S) @ x)


def _gauss_seidel_error(A: Any, e: Any) -> Any:
    S = array_namespace(A).tril(A)
    return -_solve(S, (A - S) @ e)


jacobi_fixed_point = Claim(
    id="jacobi-fixed-point",
    title="A solution of Ax = b is a fixed point of Jacobi's step",
    source=_SAAD + "section 4.1; lecture, L-07",
    domain=Domain(**_SYSTEM),
    statement=Equal(left=lambda A, x: x, right=lambda A, x: _jacobi(A, x, A @ x)),
    assume=["no element of the diagonal is zero"],
    mutants={
        "a plus in T": lambda A, x: (A @ x + (A - _eye(A) * _diagonal(A)) @ x) / _diagonal(A),
        "the diagonal left in T": lambda A, x: (A @ x - A @ x) / _diagonal(A),
        "A transposed": lambda A, x: _jacobi(A.T, x, A @ x),
        "b not divided": lambda A, x: A @ x - (_jacobi(A, x, 0 * x)),
    },
)

gauss_seidel_fixed_point = Claim(
    id="gauss-seidel-fixed-point",
    title="A solution of Ax = b is a fixed point of Gauss and Seidel's step",
    source=_SAAD + "section 4.1; lecture, L-07",
    domain=Domain(**_SYSTEM),
    statement=Equal(left=lambda A, x: x, right=lambda A, x: _gauss_seidel(A, x, A @ x)),
    assume=["no element of the diagonal is zero"],
    mutants={
        "the upper triangle solved with": lambda A, x: _solve(
            array_namespace(A).triu(A), A @ x - _upper(A) @ x
        ),
        "Jacobi's diagonal": lambda A, x: (A @ x - _upper(A) @ x) / _diagonal(A),
        "a plus": lambda A, x: _solve(array_namespace(A).tril(A), A @ x + _upper(A) @ x),
        "the diagonal moved twice": lambda A, x: _solve(
            array_namespace(A).tril(A), A @ x - array_namespace(A).triu(A) @ x
        ),
    },
)

jacobi_error = Claim(
    id="jacobi-error",
    title="Jacobi's step takes the error e to e - D⁻¹Ae",
    source=_SAAD + "section 4.1",
    domain=Domain(**_WITH_ERROR),
    statement=Equal(
        left=lambda A, x, s: _jacobi(A, x, A @ s) - s,
        right=lambda A, x, s: _jacobi_error(A, x - s),
    ),
    assume=["no element of the diagonal is zero"],
    mutants={
        "the sign": lambda A, x, s: _jacobi_error(A, s - x),
        "Gauss and Seidel's": lambda A, x, s: _gauss_seidel_error(A, x - s),
        "(I - A)e": lambda A, x, s: x - s - A @ (x - s),
        "the transposed matrix": lambda A, x, s: _jacobi_error(A.T, x - s),
    },
)

gauss_seidel_error = Claim(
    id="gauss-seidel-error",
    title="Gauss and Seidel's step takes the error e to -(D + L)⁻¹Ue",
    source=_SAAD + "section 4.1",
    domain=Domain(**_WITH_ERROR),
    statement=Equal(
        left=lambda A, x, s: _gauss_seidel(A, x, A @ s) - s,
        right=lambda A, x, s: _gauss_seidel_error(A, x - s),
    ),
    assume=["no element of the diagonal is zero"],
    mutants={
        "the sign": lambda A, x, s: _gauss_seidel_error(A, s - x),
        "Jacobi's": lambda A, x, s: _jacobi_error(A, x - s),
        "the other order": lambda A, x, s: -_upper(A) @ _solve(array_namespace(A).tril(A), x - s),
        "the lower triangle": lambda A, x, s: (
            -_solve(array_namespace(A).tril(A), _lower(A) @ (x - s))
        ),
    },
)


def _three_steps(A: Any, x: Any, s: Any) -> Any:
    b = A @ s
    for _ in range(3):
        x = _jacobi(A, x, b)
    return x - s


def _power(k: int) -> Any:
    """M^k (x - s) for Jacobi's M = I - D⁻¹A."""

    def error(A: Any, x: Any, s: Any) -> Any:
        M = _eye(A) - A / _diagonal(A)[:, None]
        return array_namespace(A).linalg.matrix_power(M, k) @ (x - s)

    return error


jacobi_three_steps = Claim(
    id="jacobi-error-three-steps",
    title="Three of Jacobi's steps multiply the error by (I - D⁻¹A)³",
    source=_SAAD + "section 4.2",
    domain=Domain(**_WITH_ERROR),
    statement=Equal(left=_three_steps, right=_power(3)),
    assume=["no element of the diagonal is zero"],
    mutants={
        "two steps": _power(2),
        "four steps": _power(4),
        "columns divided for rows": lambda A, x, s: (
            array_namespace(A).linalg.matrix_power(_eye(A) - A / _diagonal(A), 3) @ (x - s)
        ),
        "the powers element by element": lambda A, x, s: (
            (_eye(A) - A / _diagonal(A)[:, None]) ** 3 @ (x - s)
        ),
    },
)


# --- over-relaxation --------------------------------------------------------------------------


def _relaxed(A: Any, w: Any) -> Any:
    """S of the splitting A = S - T: D/ω + L."""
    return _eye(A) * (_diagonal(A) / w) + _lower(A)


def _sor(A: Any, w: Any, x: Any, b: Any) -> Any:
    S = _relaxed(A, w)
    return _solve(S, (S - A) @ x + b)


def _sor_error(A: Any, w: Any, e: Any) -> Any:
    S = _relaxed(A, w)
    return _solve(S, (S - A) @ e)


_RELAXED = {
    "A": diagonally_dominant("n n"),
    "w": reals("", 0.25, 1.75),
    "x": reals("n", *_TAME),
}

sor_fixed_point = Claim(
    id="sor-fixed-point",
    title="A solution of Ax = b is a fixed point of a step of successive over-relaxation",
    source=_SAAD + "section 4.1",
    domain=Domain(**_RELAXED),
    statement=Equal(left=lambda A, w, x: x, right=lambda A, w, x: _sor(A, w, x, A @ x)),
    assume=["no element of the diagonal is zero", "ω is not zero"],
    mutants={
        "T with another ω": lambda A, w, x: _solve(
            _relaxed(A, w), (_relaxed(A, 1 + 0 * w) - A) @ x * 0.5 + A @ x
        ),
        "ω for 1/ω": lambda A, w, x: _solve(_relaxed(A, 1 / w), (_relaxed(A, w) - A) @ x + A @ x),
        "T's sign": lambda A, w, x: _solve(_relaxed(A, w), (A - _relaxed(A, w)) @ x + A @ x),
        "b forgotten": lambda A, w, x: _sor(A, w, x, 0 * x),
    },
)

sor_error = Claim(
    id="sor-error",
    title="A step of successive over-relaxation takes the error e to S⁻¹Te with S = D/ω + L",
    source=_SAAD + "section 4.1",
    domain=Domain(**_RELAXED, s=reals("n", *_TAME)),
    statement=Equal(
        left=lambda A, w, x, s: _sor(A, w, x, A @ s) - s,
        right=lambda A, w, x, s: _sor_error(A, w, x - s),
    ),
    assume=["no element of the diagonal is zero", "ω is not zero"],
    mutants={
        "the sign": lambda A, w, x, s: _sor_error(A, w, s - x),
        "ω = 1: Gauss and Seidel's": lambda A, w, x, s: _gauss_seidel_error(A, x - s),
        "ω for 1/ω": lambda A, w, x, s: _sor_error(A, 1 / w, x - s),
        "the other order": lambda A, w, x, s: (_relaxed(A, w) - A) @ _solve(_relaxed(A, w), x - s),
    },
)


# --- other iterations -------------------------------------------------------------------------

splitting_fixed_point = Claim(
    id="splitting-fixed-point",
    title="With A = S - T a solution of Ax = b is a fixed point of Sx₊ = Tx + b, whatever S",
    source="lecture, L-07",
    domain=Domain(S=well_conditioned("n n"), T=reals("n n", *_TAME), x=reals("n", *_TAME)),
    statement=Equal(left=lambda S, T, x: x, right=lambda S, T, x: _solve(S, T @ x + (S - T) @ x)),
    assume=["S has an inverse"],
    mutants={
        "A = S + T": lambda S, T, x: _solve(S, T @ x + (S + T) @ x),
        "A = T - S": lambda S, T, x: _solve(S, T @ x + (T - S) @ x),
        "T for S": lambda S, T, x: T @ _solve(S, x) + _solve(S, (S - T) @ x),
        "b not divided by S": lambda S, T, x: _solve(S, T @ x) + (S - T) @ x,
    },
)


def _descent(A: Any, x: Any, s: Any, rate: Any) -> Any:
    """A step along the gradient A'(Ax - b) of half of ‖Ax - b‖², with b = As."""
    return x - rate * (A.T @ (A @ x - A @ s)) - s


gradient_descent_error = Claim(
    id="gradient-descent-error",
    title="A gradient step on half of ‖Ax - b‖² takes the error e to (I - ηA'A)e",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), section 4.5",
    domain=Domain(
        A=reals("m n", *_TAME), x=reals("n", *_TAME), s=reals("n", *_TAME), rate=reals("", 0, 1)
    ),
    statement=Equal(
        left=_descent, right=lambda A, x, s, rate: (x - s) - rate * ((A.T @ A) @ (x - s))
    ),
    mutants={
        "uphill": lambda A, x, s, rate: (x - s) + rate * ((A.T @ A) @ (x - s)),
        "2η": lambda A, x, s, rate: (x - s) - 2 * rate * ((A.T @ A) @ (x - s)),
        "the rate divided by m": lambda A, x, s, rate: (
            (x - s) - rate / A.shape[0] * ((A.T @ A) @ (x - s))
        ),
        "the whole step scaled": lambda A, x, s, rate: (1 - rate) * ((A.T @ A) @ (x - s)),
    },
)

newton_square_root = Claim(
    id="newton-square-root-error",
    title="Newton's step for √a takes the error e of x to e²/(2x)",
    source="Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. (2002), section 25.1",
    domain=Domain(x=reals("n", 0.25, 16), a=reals("n", 0.25, 16)),
    statement=Equal(
        left=lambda x, a: (x + a / x) / 2 - array_namespace(a).sqrt(a),
        right=lambda x, a: (x - array_namespace(a).sqrt(a)) ** 2 / (2 * x),
    ),
    mutants={
        "the 2 forgotten": lambda x, a: (x - array_namespace(a).sqrt(a)) ** 2 / x,
        "not squared": lambda x, a: (x - array_namespace(a).sqrt(a)) / (2 * x),
        "√a below": lambda x, a: (
            (x - array_namespace(a).sqrt(a)) ** 2 / (2 * array_namespace(a).sqrt(a))
        ),
        "a for its root": lambda x, a: (x - a) ** 2 / (2 * x),
    },
)

newton_schulz = Claim(
    id="newton-schulz-residual",
    title="Newton and Schulz's step X(2I - AX) squares the residual I - AX",
    source="Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. (2002), section 14.5",
    domain=Domain(A=reals("n n", *_TAME), X=reals("n n", *_TAME)),
    statement=Equal(
        left=lambda A, X: _eye(A) - A @ (X @ (2 * _eye(A) - A @ X)),
        right=lambda A, X: (_eye(A) - A @ X) @ (_eye(A) - A @ X),
    ),
    mutants={
        "element by element": lambda A, X: (_eye(A) - A @ X) ** 2,
        "XA for AX": lambda A, X: (_eye(A) - X @ A) @ (_eye(A) - X @ A),
        "with one transposed": lambda A, X: (_eye(A) - A @ X).T @ (_eye(A) - A @ X),
        "not squared": lambda A, X: _eye(A) - A @ X,
    },
)
