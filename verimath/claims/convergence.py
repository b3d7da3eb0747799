"""Iterations that converge, each with its limit and the factor by which every step comes closer."""

from typing import Any

from array_api_compat import array_namespace

from verimath import Claim, Converges, Domain, diagonally_dominant, reals

_SAAD = "Saad, Iterative Methods for Sparse Linear Systems, 2nd ed. (2003), "
_SYSTEM = {"A": diagonally_dominant("n n"), "b": reals("n", -8, 8), "x": reals("n", -8, 8)}
_DOMINANT = "each element of the diagonal outweighs the rest of its row"


def _solution(A: Any, b: Any, x: Any) -> Any:
    return array_namespace(A).linalg.solve(A, b)


def _diagonal(A: Any) -> Any:
    return array_namespace(A).linalg.diagonal(A)


def _below(A: Any) -> Any:
    """Row by row, what the elements left of the diagonal add up to in magnitude."""
    xp = array_namespace(A)
    return xp.sum(xp.abs(xp.tril(A)), axis=1) - xp.abs(_diagonal(A))


def _above(A: Any) -> Any:
    """The same right of the diagonal."""
    xp = array_namespace(A)
    return xp.sum(xp.abs(xp.triu(A)), axis=1) - xp.abs(_diagonal(A))


# --- Jacobi, damped -----------------------------------------------------------------------------


def _jacobi_factor(A: Any, b: Any, x: Any) -> Any:
    """The largest sum of a row beside the diagonal, in units of the diagonal."""
    xp, size = array_namespace(A), array_namespace(A).abs(_diagonal(A))
    return xp.max((xp.sum(xp.abs(A), axis=1) - size) / size)


def _damped(A: Any, b: Any, x: Any, w: Any) -> Any:
    return x + w * (b - A @ x) / _diagonal(A)


damped_jacobi_converges = Claim(
    id="damped-jacobi-converges",
    title="Jacobi's iteration by a part ω of each step tends to the solution, too",
    source=_SAAD + "sections 4.1 and 4.2",
    domain=Domain(**_SYSTEM, w=reals("", 0.25, 1)),
    statement=Converges(
        step=_damped,
        of="x",
        to=lambda A, b, x, w: _solution(A, b, x),
        factor=lambda A, b, x, w: 1 - w + w * _jacobi_factor(A, b, x),
    ),
    assume=[_DOMINANT, "0 < ω ≤ 1"],
    mutants={
        "one step alone": _damped,
        "b times ω": lambda A, b, x, w: _solution(A, w * b, x),
        "A times ω": lambda A, b, x, w: _solution(w * A, b, x),
        "b divided by the diagonal alone": lambda A, b, x, w: b / _diagonal(A),
    },
)


# --- Gauss and Seidel -------------------------------------------------------------------------


def _gauss_seidel(A: Any, b: Any, x: Any) -> Any:
    xp = array_namespace(A)
    S = xp.tril(A)
    return xp.linalg.solve(S, b - (A - S) @ x)


def _gauss_seidel_factor(A: Any, b: Any, x: Any) -> Any:
    """The largest u / (|d| - l) with l and u the sums of a row left and right of d."""
    xp = array_namespace(A)
    return xp.max(_above(A) / (xp.abs(_diagonal(A)) - _below(A)))


gauss_seidel_converges = Claim(
    id="gauss-seidel-converges",
    title="Gauss and Seidel's iteration tends to the solution by max u/(|d| - l) at every step",
    source=_SAAD + "theorem 4.9 and its proof",
    domain=Domain(**_SYSTEM),
    statement=Converges(step=_gauss_seidel, of="x", to=_solution, factor=_gauss_seidel_factor),
    assume=[_DOMINANT],
    mutants={
        "one step alone": _gauss_seidel,
        "two steps": lambda A, b, x: _gauss_seidel(A, b, _gauss_seidel(A, b, x)),
        "the transposed system's solution": lambda A, b, x: _solution(A.T, b, x),
        "the lower triangle's solution": lambda A, b, x: _solution(
            array_namespace(A).tril(A), b, x
        ),
    },
)


# --- one number -------------------------------------------------------------------------------


def _newton(a: Any, x: Any) -> Any:
    return (x + a / x) / 2


newton_root_converges = Claim(
    id="newton-square-root-converges",
    title="Newton's iteration for √a halves the error at least, between 1 and 4",
    source="Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. (2002), section 25.1",
    domain=Domain(a=reals("n", 1, 4), x=reals("n", 1, 4)),
    statement=Converges(
        step=_newton,
        of="x",
        to=lambda a, x: array_namespace(a).sqrt(a),
        factor=lambda a, x: array_namespace(a).asarray(0.5, dtype=a.dtype, device=a.device),
    ),
    mutants={
        "one step alone": _newton,
        "two steps": lambda a, x: _newton(a, _newton(a, x)),
        "a for its root": lambda a, x: 1 * a,
        "the root's reciprocal": lambda a, x: 1 / array_namespace(a).sqrt(a),
    },
)


def _kepler(E: Any, e: Any, x: Any) -> Any:
    xp = array_namespace(E)
    mean = E - e * xp.sin(E)
    return mean + e * xp.sin(x)


def _ten_steps(E: Any, e: Any, x: Any) -> Any:
    for _ in range(10):
        x = _kepler(E, e, x)
    return x


kepler_converges = Claim(
    id="kepler-converges",
    title="E₊ = M + e sin E tends to the solution of Kepler's equation, by the factor e",
    source="Ortega and Rheinboldt, Iterative Solution of Nonlinear Equations (1970), section 5.1",
    domain=Domain(E=reals("", -4, 4), e=reals("", 0, 0.9), x=reals("", -6, 6)),
    statement=Converges(
        step=_kepler, of="x", to=lambda E, e, x: 1 * E, factor=lambda E, e, x: 1 * e
    ),
    mutants={
        "one step alone": _kepler,
        "ten steps": _ten_steps,
        "the true anomaly's first term": lambda E, e, x: E + 2 * e * array_namespace(E).sin(E),
        "the mean anomaly": lambda E, e, x: E - e * array_namespace(E).sin(E),
    },
)
