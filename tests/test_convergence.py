"""Iterations: how near they get, what is said of steps that don't converge, and who is told."""

import itertools
import subprocess
import sys
from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
from array_api_compat import array_namespace
from hypothesis import example, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from verimath import (
    Claim,
    ClaimError,
    Converges,
    Domain,
    check,
    complexes,
    diagonally_dominant,
    given,
    integers,
    numeric,
    reals,
    recheck,
)
from verimath.arithmetic.rounding import evaluate_all
from verimath.backends import get_backend
from verimath.convergence.contraction import violation
from verimath.convergence.reach import reach
from verimath.dtypes import nearest
from verimath.formula.trace import trace
from verimath.reference.evaluate import wanted
from verimath.reference.prepare import prepare
from verimath.report.record import Status
from verimath.report.text import verdict_text
from verimath.shapes import Size

NUMPY = get_backend("numpy")
DTYPES = {"float64": np.float64, "float32": np.float32, "float16": np.float16}


def diagonal(A):
    return array_namespace(A).linalg.diagonal(A)


def off_diagonal(A):
    return A - array_namespace(A).eye(A.shape[0], dtype=A.dtype, device=A.device) * diagonal(A)


def jacobi(A, b, x):
    return (b - off_diagonal(A) @ x) / diagonal(A)


def damped(A, b, x):
    return x + 0.5 * (b - A @ x) / diagonal(A)


def gauss_seidel(A, b, x):
    xp = array_namespace(A)
    return xp.linalg.solve(xp.tril(A), b - xp.triu(A, k=1) @ x)


def solution(A, b, x):
    return array_namespace(A).linalg.solve(A, b)


def row_sums(A, b, x):
    xp = array_namespace(A)
    return xp.max(xp.sum(xp.abs(off_diagonal(A)), axis=1) / xp.abs(diagonal(A)))


def half_way(A, b, x):
    return 0.5 + 0.5 * row_sums(A, b, x)


def of_gauss_seidel(A, b, x):
    xp = array_namespace(A)
    size = xp.abs(diagonal(A))
    below = xp.sum(xp.abs(xp.tril(A, k=-1)), axis=1)
    return xp.max(xp.sum(xp.abs(xp.triu(A, k=1)), axis=1) / (size - below))


def newton(a, x):
    return (x + a / x) / 2


def root(a, x):
    return array_namespace(a).sqrt(a)


def one_half(a, x):
    return array_namespace(a).asarray(0.5, dtype=a.dtype, device=a.device)


SYSTEM = {"A": diagonally_dominant("n n"), "b": reals("n", -8, 8), "x": reals("n", -8, 8)}
BETWEEN = {"a": reals("n", 1, 4), "x": reals("n", 1, 4)}
TOUR = [[3, 3.2], [3.5, 3.6]]


def claim_of(step=jacobi, to=solution, factor=row_sums, of="x", domain=SYSTEM, **options):
    statement = Converges(step=step, of=of, to=to, factor=factor)
    return Claim(
        id="c", title="t", source="s", domain=Domain(**domain), statement=statement, **options
    )


LINEAR = {
    "Jacobi": claim_of(),
    "damped": claim_of(damped, factor=half_way),
    "Gauss-Seidel": claim_of(gauss_seidel, factor=of_gauss_seidel),
}


def verdict(report, route, dtype="float64", backend="numpy"):
    (found,) = [
        v
        for v in report.claims[0].verdicts
        if (v.route, v.dtype, v.backend) == (route, dtype, backend)
    ]
    return found


# --- how near an iteration gets -----------------------------------------------------------------


def exact_solution(A, b):
    """By python-flint's rational elimination."""
    left = flint.fmpq_mat(
        len(b), len(b), [flint.fmpq(*Fraction(float(v)).as_integer_ratio()) for v in A.ravel()]
    )
    right = flint.fmpq_mat(
        len(b), 1, [flint.fmpq(*Fraction(float(v)).as_integer_ratio()) for v in b]
    )
    found = left.solve(right)
    return [Fraction(int(found[i, 0].p), int(found[i, 0].q)) for i in range(len(b))]


