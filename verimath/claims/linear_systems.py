"""Linear systems: the lecture's tour group."""

from typing import Any

from array_api_compat import array_namespace

from verimath import Claim, Domain, Equal, numeric, reals


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
