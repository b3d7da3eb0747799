"""Linear systems: the lecture's tour group, solved and iterated."""

from typing import Any

from array_api_compat import array_namespace

from verimath import AtMost, Claim, Domain, Equal, numeric, reals, well_conditioned


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
