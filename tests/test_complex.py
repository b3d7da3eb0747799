"""Complex inputs: drawn by their parts, run as complex arrays, judged by part; right code passes.

The oracles are numpy's and torch's own complex arithmetic, torch's derivatives and mpmath.
"""

import subprocess
import sys

import mpmath
import numpy as np
import pytest
import torch
from array_api_compat import array_namespace
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from verimath import (
    AtMost,
    Claim,
    ClaimError,
    Domain,
    Equal,
    Gradient,
    Hessian,
    Jacobian,
    Status,
    UsageError,
    autograd,
    check,
    complexes,
    induction,
    labels,
    numeric,
    prove,
    reals,
    recheck,
)
from verimath.arithmetic.rounding import evaluate
from verimath.backends import get_backend, select_backends
from verimath.claims import complex_numbers
from verimath.claims_file import claims_of
from verimath.examples import draw_examples
from verimath.formula.forward import push_forward
from verimath.judge import apart
from verimath.layouts import LAYOUTS, arranged
from verimath.pairs import joined, real_numbers
from verimath.reference.evaluate import wanted_by
from verimath.reference.prepare import prepare
from verimath.routes import cells, ways_of
from verimath.routes.execute import execute

xp_of = array_namespace
ONE = Domain(z=complexes("n"))
TWO = Domain(z=complexes("n"), w=complexes("n"))
SYSTEM = Domain(A=complexes("n m"), z=complexes("m"), b=complexes("n"))


def conj(z):
    return xp_of(z).conj(z)


def real(z):
    return xp_of(z).real(z)


def exp(z):
    return xp_of(z).exp(z)


def total(z):
    return xp_of(z).sum(z)


def claim_of(domain, statement, **more):
    return Claim(id="c", title="t", source="s", domain=domain, statement=statement, **more)


def same(domain, function):
    return claim_of(domain, Equal(left=function, right=function))


def residual(A, z, b):
    r = A @ z - b
    return total(real(conj(r) * r))


LEAST_SQUARES = claim_of(
    SYSTEM,
    Gradient(of=residual, wrt="z", equals=lambda A, z, b: 2 * (conj(A).T @ (A @ z - b))),
)


def verdicts(claim, candidate, **options):
    record = check(claim, candidate, **{"backend": "numpy", "examples": 30} | options).claims[0]
    name = getattr(candidate, "name", getattr(candidate, "__name__", None))
    return [v for v in record.verdicts if v.route.startswith(name) and v.status != "skipped"]


def wrong(claim, candidate, **options):
    found = verdicts(claim, candidate, **options)
    return bool(found) and all(v.status in (Status.WRONG, Status.ERROR) for v in found)


# --- pairs ------------------------------------------------------------------------------------

REALS = st.sampled_from(["float64", "float32"]).flatmap(
    lambda dtype: arrays(dtype, (2, 3), elements=st.floats(width=32))
)


@given(REALS)
def test_parts_join_bit_for_bit(array):
    found = joined({"z.re": array, "x": array, "z.im": array[::-1]})
    assert list(found) == ["z", "x"]
    assert found["z"].real.tobytes() == array.tobytes()
    assert found["z"].imag.tobytes() == array[::-1].tobytes()
    numbers = real_numbers(found["z"])
    assert numbers[::2].tobytes() == array.tobytes()


COMPLEX = st.sampled_from(["complex128", "complex64"]).flatmap(
    lambda dtype: arrays(dtype, array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=4))
)


@settings(deadline=None)  # the first call imports torch
@given(COMPLEX, st.sampled_from(LAYOUTS), st.sampled_from(["numpy", "torch-cpu"]), st.booleans())
def test_backends_put_and_fetch_complex_arrays_in_every_layout(array, layout, name, repeated):
    if repeated and array.ndim and array.shape[0]:
        array = np.broadcast_to(array[:1], array.shape).copy()
    assert arranged(array, layout).tobytes() == array.tobytes()
    backend = get_backend(name)
    if layout in backend.layouts:
        found = backend.fetch(backend.put(array, array.dtype.name, layout))
        assert (found.dtype, found.array.tobytes()) == (array.dtype.name, array.tobytes())