def until_it_repeats(step, x, most):
    """All iterates that come again and again; None if that takes more than `most` steps."""
    seen = {}
    trail = []
    for k in range(most):
        key = x.tobytes()
        if key in seen:
            return trail[seen[key] :]
        seen[key] = k
        trail.append(x)
        x = step(x)
    return None


def by_hand(name, A, b, dtype):
    """One step as somebody else would write it, all in the dtype."""
    d, n = np.diagonal(A), len(b)

    def jacobi_step(x):
        return np.asarray(
            [
                (b[i] - sum((A[i, j] * x[j] for j in range(n) if j != i), dtype(0))) / d[i]
                for i in range(n)
            ],
            dtype=dtype,
        )

    def damped_step(x):
        return np.asarray(
            [
                x[i]
                + dtype(0.5) * (b[i] - sum((A[i, j] * x[j] for j in range(n)), dtype(0))) / d[i]
                for i in range(n)
            ],
            dtype=dtype,
        )

    def seidel_step(x):
        x = x.copy()
        for i in range(n):
            x[i] = (b[i] - sum((A[i, j] * x[j] for j in range(n) if j != i), dtype(0))) / d[i]
        return x

    return {"Jacobi": jacobi_step, "damped": damped_step, "Gauss-Seidel": seidel_step}[name]


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=25, deadline=None)
@drawn(st.integers(0, 2**32), st.integers(1, 7), st.floats(0.05, 0.97))
def test_iterating_until_nothing_changes_ends_within_the_bound(name, dtype, seed, n, dominance):
    rng, kind = np.random.default_rng(seed), DTYPES[dtype]
    A = rng.uniform(-1, 1, (n, n)) * (1 - np.eye(n))
    A += np.diag(rng.choice([-1, 1], n) * (np.abs(A).sum(axis=1) / dominance + 0.1))
    A, b, x = (
        np.asarray(nearest(v, dtype), dtype=kind)
        for v in (A, rng.uniform(-8, 8, n), rng.uniform(-8, 8, n))
    )
    prepared = prepare(LINEAR[name], {})
    inputs = {k: np.asarray(v, dtype=np.float64)[None] for k, v in (("A", A), ("b", b), ("x", x))}
    (want,) = wanted(prepared, inputs, {"n": n}, dtype)
    if not np.isfinite(want.allowed).all():
        return  # more rounding than contraction: the claim says nothing
    exact = exact_solution(A, b)
    with np.errstate(all="ignore"):
        cycle = until_it_repeats(by_hand(name, A, b, kind), x, 4000)
    assert cycle is not None
    for last in cycle:
        for i in range(n):
            off = abs(Fraction(float(last[i])) - Fraction(float(want.value[0, i])))
            assert off <= Fraction(float(want.allowed[0, i]))
            true = abs(Fraction(float(last[i])) - exact[i])
            assert true <= 2 * Fraction(float(want.allowed[0, i]))


SCALED = claim_of(
    lambda a, b, x: a * x + b,
    lambda a, b, x: b / (1 - a),
    lambda a, b, x: 1 * a,
    domain={"a": reals("", 0, 0.99), "b": reals("", 1, 4), "x": reals("", -8, 8)},
)


def ends_of(dtype, a, b, x):
    """Where x <- a x + b ends, in units of what is allowed, and of that without its 1 / (1 - a)."""
    kind = DTYPES[dtype]
    a, b, x = (np.asarray(nearest(np.asarray(v), dtype), dtype=kind) for v in (a, b, x))
    inputs = {k: v.astype(np.float64)[None] for k, v in (("a", a), ("b", b), ("x", x))}
    (want,) = wanted(prepare(SCALED, {}), inputs, {}, dtype)
    cycle = until_it_repeats(lambda v: np.asarray(a * v + b, dtype=kind), x, 20_000)
    limit = Fraction(float(b)) / (1 - Fraction(float(a)))
    worst = max(abs(Fraction(float(last)) - limit) for last in cycle)
    once = want.roundoff * float(limit)
    return float(worst / Fraction(float(want.allowed[0]))), float(worst) / once


