"""Measuring functions: against mpmath, with planted errors, and the committed table again."""

import json
import math

import mpmath
import numpy as np
import pytest
import torch

from verimath import ulp
from verimath.arithmetic.functions import measurements
from verimath.cli import main
from verimath.dtypes import DTYPES, every_number, largest, least_subnormal
from verimath.errors import UsageError
from verimath.ulp import FUNCTIONS, Elementary, conditions_of, exact_values, measure, sample

MPMATH = {
    "exp2": lambda x: mpmath.power(2, x),
    "log2": lambda x: mpmath.log(x, 2),
    "log10": lambda x: mpmath.log(x, 10),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
}
MODERATE = {"exp", "exp2", "expm1", "sinh", "cosh", "sigmoid", "erfc", "tanh"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_exact_values_are_mpmaths(name):
    function = FUNCTIONS[name]
    arguments = sample(function, "float64", 400)
    arguments = arguments[np.abs(arguments) < 700] if name in MODERATE else arguments
    exact = exact_values(function, arguments[:: max(len(arguments) // 60, 1)], "float64")
    assert exact.arguments.size > 20
    with mpmath.workprec(2400):
        for x, head, tail in zip(exact.arguments, exact.head, exact.tail, strict=True):
            want = MPMATH.get(name, getattr(mpmath, name, None))(mpmath.mpf(float(x)))
            off = abs(mpmath.mpf(head) + mpmath.mpf(tail) - want)
            assert off <= abs(want) * mpmath.mpf(2) ** -98 + mpmath.mpf(2) ** -1074


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_sample_covers_every_binary_order_and_is_the_same_every_time(dtype):
    function = FUNCTIONS["sin"]
    found = sample(function, dtype, 40_000)
    np.testing.assert_array_equal(found, sample(function, dtype, 40_000))
    assert found.dtype == dtype
    assert len(np.unique(found)) == len(found) > 20_000
    least, greatest = math.log2(least_subnormal(dtype)), math.log2(largest(dtype))
    for sign in (1, -1):
        mine = found[sign * found > 0].astype(float)
        orders = set(np.frexp(np.abs(mine))[1].tolist())
        assert orders >= set(range(int(least) + 3, int(greatest)))
    assert np.isin(np.array([math.pi, -math.pi / 2]).astype(dtype), found).all()


def test_a_sample_stays_in_the_domain():
    assert (sample(FUNCTIONS["log"], "float32", 4000) >= 0).all()
    assert (np.abs(sample(FUNCTIONS["asin"], "float64", 4000)) <= 1).all()


def shifted(ulps, where=lambda x: np.isfinite(x)):
    """exp in float32, a number of ulp too large at some arguments."""

    def planted(x):
        with np.errstate(all="ignore"):
            right = np.exp(x.astype(np.float64)).astype(np.float32)
        bits = right.view(np.int32) + np.where(where(x), ulps, 0).astype(np.int32)
        return bits.view(np.float32)

    return planted


def worst(monkeypatch, planted, dtype="float32"):
    monkeypatch.setattr(np, "planted", planted, raising=False)
    function = Elementary("planted", None, FUNCTIONS["exp"].ball, near=(0.0, 88.7))
    monkeypatch.setitem(FUNCTIONS, "planted", function)
    found = measure(["numpy"], names=["planted"], dtypes=[dtype], points=4000)
    return found["numpy"]["planted"][dtype]


def test_a_correctly_rounded_function_is_within_one_roundoff(monkeypatch):
    found = worst(monkeypatch, shifted(0))
    assert 0.45 < found.ulp <= 0.5000001
    assert 0.9 < found.roundoffs <= 1
    assert (found.absolute, found.reach, found.exhaustive) == (0.0, None, False)


def test_an_error_of_three_ulp_is_seen(monkeypatch):
    found = worst(monkeypatch, shifted(3))
    assert 3.4 < found.ulp <= 7  # just below one an ulp is half as large
    assert 3.4 < found.roundoffs <= 7


def test_an_error_in_strided_arrays_alone_is_seen(monkeypatch):
    def planted(x):
        return shifted(2 if x.strides[0] > x.itemsize else 0)(x)

    assert worst(monkeypatch, planted).ulp > 2


def test_an_error_in_short_arrays_alone_is_seen(monkeypatch):
    assert worst(monkeypatch, lambda x: shifted(2 if len(x) < 8 else 0)(x)).ulp > 2


def test_a_broken_promise_becomes_an_absolute_part(monkeypatch):
    def planted(x):
        return np.where(x < -80, np.float32(0), shifted(0)(x))

    found = worst(monkeypatch, planted)
    assert found.roundoffs <= 8
    assert math.exp(-80) / 10 < found.absolute <= math.exp(-80)
    assert found.ulp > 1e5


def test_an_early_overflow_becomes_the_reach(monkeypatch):
    def planted(x):
        return np.where(x > 88, np.float32(np.inf), shifted(0)(x))

    found = worst(monkeypatch, planted)
    assert math.exp(88) < found.reach < 1.5 * math.exp(88)
    assert found.roundoffs <= 1


def test_a_half_function_is_measured_over_every_number(monkeypatch):
    def planted(x):
        right = np.exp(x.astype(np.float64)).astype(np.float16)
        return np.where(x == np.float16(1.5), np.nextafter(right, np.float16(9)), right)

    with np.errstate(all="ignore"):
        found = worst(monkeypatch, planted, "float16")
        count = np.sum(np.exp(every_number("float16").astype(float)) < 65280)
    assert (found.exhaustive, found.at) == (True, 1.5)
    assert 0.5 < found.ulp < 1.5
    assert found.points == count


def test_a_slice_of_the_committed_table_again():
    """Numbers that can't be met again were measured elsewhere or are made up."""
    checked = 0
    for entry in measurements():
        library, names = entry["library"], ["exp", "log", "tanh", "sqrt"]
        if library == "torch-cuda" or entry["conditions"] != conditions_of(library):
            continue
        again = measure([library], names=names, points=20_000)[library]
        for name in names:
            for dtype, found in again[name].items():
                written = entry["functions"][name][dtype]
                assert found.roundoffs <= written["roundoffs"]
                checked += 1
                if found.exhaustive:
                    assert written["roundoffs"] - found.roundoffs <= 1e-4
                    assert written["points"] == found.points
                else:
                    assert found.roundoffs >= 0.6 * written["roundoffs"]
    if not checked:
        pytest.skip("this machine is none of those that the table was measured on")


def test_every_function_of_formulas_is_measured():
    from verimath.formula.operations import FUNCTIONS as names

    exact = {"negative", "abs", "sign"}
    assert set(names) - exact <= set(FUNCTIONS)


def test_a_function_that_nobody_knows():
    with pytest.raises(UsageError, match="no function is called 'gamma'; known: exp, "):
        measure(["numpy"], names=["gamma"])


def test_the_command_prints_and_merges(tmp_path, capsys):
    out = tmp_path / "ulp.json"
    assert main(["ulp", "tanh", "--points", "200", "--library", "numpy", "-o", str(out)]) == 0
    first = json.loads(out.read_text())["measurements"]
    assert main(["ulp", "exp", "--points", "200", "-o", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "torch-cpu\n  exp " in shown
    found = {m["library"]: m for m in json.loads(out.read_text())["measurements"]}
    assert set(found) >= {"numpy", "torch-cpu"}
    assert set(found["numpy"]["functions"]) == {"tanh", "exp"}
    assert found["numpy"]["functions"]["tanh"] == first[0]["functions"]["tanh"]
    assert set(found["torch-cpu"]["functions"]["exp"]) == set(DTYPES)
    assert main(["ulp", "--library", "jax"]) == 2
    assert main(["ulp", "--points", "0"]) == 2
    assert main(["ulp", "gamma"]) == 2


def test_float32_blocks_are_all_numbers_once():
    seen, total = [], 0
    for block in ulp._blocks():
        total += len(block)
        seen.append(float(block[0]) if len(block) else None)
        if len(seen) == 3:
            break
    assert total == 3 * 2**22
    assert seen[0] == 0.0
    assert seen == sorted(seen)


def test_torch_is_measured_in_the_layout_it_is_given():
    way = ulp.evaluator("torch-cpu", FUNCTIONS["exp"], "bfloat16")
    x = np.array([0.5, 0.5, 1.0, 1.0], np.float32)[::2]
    want = torch.exp(torch.tensor([0.5, 1.0], dtype=torch.bfloat16)).double().numpy()
    np.testing.assert_array_equal(way(x), want)
