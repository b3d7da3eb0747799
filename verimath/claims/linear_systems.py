"""Linear systems: the lecture's tour group, solved and iterated."""

from typing import Any

from array_api_compat import array_namespace

from verimath import (
    AtMost,
    Claim,
    Converges,
    Domain,
    Equal,
    diagonally_dominant,
    given,
    numeric,
    reals,
    well_conditioned,
)


def _numbers(x: Any, values: list[Any]) -> Any:
    """A table of numbers beside x: same library, dtype and device."""
    return array_namespace(x).asarray(values, dtype=x.dtype, device=x.device)


def _solved_residual(x: Any) -> Any:
    """inverse(A) (A x - b): zero exactly where x solves the system."""
    A = _numbers(x, [[3, 3.2], [3.5, 3.6]])
    A_inverse = _numbers(x, [[-9, 8], [8.75, -7.5]])
    b = _numbers(x, [118.4, 135.2])
    return A_inverse @ (A @ x - b)


def _distance(x: Any) -> Any:
    return x - _numbers(x, [16, 22])


def _by_substitution(x: Any) -> Any:
    children, adults = x[..., :1], x[..., 1:]
    trains = 3 * children + 3.2 * adults - 118.4
    buses = 3.5 * children + 3.6 * adults - 135.2
    xp = array_namespace(x)
    return xp.concat([8 * buses - 9 * trains, 8.75 * trains - 7.5 * buses])


tour_group = Claim(
    id="tour-group-solution",
    title="The tour group is 16 children and 22 adults, and nothing else",
    source="lecture, L-03",
    domain=Domain(x=reals("2")),
    statement=Equal(left=_solved_residual, right=_distance),
    routes=[numeric("by substitution", _by_substitution)],
    mutants={
        "children and adults swapped": lambda x: x - _numbers(x, [22, 16]),
        "one adult more": lambda x: x - _numbers(x, [16, 23]),
    },
)


# --- which side the inverse stands on ---------------------------------------------------------


def _inverse(A: Any) -> Any:
    return array_namespace(A).linalg.inv(A)


solution_by_inverse = Claim(
    id="solution-by-inverse",
    title="The solution of Ax = b is A⁻¹b",
    source="lecture, L-06, repaired",
    domain=Domain(A=well_conditioned("n n"), x=reals("n", -8, 8)),
    statement=Equal(left=lambda A, x: x, right=lambda A, x: _inverse(A) @ (A @ x)),
    routes=[numeric("by solving", lambda A, x: array_namespace(A).linalg.solve(A, A @ x))],
    assume=["A has an inverse"],
    mutants={
        "the inverse on the right": lambda A, x: (A @ x) @ _inverse(A),
        "A for its inverse": lambda A, x: A @ (A @ x),
        "element by element": lambda A, x: (A @ x) / array_namespace(A).linalg.diagonal(A),
        "the transpose for the inverse": lambda A, x: A.T @ (A @ x),
    },
)


def _inverse_on_the_right(x: Any) -> Any:
    A = _numbers(x, [[3, 3.2], [3.5, 3.6]])
    A_inverse = _numbers(x, [[-9, 8], [8.75, -7.5]])
    return (A @ x) @ A_inverse


inverse_on_the_right = Claim(
    id="solution-by-inverse-on-the-right",
    title="The solution of the tour group's Ax = b is bA⁻¹",
    source="lecture, L-06",
    domain=Domain(x=reals("2")),
    statement=Equal(left=lambda x: x, right=_inverse_on_the_right),
    expected="refuted",
    repaired="solution-by-inverse",
)


# --- Jacobi's iteration on it -----------------------------------------------------------------


def _error_after_two_steps(e: Any) -> Any:
    """Jacobi's error, which each step multiplies by I - D⁻¹A."""
    M = _numbers(e, [[0, -3.2 / 3], [-3.5 / 3.6, 0]])
    return M @ (M @ e)


jacobi_diverges = Claim(
    id="tour-group-jacobi-error",
    title="Two of Jacobi's steps multiply the tour group's error by 28/27: they diverge",
    source="lecture, L-08, repaired",
    domain=Domain(e=reals("2")),
    statement=Equal(left=_error_after_two_steps, right=lambda e: 28 / 27 * e),
    mutants={
        "27/28: they converge": lambda e: 27 / 28 * e,
        "one step's root": lambda e: 28**0.5 / 27**0.5 * e,
        "the elements swapped": lambda e: array_namespace(e).flip(28 / 27 * e),
        "exactly one: it stays": lambda e: 1 * e,
    },
)

jacobi_converges = Claim(
    id="tour-group-jacobi-converges",
    title="Jacobi's steps on the tour group's system make no error of at most one larger",
    source="lecture, L-08",
    domain=Domain(e=reals("2", -1, 1)),
    statement=AtMost(of=_error_after_two_steps, bound=1),
    expected="refuted",
    repaired="tour-group-jacobi-error",
)


# --- when it converges ------------------------------------------------------------------------


def _solution(A: Any, b: Any, x: Any) -> Any:
    return array_namespace(A).linalg.solve(A, b)


def _eye(A: Any) -> Any:
    return array_namespace(A).eye(A.shape[0], dtype=A.dtype, device=A.device)


def _diagonal(A: Any) -> Any:
    return array_namespace(A).linalg.diagonal(A)


def _jacobi(A: Any, b: Any, x: Any) -> Any:
    S = _eye(A) * _diagonal(A)
    return (b - (A - S) @ x) / _diagonal(A)


def _jacobi_factor(A: Any, b: Any, x: Any) -> Any:
    """The largest sum of a row beside the diagonal, in units of the diagonal."""
    xp, d = array_namespace(A), array_namespace(A).abs(_diagonal(A))
    return xp.max((xp.sum(xp.abs(A), axis=1) - d) / d)


jacobi_on_dominant = Claim(
    id="jacobi-converges",
    title="Jacobi's iteration tends to the solution if each row's diagonal outweighs the rest",
    source="Saad, Iterative Methods for Sparse Linear Systems, 2nd ed. (2003), theorem 4.9; "
    "lecture, L-08, repaired",
    domain=Domain(A=diagonally_dominant("n n"), b=reals("n", -8, 8), x=reals("n", -8, 8)),
    statement=Converges(step=_jacobi, of="x", to=_solution, factor=_jacobi_factor),
    assume=["each element of the diagonal outweighs the rest of its row"],
    mutants={
        "T's sign": lambda A, b, x: _solution(2 * _eye(A) * _diagonal(A) - A, b, x),
        "not divided by the diagonal": lambda A, b, x: _solution(
            A - _eye(A) * _diagonal(A) + _eye(A), b, x
        ),
        "one step alone": _jacobi,
        "the transposed system's solution": lambda A, b, x: _solution(A.T, b, x),
    },
)

jacobi_on_the_tour_group = Claim(
    id="tour-group-jacobi-iterates",
    title="Jacobi's iteration tends to the solution of the tour group's system, as of any",
    source="lecture, L-08",
    domain=Domain(A=given([[3, 3.2], [3.5, 3.6]]), b=reals("2", -200, 200), x=reals("2", -50, 50)),
    statement=Converges(step=_jacobi, of="x", to=_solution, factor=_jacobi_factor),
    expected="refuted",
    repaired="jacobi-converges",
)