def test_signs_of_zeros_in_the_imaginary_part_are_no_repeats():
    array = np.array([complex(1, 0.0), complex(1, -0.0)])
    assert arranged(array, "expanded").strides != (0,)
    assert arranged(array[:1].repeat(2), "expanded").strides == (0,)


# --- domains ----------------------------------------------------------------------------------


def test_a_complex_input_is_two_real_ones():
    domain = Domain(A=complexes("n d", -1, 2), x=reals("d"))
    assert list(domain.inputs) == ["A.re", "A.im", "x"]
    assert dict(domain.arguments) == {"A": ("A.re", "A.im"), "x": ("x",)}
    assert str(domain) == 'A=complexes("n d", -1 to 2), x=reals("d")'
    assert "float16" in domain.lacking("float16")
    assert not domain.lacking("float32")
    with pytest.raises(ClaimError, match="widen"):
        complexes("n", 2, 1)
    with pytest.raises(ClaimError, match="dimension 'c'"):
        Domain(z=complexes("n"), y=labels("n", classes="c"))


def test_parts_are_drawn_with_layouts_and_special_values_of_their_own():
    batches = draw_examples(Domain(z=complexes("n m", -4, 4)), lambda _: True, count=300, entropy=1)
    assert {b.layout for b in batches} == set(LAYOUTS)
    assert {s.input for b in batches for s in b.specials} == {"z.re", "z.im"}
    domain = Domain(z=complexes("n m", -4, 4))
    for batch in batches:
        for array in batch.cast(domain, "float32").values():
            assert np.all(np.abs(array) <= 4)
    re, im = (np.concatenate([b.inputs[n].ravel() for b in batches]) for n in ("z.re", "z.im"))
    assert np.mean(re == im) < 0.5


def test_a_failure_in_one_part_shrinks_to_a_short_literal():
    def off(z):
        return np.where(z.imag > 3, z + 1j, z)

    for verdict in verdicts(same(ONE, lambda z: z + 0), off):
        found = verdict.counterexample
        assert verdict.status is Status.WRONG
        assert [(a.dtype, a.text) for a in found.inputs] in (
            [("complex128", "[0+4j]")],
            [("complex64", "[0+4j]")],
        )
        assert found.output == "imaginary part of the result"
        assert (found.got, found.want) == (5, 4)


def test_narrow_dtypes_are_skipped_with_the_reason():
    record = check(same(ONE, lambda z: z * z), backend=["numpy", "torch-cpu"], examples=5).claims[0]
    skipped = {v.dtype: v.reason for v in record.verdicts if v.status is Status.SKIPPED}
    assert set(skipped) == {"float16", "bfloat16"}
    assert "complex64 and complex128" in skipped["float16"]
    assert record.outcome == "as_expected"


# --- formulas ---------------------------------------------------------------------------------

# Name, function of arrays, the same of mpmath's numbers (None: not elementwise).
ELEMENTWISE = [
    ("product", lambda z, w: z * w, lambda z, w: z * w),
    ("quotient", lambda z, w: z / w, lambda z, w: z / w),
    ("reciprocal", lambda z, w: 2 / w, lambda z, w: 2 / w),
    ("real over complex", lambda z, w: real(z) / w, lambda z, w: z.real / w),
    ("complex over real", lambda z, w: z / real(w), lambda z, w: z / w.real),
    ("by a number", lambda z, w: z / 3 - w, lambda z, w: z / 3 - w),
    ("literals", lambda z, w: (2 - 1j) * z + 1j * w - 3j, lambda z, w: (2 - 1j) * z + 1j * w - 3j),
    ("real and literal", lambda z, w: 1j * real(z) - 1, lambda z, w: 1j * z.real - 1),
    ("square", lambda z, w: z**2 + w, lambda z, w: z**2 + w),
    ("cube", lambda z, w: z**3 - w, lambda z, w: z**3 - w),
    ("magnitude", lambda z, w: abs(z) * w, lambda z, w: abs(z) * w),
    ("squared magnitude", lambda z, w: conj(z) * z + w, lambda z, w: z.conjugate() * z + w),
    ("exponential", lambda z, w: exp(z) - exp(w), lambda z, w: mpmath.exp(z) - mpmath.exp(w)),
    ("parts", lambda z, w: real(z) * w + xp_of(z).imag(w), lambda z, w: z.real * w + w.imag),
    (
        "choice",
        lambda z, w: xp_of(z).where(real(z) < real(w), z, 2 * w),
        lambda z, w: z if z.real < w.real else 2 * w,
    ),
]
SMALL = st.floats(-8, 8, width=32).map(lambda x: float(np.float32(x)))
PAIRS = st.lists(st.tuples(SMALL, SMALL, SMALL, SMALL), min_size=1, max_size=4)
DATA_CELLS = ("numpy", "torch-cpu")