@settings(max_examples=100, deadline=None)
@drawn(
    st.sampled_from(["float32", "float16"]), st.floats(0, 0.99), st.floats(1, 4), st.floats(-8, 8)
)
def test_a_slow_iteration_ends_far_from_its_limit_and_within_the_bound(dtype, a, b, x):
    assert ends_of(dtype, a, b, x)[0] <= 1


def test_the_bound_of_a_slow_iteration_is_no_larger_than_it_has_to_be():
    points = [(0.98, b, x) for b in np.linspace(1, 4, 40) for x in (-8, 8)]
    found = [ends_of("float16", *point) for point in points]
    # Fifty times a rounding, and more than the half unit in the last place that is let in alone.
    assert max(once for _, once in found) > 1.1 / 0.02
    assert 0.4 < max(ratio for ratio, _ in found) <= 1


@settings(max_examples=60, deadline=None)
@drawn(st.sampled_from(list(DTYPES)), st.floats(1, 4), st.floats(1, 4))
def test_newtons_iteration_ends_within_the_bound(dtype, a, x):
    kind = DTYPES[dtype]
    a, x = (np.asarray(nearest(np.asarray([v]), dtype), dtype=kind) for v in (a, x))
    prepared = prepare(claim_of(newton, root, one_half, domain=BETWEEN), {})
    inputs = {"a": a.astype(np.float64)[None], "x": x.astype(np.float64)[None]}
    (want,) = wanted(prepared, inputs, {"n": 1}, dtype)
    assert want.allowed[0, 0] <= 20 * float(want.roundoff)
    cycle = until_it_repeats(lambda v: (v + a / v) / kind(2), x, 500)
    with mpmath.workdps(40):
        true = mpmath.sqrt(mpmath.mpf(float(a[0])))
        for last in cycle:
            assert abs(mpmath.mpf(float(last[0])) - true) <= want.allowed[0, 0]


@settings(max_examples=40, deadline=None)
@drawn(st.integers(0, 2**32), st.integers(1, 6), st.sampled_from(list(DTYPES)))
def test_after_the_counted_steps_the_iterate_is_there(seed, n, dtype):
    rng, kind = np.random.default_rng(seed), DTYPES[dtype]
    A = rng.uniform(-1, 1, (n, n)) * (1 - np.eye(n))
    A += np.diag(2 * np.abs(A).sum(axis=1) + 0.1)
    A, b, x = (
        np.asarray(nearest(v, dtype), dtype=kind)
        for v in (A, rng.uniform(-8, 8, n), rng.uniform(-8, 8, n))
    )
    inputs = {k: np.asarray(v, dtype=np.float64)[None] for k, v in (("A", A), ("b", b), ("x", x))}
    found = reach(prepare(LINEAR["Jacobi"], {}).iteration, inputs, {"n": n}, NUMPY.format(dtype))
    assert np.isfinite(found.steps).all()
    step = by_hand("Jacobi", A, b, kind)
    for _ in range(int(found.steps[0])):
        x = step(x)
    exact = exact_solution(A, b)
    worst = max(abs(Fraction(float(v)) - e) for v, e in zip(x, exact, strict=True))
    assert worst <= Fraction(float(found.radius[0]))
    # An error bound of a few ulps for these, not of many.
    size = max(map(abs, exact))
    unit = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11}[dtype]
    assert found.radius[0] <= 12 * (n + 2) * unit * float(size) + 1e-6 * (dtype == "float16")


