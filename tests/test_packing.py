"""Packed source defines the same function again, from nothing but numpy."""

import functools
import math
import math as arithmetic

import numpy as np
import pytest
from numpy import hypot as length

from verimath.packing import pack

THREE = 3
SCALE = np.float32(0.1)
GRID = np.array([[1, 2], [3, 4]])
NAMES = {"a": (1.5, [True, None]), "b": {2}, "inf": math.inf, "nothing": ()}


def again(function):
    """The function as its packed source defines it in an empty world."""
    source, expression = pack(function)
    scope = {"np": np, "__name__": "script"}
    exec(f"from __future__ import annotations\n{source}", scope)
    return eval(expression, scope)


def plain(x):
    # A comment that survives.
    return THREE * x


def uses_modules(x):
    return arithmetic.sqrt(x) + math.pi + length(3, 4)


def uses_data(x):
    name, (truth, nothing) = NAMES["a"]
    assert truth
    assert nothing is None
    assert NAMES["b"] == {2}
    assert NAMES["inf"] == math.inf
    assert NAMES["nothing"] == ()
    return x * SCALE + GRID.sum() + name


def even(n):
    return True if n == 0 else odd(n - 1)


def odd(n):
    return False if n == 0 else even(n - 1)


def power(x, n=THREE, *, one=GRID):
    return one[0, 0] * x if n == 1 else x * power(x, n - 1)


renamed = plain


def by_another_name(x):
    return renamed(x) + (lambda y: y * THREE)(x)


def twice(function):
    @functools.wraps(function)
    def wrapper(*args):
        return 2 * function(*args)

    return wrapper


@twice
@twice
def decorated(x):
    return x + 1


@functools.cache
def cached(x):
    return x


class Base:
    factor = THREE

    def __init__(self, x):
        self.x = x


class Derived(Base):
    @classmethod
    def make(cls, x):
        return cls(x).value()

    @staticmethod
    def helper(x):
        return plain(x)

    def value(self):
        return self.helper(self.x) * self.factor


def makes_a_class(offset):
    class Local(Base):
        @classmethod
        def make(cls, x):
            return cls(x).x + offset

        def __init__(self, x):
            super().__init__(x)

    return Local


def multi_line(x):
    text = """one
    two"""
    return len(text) * x


@pytest.mark.parametrize(
    "function",
    [
        plain,
        uses_modules,
        uses_data,
        power,
        by_another_name,
        decorated,
        Derived.make,
        makes_a_class(5).make,
        multi_line,
        twice(multi_line),
        lambda x: THREE * x,
        lambda x, n=THREE: n + x,
        even,
        np.sqrt,
        math.exp,
    ],
)
def test_the_same_value(function):
    assert again(function)(4) == function(4)


def test_plain_functions_are_copied_as_they_stand():
    source, name = pack(plain)
    copied = "def plain(x):\n    # A comment that survives.\n    return THREE * x"
    assert source.strip() == f"THREE = 3\n{copied}"
    assert name == "plain"


def test_closures_with_one_name_stay_apart():
    def scaled(function, k):
        def g(x):
            return k * function(x)

        return g

    function = scaled(scaled(plain, 2), 5)
    assert again(function)(1) == 30


def test_a_closure_that_calls_itself():
    def factorial(n):
        return 1 if n < 2 else n * factorial(n - 1)

    assert again(factorial)(5) == 120


def test_a_float_is_exact():
    exact = 0.1 + 0.2
    table = np.array([exact, -0.0, 1e-310])

    def function():
        return table, exact

    found, number = again(function)()
    assert found.tobytes() == table.tobytes()
    assert number == exact


def test_two_lambdas_in_one_line_are_told_apart():
    first, second = (lambda x: x + 1), (lambda x: x + 2)
    assert (again(first)(0), again(second)(0)) == (1, 2)


@pytest.mark.parametrize(
    "function",
    [
        np.frompyfunc(abs, 1, 1),
        iter([]).__next__,
        functools.partial(plain, 1),
        Derived(1).value,
        eval("lambda x: x"),
    ],
)
def test_what_cannot_be_copied_is_refused(function):
    with pytest.raises(ValueError, match=r"\w"):
        pack(function)


def test_a_closure_over_a_live_object_is_refused():
    live = Derived(1)
    with pytest.raises(ValueError, match="live_of_function is a Derived"):
        pack(lambda x: live)


def test_builtins_are_imported():
    assert pack(print) == ("from builtins import print", "print")