@pytest.mark.parametrize(("name", "function", "exact"), ELEMENTWISE)
@settings(deadline=None, max_examples=25)
@given(rows=PAIRS)
def test_a_formula_is_what_mpmath_says(name, function, exact, rows):
    prepared = prepare(same(TWO, function), {})
    columns = np.array(rows).T
    names = ("z.re", "z.im", "w.re", "w.im")
    inputs = {key: column[None] for key, column in zip(names, columns, strict=True)}
    found = evaluate(prepared.reference, inputs, {"n": len(rows)})
    pairs = prepared.pairs() or (False,)
    assert len(found) == sum(2 if pair else 1 for pair in pairs)
    with mpmath.workprec(400):
        for k, (a, b, c, d) in enumerate(rows):
            try:
                want = mpmath.mpc(exact(mpmath.mpc(a, b), mpmath.mpc(c, d)))
            except ZeroDivisionError:
                continue
            for part, number in zip(found, (want.real, want.imag), strict=False):
                if np.isfinite(part.error[0, k % part.error.shape[1]]):
                    error = np.broadcast_to(part.error, part.value.shape)[0, k]
                    assert abs(mpmath.mpf(part.value[0, k]) - number) <= error, name


# Name, domain, function: what it does to whole arrays, held against numpy and torch themselves.
WHOLE = [
    ("matmul", SYSTEM, lambda A, z, b: A @ z - b),
    ("real matmul", Domain(A=reals("n m"), z=complexes("m")), lambda A, z: (A + 0j) @ z),
    ("adjoint", SYSTEM, lambda A, z, b: conj(A).T @ b),
    ("mean", SYSTEM, lambda A, z, b: xp_of(A).mean(A, axis=0)),
    ("sum", SYSTEM, lambda A, z, b: xp_of(A).sum(A, axis=1, keepdims=True)),
    ("index", SYSTEM, lambda A, z, b: A[:, 0:1] * b[:, None]),
    ("moved", SYSTEM, lambda A, z, b: xp_of(A).permute_dims(A[None, ...], (2, 0, 1))),
    ("concatenated", SYSTEM, lambda A, z, b: xp_of(z).concat([z, b])),
    ("stacked with reals", ONE, lambda z: xp_of(z).stack([z, 2 * z])),
    ("trace", Domain(A=complexes("n n")), lambda A: xp_of(A).linalg.trace(A)),
    ("outer", TWO, lambda z, w: xp_of(z).linalg.outer(z, w)),
    ("vecdot", TWO, lambda z, w: xp_of(z).vecdot(z, w)),
    ("tensordot", SYSTEM, lambda A, z, b: xp_of(A).tensordot(A, z, axes=1)),
    ("real only", Domain(x=reals("n"), z=complexes("n")), lambda x, z: xp_of(z).cos(x) * z),
]


@pytest.mark.parametrize(("name", "domain", "function"), WHOLE)
def test_functions_of_arrays_do_what_the_libraries_do(name, domain, function):
    record = check(same(domain, function), backend=["numpy", "torch-cpu"], examples=30).claims[0]
    ran = [v for v in record.verdicts if v.status is not Status.SKIPPED and v.route != "sympy"]
    assert {v.status for v in ran} == {Status.PASS}, (name, [(v.backend, v.reason) for v in ran])
    assert len(ran) == 8