STEPS = {
    "linear": lambda a, x: (a - 3 * x) / 7 + x * 0.25,
    "Newton": newton,
    "reciprocal": lambda a, x: 1 / x + a,
    "powers": lambda a, x: x**-2 + a * x**0.5,
    "functions": lambda a, x: array_namespace(x).sin(x) * array_namespace(x).exp(-x) + a,
    "choice": lambda a, x: array_namespace(x).where(x > a, x, 2 * a - x),
    "products": lambda a, x: array_namespace(x).cumulative_sum(x * a),
}


@pytest.mark.parametrize("name", STEPS)
@settings(max_examples=60, deadline=None)
@example(dtype="float16", middle=1.7890625, part=0.875, where=-1.0)  # near the choice
@drawn(st.sampled_from(list(DTYPES)), st.floats(1, 4), st.floats(0.01, 0.9), st.floats(-1, 1))
def test_a_bound_around_a_number_holds_for_every_number_there(name, dtype, middle, part, where):
    """|step in the dtype at y - step at y| for y in the ball, by mpmath."""
    kind, step = DTYPES[dtype], STEPS[name]
    a, radius = np.asarray([1.5, 2.25]), middle * part
    y = np.asarray(nearest(np.asarray([middle + where * radius, middle]), dtype), dtype=kind)
    radius = max(radius, float(np.abs(y.astype(np.float64) - middle).max()))
    shape = {"a": (Size.of("n"),), "x": (Size.of("n"),)}
    ((found,),) = evaluate_all(
        (trace(step, shape),),
        {"a": a[None], "x": np.full((1, 2), middle)},
        {"n": 2},
        dtypes=(NUMPY.format(dtype),),
        around={"x": np.full((1, 2), radius)},
    )
    got = step(a.astype(kind), y)
    bound = found.bounds[dtype][0]
    with mpmath.workdps(40):
        for i, value in enumerate(exactly(name, a, y)):
            assert abs(mpmath.mpf(float(got[i])) - value) <= mpmath.mpf(float(bound[i]))


def exactly(name, a, y):
    """The steps in mpmath, element by element."""
    pairs = [(mpmath.mpf(float(p)), mpmath.mpf(float(q))) for p, q in zip(a, y, strict=True)]
    if name == "products":
        return list(itertools.accumulate(p * q for p, q in pairs))
    rules = {
        "linear": lambda a, x: (a - 3 * x) / 7 + x / 4,
        "Newton": lambda a, x: (x + a / x) / 2,
        "reciprocal": lambda a, x: 1 / x + a,
        "powers": lambda a, x: x**-2 + a * mpmath.sqrt(x),
        "functions": lambda a, x: mpmath.sin(x) * mpmath.exp(-x) + a,
        "choice": lambda a, x: x if x > a else 2 * a - x,
    }
    return [rules[name](*pair) for pair in pairs]


@settings(max_examples=40, deadline=None)
@drawn(
    st.integers(0, 2**32),
    st.integers(1, 6),
    st.floats(0, 20),
    st.sampled_from(["float64", "float32"]),
)
def test_solutions_for_right_sides_in_a_ball_are_within_the_bound(seed, n, radius, dtype):
    rng, kind = np.random.default_rng(seed), DTYPES[dtype]
    A = np.asarray(nearest(rng.uniform(-1, 1, (n, n)) + 2 * n * np.eye(n), dtype), dtype=kind)
    b = rng.uniform(-8, 8, n)
    y = np.asarray(nearest(b + rng.uniform(-1, 1, n) * radius, dtype), dtype=kind)
    square, vector = (Size.of("n"), Size.of("n")), (Size.of("n"),)
    formula = trace(lambda A, x: array_namespace(A).linalg.solve(A, x), {"A": square, "x": vector})
    ((found,),) = evaluate_all(
        (formula,),
        {"A": A.astype(np.float64)[None], "x": b[None]},
        {"n": n},
        dtypes=(NUMPY.format(dtype),),
        around={"x": np.abs(y.astype(np.float64) - b)[None]},
    )
    got = np.linalg.solve(A, y)
    for i, value in enumerate(exact_solution(A, y)):
        assert abs(Fraction(float(got[i])) - value) <= Fraction(float(found.bounds[dtype][0, i]))
    # Roundings of solutions of this size, and nothing of how far the right sides are apart.
    size = float(np.abs(b).max() + radius)
    unit = {"float64": 2.0**-53, "float32": 2.0**-24}[dtype]
    assert found.bounds[dtype].max() <= 40 * n * unit * size


