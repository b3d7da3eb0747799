"""The table of functions: what a bound takes from it, and only where it was measured."""

import json
import math

import pytest

from verimath.arithmetic import functions
from verimath.arithmetic.formats import FORMATS, FunctionError, documented
from verimath.arithmetic.functions import (
    TABLE,
    assumed,
    error_of,
    measurements,
    numpy_conditions,
    own_float64,
)
from verimath.backends import get_backend
from verimath.dtypes import DTYPES, least_normal
from verimath.formula.operations import FUNCTIONS


def measured(roundoffs, *, exhaustive=False, absolute=0.0, reach=None):
    return {
        "roundoffs": roundoffs, "absolute": absolute, "reach": reach, "exhaustive": exhaustive,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (measured(1.0004, exhaustive=True), FunctionError(1.0004)),
        (measured(9.0, exhaustive=True), FunctionError(9.0)),
        (measured(1.2), FunctionError(2.4)),
        (measured(0.4), FunctionError(2.0)),  # a whole ulp at least
        (measured(5.0), FunctionError(8.0)),  # what is promised is narrower than twice that
        (measured(9.0), FunctionError(18.0)),  # the promise is broken
        (measured(1.0, absolute=1e-9, reach=1e30), FunctionError(2.0, 2e-9, 2.5e29)),
        (measured(1.0, absolute=1e-9, reach=1e30, exhaustive=True), FunctionError(1, 1e-9, 1e30)),
    ],
)
def test_the_margin(found, wanted):
    assert error_of("exp", "float32", found) == wanted


def test_elsewhere_the_documented_width_applies():
    here = numpy_conditions()
    for key in here:
        other = assumed("numpy", "float64", {**here, key: "another"})
        assert other.functions == ()
        assert other.source.startswith("documented (4 ulp, square roots 1 ulp): not measured on")
        assert f"{key} another" in other.source
    assert FORMATS["float64"].function("exp") == FunctionError(8.0)
    assert FORMATS["float32"].function("sqrt") == FunctionError(2.0)


def test_where_it_was_measured_the_table_is_used(monkeypatch):
    table = {
        "library": "numpy",
        "conditions": numpy_conditions(),
        "measured": "2026-01-01",
        "functions": {"exp": {"float64": measured(1.5)}},
    }
    monkeypatch.setattr(functions, "measurements", lambda: (table,))
    found = assumed("numpy", "float64", numpy_conditions())
    assert found.functions == (("exp", FunctionError(3.0)),)
    assert found.source.startswith("measured 2026-01-01 on numpy")
    assert assumed("numpy", "float32", numpy_conditions()).functions == ()
    assert assumed("torch-cpu", "float64", numpy_conditions()).functions == ()


def test_the_committed_table_is_whole():
    assert json.loads(TABLE.read_text())["schema_version"] == 1
    assert {m["library"] for m in measurements()} >= {"numpy", "torch-cpu"}
    for measurement in measurements():
        dtypes = get_backend(measurement["library"]).dtypes
        for name in set(FUNCTIONS) & set(measurement["functions"]):
            by_dtype = measurement["functions"][name]
            assert set(by_dtype) == set(dtypes)
            for dtype, found in by_dtype.items():
                assert found["exhaustive"] >= (dtype in ("float16", "bfloat16"))
                assert found["points"] > 10**4
                promise = documented(name, dtype).roundoffs
                assert 0 <= error_of(name, dtype, found).roundoffs <= promise
        assert "exp" in measurement["functions"]


def test_functions_with_a_bad_tail_have_an_absolute_part_or_a_reach():
    for dtype in DTYPES:
        assert documented("sigmoid", dtype).absolute >= least_normal(dtype)
        assert math.isfinite(documented("sinh", dtype).reach)
        assert documented("exp", dtype) == FunctionError(8.0)


def test_the_oracle_is_numpy_here():
    assert own_float64() == get_backend("numpy").format("float64")