def test_complex_numbers_are_equal_in_both_parts():
    def function(z, w):
        xp = xp_of(z)
        return xp.where(z == w, z, 2 * w), xp.where(z != w, real(z), abs(w) + 1)

    prepared = prepare(same(TWO, function), {})
    numbers = np.array([0, 1, 1j, 1 + 1j, 1 - 1j])
    z, w = (x.ravel() for x in np.meshgrid(numbers, numbers))
    inputs = {"z.re": z.real, "z.im": z.imag, "w.re": w.real, "w.im": w.imag}
    found = evaluate(prepared.reference, {k: x[None] for k, x in inputs.items()}, {"n": 25})
    re, im, other = (each.value[0] for each in found)
    want = function(z, w)
    assert prepared.pairs() == (True, False)
    np.testing.assert_array_equal(re + 1j * im, want[0])
    np.testing.assert_allclose(other, want[1], rtol=1e-15)


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (lambda z, w: xp_of(z).sin(z), "there are"),
        (lambda z, w: xp_of(z).where(z < w, z, w), "operator"),
        (lambda z, w: z**4, "exponent 4"),
        (lambda z, w: z**0.5, "exponent 0.5"),
        (lambda z, w: real(real(z)), "of real numbers"),
        (lambda z, w: z.real, "xp.real"),
        (lambda z, w: z.conj(), "xp.conj"),
        (lambda z, w: 1 if z == w else 2, "branch"),
        (lambda z, w: z[abs(z) < 1], "by integers"),
        (lambda z, w: real(z) @ w, "as in"),
        (lambda z, w: xp_of(z).max(z), "there are"),
        (lambda z, w: np.conj(z), "can't take part"),
        (lambda z, w: xp_of(z).maximum(z, w), "there are"),
        (lambda z, w: sum(z), "iterate"),
        (lambda z, w: float(z), "holds no number"),
        (lambda z, w: z / 2j, "reciprocal"),
        (lambda z, w: 2j, "returned a complex"),
    ],
)
def test_what_is_not_there_is_refused_in_words(function, what):
    with pytest.raises(ClaimError, match=what):
        prepare(same(TWO, function), {})


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (lambda: Jacobian(of=lambda z, w: abs(z), wrt="z", equals=abs), "z is complex"),
        (lambda: Hessian(of=lambda z, w: total(abs(z)), wrt="w", equals=abs), "w is complex"),
        (lambda: Gradient(of=lambda z, w: abs(z), wrt="z.re", equals=abs), "the inputs are z, w"),
        (lambda: Gradient(of=lambda z, w: total(z), wrt="z", equals=abs), "is complex; a gradient"),
        (
            lambda: Gradient(of=lambda z, w: total(abs(z)), wrt="z", equals=lambda z, w: abs(z)),
            "is complex, but the closed form .* is real",
        ),
        (lambda: AtMost(of=lambda z, w: z, bound=1.0), "wanted its abs"),
        (
            lambda: Equal(left=lambda z, w: conj(z) * z, right=lambda z, w: abs(z) ** 2),
            "is complex, but the right side .* is real",
        ),
        (
            lambda: induction(
                left=(lambda w: w, lambda z, w: z),
                right=(lambda w: w, lambda z, w: z),
                relation=lambda z, w: z,
            ),
            "induction",
        ),
    ],
)
def test_statements_that_complex_numbers_do_not_have_are_refused(statement, what):
    with pytest.raises(ClaimError, match=what):
        prepare(claim_of(TWO, statement()), {})


def test_other_error_classes_are_refused():
    statement = Equal(left=lambda z: z, right=lambda z: z)
    with pytest.raises(ClaimError, match="componentwise"):
        claim_of(ONE, statement, error_class="normwise")
    with pytest.raises(ClaimError, match="componentwise"):
        claim_of(ONE, statement, routes=[numeric("a", abs, error_class="residual")])
    with pytest.raises(UsageError, match="componentwise"):
        check(claim_of(ONE, statement), numeric("a", abs, error_class="normwise"))


# --- no false alarm ---------------------------------------------------------------------------