# --- what is stated of steps ----------------------------------------------------------------------


def broken(claim, inputs, sizes):
    prepared = prepare(claim, {})
    batch = {name: np.asarray(x, dtype=np.float64)[None] for name, x in inputs.items()}
    found, known = violation(prepared.iteration, batch, sizes)
    assert known == 1
    return found


A = [[4.0, 1.0], [2.0, 5.0]]
POINT = {"A": A, "b": [1.0, 2.0], "x": [1.0, -1.0]}


def test_a_true_statement_has_no_violation():
    assert broken(claim_of(), POINT, {"n": 2}) is None


@pytest.mark.parametrize(
    ("part", "options", "point"),
    [
        ("factor", {}, {"A": TOUR, "b": [0, 0], "x": [0, 0]}),
        ("factor", {"factor": lambda A, b, x: -row_sums(A, b, x)}, POINT),
        (
            "factor",
            {"factor": lambda A, b, x: array_namespace(A).asarray(1.0, dtype=A.dtype)},
            POINT,
        ),
        ("away", {"step": lambda A, b, x: (b + off_diagonal(A) @ x) / diagonal(A)}, POINT),
        ("away", {"step": lambda A, b, x: b - off_diagonal(A) @ x}, POINT),
        ("away", {"to": lambda A, b, x: b / diagonal(A)}, POINT),
        # The worst error is along (1, 1) in the second row, which is the worst one.
        (
            "excess",
            {"factor": lambda A, b, x: row_sums(A, b, x) / 2},
            {**POINT, "b": [0, 0], "x": [1, 1]},
        ),
    ],
)
def test_a_false_statement_has_one(part, options, point):
    found = broken(claim_of(**options), point, {"n": 2})
    assert found is not None
    assert found.part == part
    # Exact arithmetic on the same numbers says so, too.
    assert found.error < abs(found.value - found.limit) or found.error == 0


def test_what_is_beyond_the_range_is_said_of_steps_that_bend():
    low = {"a": reals("n", 1, 4), "x": reals("n", 1.75, 4)}
    claim = claim_of(newton, root, one_half, domain=low)
    found = broken(claim, {"a": [1.0], "x": [1.75]}, {"n": 1})
    assert found is not None
    assert found.part == "step"
    assert (
        broken(
            claim_of(newton, root, one_half, domain=BETWEEN), {"a": [1.0], "x": [1.75]}, {"n": 1}
        )
        is None
    )


# --- verdicts -------------------------------------------------------------------------------------


def solved(A, b, x):
    return np.linalg.solve(A.astype(np.float64), b.astype(np.float64)).astype(A.dtype)


def eliminated(A, b, x):
    return np.linalg.solve(A, b)


def iterated(A, b, x):
    """Until an iterate comes again: nothing changes, or the last digits go round."""
    seen = set()
    while x.tobytes() not in seen:
        seen.add(x.tobytes())
        x = jacobi(A, b, x)
    return x


def stopped_early(A, b, x):
    """Where an iterate is within the root of the roundoff of the next: half of the digits."""
    after = jacobi(A, b, x)
    while np.max(np.abs(after - x)) > np.sqrt(np.finfo(A.dtype).eps) * np.max(np.abs(after)):
        x, after = after, jacobi(A, b, after)
    return after


