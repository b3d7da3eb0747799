"""Formats of backends follow the settings as they are; what a candidate sets doesn't stay."""

import contextlib

import numpy as np
import pytest
import torch

from verimath import Claim, Domain, Equal, Status, check, numeric, reals
from verimath.arithmetic.formats import FORMATS
from verimath.arithmetic.functions import flushes, own_float64
from verimath.arithmetic.rounding import evaluate
from verimath.backends import get_backend
from verimath.backends.torch_settings import format_on, product_precision, settings
from verimath.dtypes import least_normal
from verimath.formula import operations as op
from verimath.formula.graph import Formula
from verimath.shapes import Size

V, W = op.input_("v", (Size.of("n"),)), op.input_("w", (Size.of("n"),))
DOT = Formula("dot", {"v": V, "w": W}, (op.matmul(V, W),), {})


def bound(format_, v, w, formula=DOT):
    batch = {"v": np.asarray(v, float)[None], "w": np.asarray(w, float)[None]}
    (found,) = evaluate(formula, batch, {"n": len(v)}, dtypes=(format_,))
    return float(found.bounds[format_.name][0])


@contextlib.contextmanager
def set_to(owner, name, value):
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextlib.contextmanager
def flushing():
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def test_tf32_widens_float32_products_alone():
    cuda = torch.backends.cuda.matmul
    assert product_precision("cuda") == "ieee"
    narrow = format_on("cuda", "float32")
    with set_to(cuda, "allow_tf32", True):
        assert product_precision("cuda") == "tf32"
        wide = format_on("cuda", "float32")
        assert settings("cuda")["float32 matrix products"] == "factors read as tf32"
        assert format_on("cuda", "float64") == format_on("cuda", "float64").in_itself
        assert format_on("cpu", "float32").factor_roundoff == 0
    v = np.linspace(1, 2, 16)
    assert 2.0**-9 * v @ v <= bound(wide, v, v) <= 2.0**-8.9 * v @ v
    assert bound(narrow, v, v) < 2.0**-18 * v @ v
    total = Formula("sum", {"v": V, "w": W}, (op.sum_(op.multiply(V, W), [0]),), {})
    assert bound(wide, v, v, total) == bound(narrow, v, v, total)


def test_tf32_of_shortened_factors_is_within_the_bound():
    """A tensor core may cut 13 bits off every factor."""
    with set_to(torch.backends.cuda.matmul, "allow_tf32", True):
        wide = format_on("cuda", "float32")
    generator = np.random.default_rng(0)
    for _ in range(50):
        v, w = generator.normal(size=(2, 33)).astype(np.float32)
        cut = [(x.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32) for x in (v, w)]
        got = float(np.float32(cut[0].astype(float) @ cut[1].astype(float)))
        assert abs(got - v.astype(float) @ w.astype(float)) <= bound(wide, v, w)


def test_the_new_interface_alone_is_read():
    own = torch.backends.cuda.matmul
    if not hasattr(own, "fp32_precision"):
        pytest.skip("torch 2.9 has it")
    with set_to(own, "fp32_precision", "tf32"):
        assert format_on("cuda", "float32").factor_roundoff == 2.0**-10
    assert format_on("cuda", "float32").factor_roundoff == 0


@pytest.mark.parametrize(("dtype", "short"), [("float16", "fp16"), ("bfloat16", "bf16")])
def test_reduced_precision_reductions_take_the_accumulator_away(dtype, short):
    own, name = torch.backends.cuda.matmul, f"allow_{short}_reduced_precision_reduction"
    with set_to(own, name, False):
        assert format_on("cuda", dtype).accumulator(2).name == "float32"
        assert settings("cuda")[f"{dtype} matrix products"] == "summed in float32"
    with set_to(own, name, True):
        allowed = format_on("cuda", dtype)
        assert allowed.accumulator(2) is allowed
        assert allowed.accumulator(1).name == "float32"


def test_a_tensor_core_truncates():
    with set_to(torch.backends.cuda.matmul, "allow_fp16_reduced_precision_reduction", False):
        assert format_on("cuda", "float16").accumulator(2).roundoff == 2.0**-22


# --- flushed subnormal numbers ---


def test_flushing_is_measured_and_widens_by_the_least_normal_number():
    for name, dtype in (("numpy", "float32"), ("torch-cpu", "float32"), ("numpy", "float64")):
        kept = get_backend(name).format(dtype)
        with flushing():
            assert flushes()
            flushed = get_backend(name).format(dtype)
            assert get_backend(name).settings()["subnormal numbers"] == "flushed to zero"
            assert not own_float64().subnormals
        assert kept.subnormals
        assert not flushed.subnormals
        assert flushed.underflow == least_normal(dtype) > kept.underflow
    assert get_backend("torch-cpu").settings()["subnormal numbers"] == "kept"


def test_products_of_flushed_factors_keep_the_bound():
    tiny, large = 1e-39, 1e38
    with flushing():
        format_ = get_backend("torch-cpu").format("float32")
        v, w = (torch.full((8,), x, dtype=torch.float64).float() for x in (tiny, large))
        got = float((v * w).sum())
    assert got == 0
    total = Formula("sum", {"v": V, "w": W}, (op.sum_(op.multiply(V, W), [0]),), {})
    for formula in (DOT, total):
        wide = bound(format_, np.full(8, np.float32(tiny)), np.full(8, np.float32(large)), formula)
        assert wide >= 8 * 0.1 * 0.99
    plain = FORMATS["float32"]
    assert bound(plain, np.full(8, np.float32(tiny)), np.full(8, np.float32(large))) < 1e-4


def test_what_a_candidate_sets_does_not_reach_other_routes():
    twice = Claim(
        id="twice",
        title="x + x is 2x",
        source="here",
        domain=Domain(x=reals("n")),
        statement=Equal(left=lambda x: x + x, right=lambda x: 2 * x),
    )

    def flushes_and_raises(x):
        torch.set_flush_denormal(True)
        if x.shape[0] == 2:
            raise ValueError("two")
        return 2 * x

    report = check(twice, numeric("flushes", flushes_and_raises, library="torch"), examples=5)
    assert not flushes()
    statuses = {v.status for v in report.claims[0].verdicts if v.route != "flushes"}
    assert statuses == {Status.PASS, Status.SKIPPED}