def anywhere(generator, dtype, count):
    """Numbers over the whole exponent range, over its middle and about one; some zero."""
    info = np.finfo(dtype)
    low, high = info.minexp - info.nmant, info.maxexp - 1
    centre = generator.integers(low, high)
    exponents = np.concatenate(
        [
            generator.integers(low, high, count),
            generator.integers(low // 2, high // 2, count),
            generator.integers(-4, 4, count),
            np.clip(generator.integers(centre - 2, centre + 3, count), low, high - 1),
        ]
    )
    signs = generator.choice([-1.0, 1.0], 4 * count)
    found = np.ldexp(1 + generator.random(4 * count), exponents) * signs
    found[generator.random(4 * count) < 0.05] = 0
    return found.astype(dtype)


def points(generator, domain, dtype, count):
    """A batch of single elements: parts of equal size, equal and opposite numbers among them."""
    inputs = {name: anywhere(generator, dtype, count) for name in domain.inputs}
    for name in domain.inputs:
        if name.endswith(".im"):
            some = generator.random(4 * count) < 0.2
            inputs[name][some] = -inputs[name[:-3] + ".re"][some]
    return inputs


RANGE = [
    ("product", TWO, Equal(left=lambda z, w: z * w, right=lambda z, w: w * z)),
    ("quotient", TWO, Equal(left=lambda z, w: z / w, right=lambda z, w: z / w)),
    ("magnitude", ONE, Equal(left=abs, right=abs)),
    ("squared", ONE, Equal(left=lambda z: real(conj(z) * z), right=lambda z: real(z * conj(z)))),
    ("exponential", ONE, Equal(left=exp, right=exp)),
    ("cube", ONE, Equal(left=lambda z: z**3, right=lambda z: z * z * z)),
    (
        "through infinity",
        ONE,
        Equal(left=lambda z: 2 * (2 * z) * (1 - 2j), right=lambda z: 2 * (2 * z) * (1 - 2j)),
    ),
    (
        "real divisor",
        Domain(z=complexes("n"), x=reals("n")),
        Equal(left=lambda z, x: z / x, right=lambda z, x: z * (1 / x)),
    ),
    (
        "of a magnitude",
        ONE,
        Gradient(of=lambda z: total(abs(z)), wrt="z", equals=lambda z: z / abs(z)),
    ),
    (
        "of a quotient",
        TWO,
        Gradient(
            of=lambda z, w: total(real(z / w)),
            wrt=("z", "w"),
            equals=lambda z, w: (conj(1 / w), -conj(z / w / w)),
        ),
    ),
    (
        "of an exponential",
        ONE,
        Gradient(of=lambda z: total(real(exp(z))), wrt="z", equals=lambda z: conj(exp(z))),
    ),
]


@pytest.mark.parametrize(("name", "domain", "statement"), RANGE)
def test_what_the_libraries_do_is_right_over_the_whole_exponent_range(name, domain, statement):
    claim = claim_of(domain, statement)
    prepared, generator = prepare(claim, {}), np.random.default_rng(20)
    backends = select_backends(["numpy", "torch-cpu"])
    compared = 0
    for cell in cells(ways_of(claim), backends, ("float64", "float32")):
        if cell.way.kind in ("sympy", "forward"):
            continue
        inputs = points(generator, domain, cell.dtype, 500)
        exact = {key: x.astype(np.float64)[:, None] for key, x in inputs.items()}
        want = wanted_by(cell, prepared, exact, {"n": 1})
        outcome = execute(cell, joined(inputs), getattr(statement, "wrt_names", ()))
        assert outcome.error is None
        for result, target in zip(apart(outcome.results, prepared.pairs()), want, strict=True):
            got = result.array.astype(np.float64)[:, None]
            judged = np.isfinite(target.value) & np.isfinite(target.allowed)
            overflows = np.isinf(target.envelope) & np.isfinite(target.unlimited)
            judged &= np.isfinite(got) | ~overflows
            with np.errstate(all="ignore"):
                assert (np.abs(got - target.value) <= target.allowed)[judged].all(), (name, cell)
            compared += int(judged.sum())
    assert compared > 4000


@pytest.mark.parametrize(
    "right",
    [
        lambda z, w: w * z,
        lambda z, w: (z.real * w.real - z.imag * w.imag) + 1j * (z.real * w.imag + z.imag * w.real),
        lambda z, w: (z.conj() * w.conj()).conj(),
        lambda z, w: np.stack([z, z]).prod(axis=0) * 0 + z * w if z.size == 0 else z * w,
    ],
)
def test_other_right_products_pass(right):
    found = verdicts(same(TWO, lambda z, w: z * w), numeric("right", right), examples=80)
    assert {(v.dtype, v.status) for v in found} == {
        ("float64", Status.PASS),
        ("float32", Status.PASS),
    }


def test_right_gradients_pass_in_other_orders():
    def elementwise(A, z, b):
        r = (A * z).sum(axis=1) - b
        return 2 * (A.conj() * r[:, None]).sum(axis=0)

    def dot(A, z, b):
        return 2 * np.conj((A @ z - b).conj() @ A)

    def magnitudes(A, z, b):
        return ((A @ z - b).abs() ** 2).sum()

    def found_of(*candidates, **options):
        record = check(LEAST_SQUARES, *candidates, examples=40, **options).claims[0]
        own = {v.name if hasattr(v, "name") else v.__name__ for v in candidates}
        ran = [v for v in record.verdicts if v.status is not Status.SKIPPED]
        return [v for v in ran if v.route.partition(":")[0] in own]

    found = found_of(elementwise, dot, backend="numpy")
    assert [v.status for v in found] == 4 * [Status.PASS]
    found = found_of(autograd("magnitudes", magnitudes), backend="torch-cpu")
    assert {v.status for v in found} <= {Status.PASS, Status.LESS_ACCURATE}
    assert len(found) == 6


# --- no missed error --------------------------------------------------------------------------


MISTAKES = {
    "transposed": lambda A, z, b: 2 * (A.T @ (A @ z - b)),
    "the conjugate convention": lambda A, z, b: 2 * (A.T @ (A @ z - b).conj()),
    "the residual conjugated": lambda A, z, b: 2 * (A.conj().T @ (A @ z - b).conj()),
    "Wirtinger's derivative": lambda A, z, b: A.conj().T @ (A @ z - b),
    "the real part": lambda A, z, b: (2 * (A.conj().T @ (A @ z - b))).real,
    "no imaginary part": lambda A, z, b: (2 * (A.conj().T @ (A @ z - b))).real.astype(z.dtype),
    "in complex64": lambda A, z, b: (2 * (A.conj().T @ (A @ z - b))).astype("complex64") + 0 * z,
    "the parts stacked": lambda A, z, b: np.stack([z.real, z.imag]),
    "the parts": lambda A, z, b: (z.real, z.imag),
    "nothing": lambda A, z, b: None,
}


def test_wrong_gradients_are_found():
    routes = [numeric(name, mistake) for name, mistake in MISTAKES.items()]
    options = {"backend": "numpy", "dtype": "float64", "examples": 20}
    record = check(LEAST_SQUARES, *routes, **options).claims[0]
    found = {v.route: v.status for v in record.verdicts if v.route in MISTAKES}
    assert found == {name: Status.ERROR if name == "nothing" else Status.WRONG for name in MISTAKES}


def test_a_real_part_that_is_missing_is_named_by_its_dtype():
    (found,) = verdicts(ONE_TO_ONE, numeric("real", lambda z: z.real), dtype="float64")
    assert (found.defect, found.reason) == ("dtype", "dtype float64; wanted complex128")
    (found,) = verdicts(SQUARED, numeric("z z", lambda z: z * z.conj()), dtype="float64")
    assert (found.defect, found.reason) == ("dtype", "dtype complex128; wanted float64")


ONE_TO_ONE = same(ONE, lambda z: z + 0)
SQUARED = same(ONE, lambda z: real(conj(z) * z))


@pytest.mark.parametrize(
    ("claim", "mistake"),
    [
        (same(TWO, lambda z, w: z * w), lambda z, w: z * w.conj()),
        (same(TWO, lambda z, w: z * w), lambda z, w: (z * w).conj()),
        (same(TWO, lambda z, w: conj(z) * w), lambda z, w: z * w.conj()),
        (same(TWO, lambda z, w: z / w), lambda z, w: z * w / abs(w) ** 2),
        (SQUARED, lambda z: (z * z).real),
        (SQUARED, lambda z: np.abs(z)),
        (same(ONE, abs), lambda z: np.abs(z.real) + np.abs(z.imag)),
        (same(ONE, abs), lambda z: np.sqrt(z.real**2 - z.imag**2)),
        (ONE_TO_ONE, lambda z: z + 1e-9j * z),
        (ONE_TO_ONE, lambda z: np.where(z.imag == 0, z.conj() + 1, z)),
        (ONE_TO_ONE, lambda z: z if z.flags.c_contiguous else z.conj()),
    ],
)
def test_wrong_values_are_found(claim, mistake):
    assert wrong(claim, numeric("mistake", mistake), examples=60)


def test_code_that_changes_its_complex_input_is_found():
    def scaled(z):
        z *= 2
        return z / 2

    found = verdicts(ONE_TO_ONE, scaled, dtype="float64")
    assert [(v.status, v.defect) for v in found] == [(Status.WRONG, "mutates_input")]


class Wirtinger(torch.autograd.Function):
    """|z|^2 whose backward gives the derivative in z, not the gradient."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return (z.conj() * z).real.sum()

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0].conj()


def test_the_convention_is_torchs():
    claim = claim_of(
        ONE, Gradient(of=lambda z: total(real(conj(z) * z)), wrt="z", equals=lambda z: 2 * z)
    )
    found = {v.route: v.status for v in verdicts(claim, autograd("own", Wirtinger.apply))}
    assert not found  # no torch there
    own = autograd("own", Wirtinger.apply)
    found = {v.route: v.status for v in verdicts(claim, own, backend="torch-cpu", dtype="float64")}
    assert found["own: value"] is Status.PASS
    assert found["own: reverse mode"] is Status.WRONG
    record = check(claim, backend="torch-cpu", dtype="float64", examples=20).claims[0]
    modes = {v.route: v.status for v in record.verdicts if v.route.startswith("torch")}
    assert modes == {"torch reverse mode": Status.PASS, "torch forward mode": Status.PASS}


def test_a_gradient_of_a_complex_number_is_no_gradient():
    def loss(A, z, b):
        return torch.vdot(A @ z - b, A @ z - b)

    found = {
        v.route: (v.status, v.reason)
        for v in verdicts(
            LEAST_SQUARES, autograd("loss", loss), backend="torch-cpu", dtype="float64"
        )
    }
    assert found["loss: reverse mode"][0] is Status.ERROR
    assert "a gradient is of a real one" in found["loss: forward mode"][1]


# --- derivatives ------------------------------------------------------------------------------

DERIVED = [
    ("quotient", lambda z, w: total(real(z / w)) + total(xp_of(z).imag(z / w) ** 2)),
    ("magnitude", lambda z, w: total(abs(z * w - z))),
    ("real divisor", lambda z, w: total(abs(z / real(w)) ** 3)),
    ("exponential", lambda z, w: total(real(exp(z * w)) * xp_of(z).imag(exp(w)))),
    ("squared", lambda z, w: total(real(conj(z - w) * z) + real(conj(z) * z) * real(w))),
    ("matrix", lambda z, w: real(xp_of(z).vecdot(z, w)) + total(real(z**3))),
]


@pytest.mark.parametrize(("name", "function"), DERIVED)
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_both_modes_are_torchs_derivative(name, function, seed):
    generator = np.random.default_rng(seed)
    names = ("z.re", "z.im", "w.re", "w.im")
    inputs = {key: generator.normal(size=(1, 3)) for key in names}
    whole = joined({key: x[0] for key, x in inputs.items()})
    primal = prepare(claim_of(TWO, AtMost(of=function, bound=1.0)), {}).primal
    statement = Gradient(
        of=function, wrt=("z", "w"), equals=lambda z, w: (z, w)
    )  # the closed form isn't looked at
    reference = prepare(claim_of(TWO, statement), {}).reference
    found = [each.value[0] for each in evaluate(reference, inputs, {"n": 3})]

    from verimath.backends.torch import StandardTensor

    leaves = [torch.tensor(whole[key], requires_grad=True) for key in ("z", "w")]
    function(*map(StandardTensor, leaves)).tensor.backward()
    want = [part for leaf in leaves for part in (leaf.grad.real.numpy(), leaf.grad.imag.numpy())]
    for one, other in zip(found, want, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
    for key, gradient in zip(names, want, strict=True):
        direction = generator.normal(size=(1, 3))
        moved = push_forward(primal, key, "the direction")
        (slope,) = evaluate(moved, {**inputs, "the direction": direction}, {"n": 3})
        np.testing.assert_allclose(slope.value[0], direction[0] @ gradient, rtol=1e-9, atol=1e-9)


# --- scripts and reports ----------------------------------------------------------------------


def mistaken(A, z, b):
    return 2 * (A.T @ (A @ z - b))


def mistaken_loss(A, z, b):
    return ((A @ z - b).abs() ** 2).sum() + z.real.sum()


def run(script, tmp_path):
    path = tmp_path / "shown.py"
    path.write_text(script, encoding="utf-8")
    found = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False)
    return found.returncode, found.stdout + found.stderr


def test_a_script_shows_the_failure_without_verimath(tmp_path):
    found = verdicts(LEAST_SQUARES, mistaken)
    assert [v.dtype for v in found] == ["float64", "float32"]
    for verdict in found:
        script = verdict.counterexample.script
        assert "verimath" not in script
        code, said = run(script, tmp_path)
        assert (code, "wanted" in said) == (1, True), said
        repaired = script.replace("A.T @", "A.conj().T @")
        assert run(repaired, tmp_path) == (0, "the failure is gone\n")


def test_a_script_of_torchs_modes_shows_the_failure(tmp_path):
    route = autograd("loss", mistaken_loss)
    found = verdicts(LEAST_SQUARES, route, backend="torch-cpu", dtype="float64", examples=5)
    assert [v.route for v in found] == ["loss: value", "loss: reverse mode", "loss: forward mode"]
    for verdict in found:
        script = verdict.counterexample.script
        assert run(script, tmp_path)[0] == 1
        repaired = script.replace(" + z.real.sum()", "")
        assert run(repaired, tmp_path) == (0, "the failure is gone\n")


def test_a_fault_of_behaviour_has_a_script_too(tmp_path):
    def guarded(z):
        return z if z.flags.writeable else z.conj()

    (found,) = verdicts(ONE_TO_ONE, guarded, dtype="float64")
    assert (found.status, found.defect) == (Status.WRONG, "layout")
    assert run(found.counterexample.script, tmp_path)[0] == 1


# --- proofs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", claims_of(complex_numbers), ids=lambda claim: claim.id)
def test_the_chapter_is_proved_and_its_certificates_hold(claim):
    proof = prove(claim)
    assert proof.label == "all_shapes_derivation"
    report = check(claim, backend="numpy", dtype="float64", examples=5)
    assert [found.holds for found in recheck(report)] == [True]
    assert report.claims[0].outcome == "as_expected"


def test_formulas_are_printed_with_the_numbers_put_together():
    from verimath._engine import explanation

    claims = {claim.id: claim for claim in claims_of(complex_numbers)}
    assert r"\frac{z}{w} = " in explanation(claims["quotient-by-conjugate"])
    assert r"\left|z\right|^{2} \odot \left|w\right|^{2}" in explanation(
        claims["magnitude-of-product"]
    )
    assert r"\nabla_{z}" in explanation(claims["squared-magnitude-gradient"])


def test_parts_of_variables_are_printed_by_their_names():
    from verimath.formula.latex.symbols import symbol

    assert symbol("z.re") == r"\Re{z}"
    assert symbol("w_hat.im") == r"\Im{w_{\mathrm{hat}}}"
    assert symbol("r.re'") == r"\Re{r'}"
    assert symbol("x'") == "x'"