def in_place(A, b, x):
    """Gauss and Seidel's steps, by what is left of b, until nothing changes."""
    x = x.copy()
    for _ in range(3000):
        before = x.copy()
        for i in range(len(b)):
            x[i] = x[i] + (b[i] - A[i] @ x) / A[i, i]
        if np.array_equal(before, x):
            break
    return x


def by_residuals(A, b, x):
    for _ in range(3000):
        before, x = x, x + (b - A @ x) / np.diagonal(A)
        if np.array_equal(before, x):
            break
    return x


def three_steps(A, b, x):
    return jacobi(A, b, jacobi(A, b, jacobi(A, b, x)))


# Every row's diagonal is three times the rest: a factor of at most a third, wherever one starts.
def tripled(step):
    def of_tripled(A, b, x):
        return step(A + 2 * (A - off_diagonal(A)), b, x)

    return of_tripled


FAST = claim_of(*map(tripled, (jacobi, solution, row_sums)))


@pytest.fixture(scope="module")
def fast():
    right = [numeric("eliminated", tripled(eliminated)), numeric("iterated", tripled(iterated))]
    wrong = [numeric("early", tripled(stopped_early)), numeric("three steps", tripled(three_steps))]
    other = [
        numeric("another start", tripled(lambda A, b, x: iterated(A, b, 0 * x))),
        numeric("exact", tripled(solved)),
        numeric("in place", tripled(in_place)),
        numeric("by residuals", tripled(by_residuals)),
    ]
    return check(
        FAST, *right, *wrong, *other, backend="numpy", dtype=["float64", "float32"], examples=40
    )


@pytest.mark.xdist_group("fast")
@pytest.mark.parametrize(
    "route",
    [
        "eliminated",
        "iterated",
        "another start",
        "exact",
        "in place",
        "by residuals",
        "iteration",
        "contraction",
        "sympy",
    ],
)
def test_who_gets_to_the_limit_passes(fast, route):
    found = verdict(fast, route)
    assert found.status is Status.PASS, found.reason
    assert found.elements


@pytest.mark.xdist_group("fast")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("route", ["early", "three steps"])
def test_who_stops_early_is_wrong(fast, route, dtype):
    found = verdict(fast, route, dtype)
    assert found.status is Status.WRONG
    assert found.counterexample is not None


def test_every_mutant_of_a_sharp_statement_dies():
    record = check(FAST, backend="numpy", dtype="float64", examples=40).claims[0]
    assert record.outcome == "as_expected", record.reason
    names = {mutant.name for mutant in record.mutants}
    assert {
        "half of the contraction factor",
        "stopped where an iterate is close to the next",
    } <= names
    assert all(mutant.killed_by for mutant in record.mutants)


def test_a_factor_may_be_larger_than_needed():
    """Half of it would do, too: that is another true statement, no mutant."""
    loose = claim_of(
        *map(tripled, (jacobi, solution)), factor=lambda A, b, x: 0.9 + 0 * row_sums(A, b, x)
    )
    record = check(loose, backend="numpy", dtype="float64", examples=20).claims[0]
    assert record.outcome == "as_expected", record.reason
    assert "half of the contraction factor" not in {mutant.name for mutant in record.mutants}


def test_what_is_proved_of_it_is_said_and_no_more():
    proof = check(claim_of(), backend="numpy", dtype="float64", examples=3).claims[0].proof
    assert proof.label == "sampled"
    assert proof.certificate == ()
    assert "stays there is proved (all shapes derivation)" in (proof.finding or "")
    assert "is sampled" in (proof.finding or "")


def test_a_false_limit_is_refuted_in_rational_numbers():
    claim = claim_of(to=lambda A, b, x: b / diagonal(A), expected="refuted")
    report = check(claim, backend="numpy", dtype="float64", examples=5)
    assert report.claims[0].outcome == "as_expected"
    assert report.claims[0].proof.label == "refuted"
    assert [each.holds for each in recheck(report)] == [True]


def test_the_tour_group_is_refuted_with_a_certificate_and_a_script(tmp_path):
    def factor(A, b, x):
        xp, size = array_namespace(A), array_namespace(A).abs(diagonal(A))
        return xp.max((xp.sum(xp.abs(A), axis=1) - size) / size)

    domain = {"A": given(TOUR), "b": reals("2", -8, 8), "x": reals("2", -8, 8)}
    report = check(
        claim_of(factor=factor, domain=domain, expected="refuted"),
        numeric("iterated", lambda A, b, x: three_steps(A, b, x)),
        numeric("solved", solved),
        backend="numpy",
        dtype="float64",
        examples=10,
    )
    record = report.claims[0]
    assert record.proof.label == "refuted"
    assert "16/15, beyond 1" in (record.proof.finding or "")
    assert [each.holds for each in recheck(report)] == [True]
    found = verdict(report, "contraction")
    assert found.status is Status.WRONG
    assert found.counterexample is not None
    assert (found.counterexample.exact or "").startswith("1.066666666666666")
    assert "the contraction factor isn't below 1" in verdict_text(record, found)
    script = tmp_path / "script.py"
    script.write_text(found.counterexample.script)
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stderr
    assert "1.0666666666666" in run.stdout
    # Elimination is right whatever an iteration does, and one that goes on forever is not.
    assert verdict(report, "solved").status is Status.PASS
    assert verdict(report, "iterated").status is Status.WRONG
    slow = verdict(report, "iteration")
    assert slow.status is Status.INCONCLUSIVE
    assert slow.reason == "no number of steps is enough with a factor of 1.06667"


def test_an_iteration_that_takes_too_long_is_inconclusive_and_says_why():
    domain = {"A": given([[1, 0.999], [0.999, 1]]), "b": reals("2", 1, 8), "x": reals("2", -8, 8)}
    report = check(claim_of(domain=domain), backend="numpy", dtype="float64", examples=5)
    found = verdict(report, "iteration")
    assert found.status is Status.INCONCLUSIVE
    assert found.reason is not None
    assert found.reason.startswith("a factor of 0.999 takes ")
    assert found.reason.endswith("steps; at most 2000 are run")


# --- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": "y"}, "of='y', but the inputs are A, b, x"),
        ({"of": 3}, "of=3, but the inputs are A, b, x"),
        ({"domain": {**SYSTEM, "z": complexes("n")}}, "Converges is for real inputs"),
        ({"step": 3}, "every formula and mutant has to be a function"),
        ({"factor": None}, "every formula and mutant has to be a function"),
        (
            {"domain": {**SYSTEM, "x": integers("n", 0, 3)}},
            "of='x', but that input holds no real numbers",
        ),
    ],
)
def test_what_is_wrong_with_the_arguments_is_said(options, message):
    with pytest.raises(ClaimError, match=message):
        claim_of(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"step": lambda A, b, x: A},
            r"gives an array of shape \(n, n\), but the iterate 'x' has shape \(n,\)",
        ),
        ({"to": lambda A, b, x: A}, r"the limit .* gives an array of shape \(n, n\)"),
        ({"step": lambda A, b, x: (b, b)}, r"the step .* of shape \(n,\) and \(n,\)"),
        (
            {"factor": lambda A, b, x: b},
            r"the contraction factor .* has shape \(n,\); wanted one number",
        ),
        ({"to": lambda A, b, x: x + b}, "the limit .* depends on the iterate 'x'"),
        (
            {"factor": lambda A, b, x: array_namespace(x).max(x)},
            "the contraction factor .* depends on the iterate 'x'",
        ),
    ],
)
def test_what_is_wrong_with_the_formulas_is_said(options, message):
    with pytest.raises(ClaimError, match=message):
        prepare(claim_of(**options), {})
