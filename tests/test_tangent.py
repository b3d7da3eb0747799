"""Parts of gradients that nothing determines: let in where declared, and nothing else with them."""

import subprocess
import sys

import numpy as np
import pytest
from array_api_compat import array_namespace as ns
from hypothesis import given, settings
from hypothesis import strategies as st

from verimath import (
    Claim,
    ClaimError,
    Domain,
    Equal,
    Gradient,
    Status,
    check,
    numeric,
    reals,
    recheck,
    simplex,
    spd,
    symmetric,
    triangular,
)
from verimath import given as fixed
from verimath.arithmetic.bounds.matrices import certainly_factored
from verimath.arithmetic.formats import FORMATS
from verimath.tangent import PARTS, without

GOOD = (Status.PASS, Status.LESS_ACCURATE)


def claim_of(of, equals, up_to, wrt=None, **inputs):
    wrt = wrt or next(iter(up_to))
    return Claim(
        id="c",
        title="t",
        source="s",
        domain=Domain(**inputs),
        statement=Gradient(of=of, wrt=wrt, equals=equals, up_to=up_to),
    )


def quadratic(A, x):
    return ns(A).vecdot(x, A @ x)


def outer(A, x):
    return x[:, None] * x[None, :]


def trace(A):
    return ns(A).linalg.trace(A)


def weighted(p, c):
    return ns(p).sum(p * c)


SYMMETRIC = claim_of(
    quadratic, outer, {"A": "antisymmetric"}, A=symmetric("n n"), x=reals("n", -8, 8)
)
LOWER = claim_of(
    quadratic, outer, {"A": "above the diagonal"}, A=triangular("n n"), x=reals("n", -8, 8)
)
UPPER = claim_of(
    quadratic,
    outer,
    {"A": "below the diagonal"},
    A=triangular("n n", upper=True),
    x=reals("n", -8, 8),
)
ROWS = claim_of(
    weighted,
    lambda p, c: c,
    {"p": "constant along rows"},
    p=simplex("n k"),
    c=reals("n k", -8, 8),
)


def twice_below(A, x):
    found = np.outer(x, x)
    return (2 * np.tril(found) - np.diag(np.diag(found))).astype(A.dtype)


# A claim, a right gradient that isn't the closed form, and wrong ones.
CASES = {
    "antisymmetric": (
        SYMMETRIC,
        twice_below,
        {
            "twice the triangle": lambda A, x: 2 * np.tril(np.outer(x, x)),
            "half of it": lambda A, x: np.tril(np.outer(x, x)),
            "a symmetric part": lambda A, x: np.outer(x, x) + np.eye(len(x), dtype=A.dtype),
        },
    ),
    "above the diagonal": (
        LOWER,
        lambda A, x: np.tril(np.outer(x, x)),
        {
            "without the diagonal": lambda A, x: np.tril(np.outer(x, x), -1),
            "the other triangle": lambda A, x: np.triu(np.outer(x, x)),
        },
    ),
    "below the diagonal": (
        UPPER,
        lambda A, x: np.triu(np.outer(x, x)),
        {"the other triangle": lambda A, x: np.tril(np.outer(x, x))},
    ),
    "constant along rows": (
        ROWS,
        lambda p, c: c - c.mean(axis=-1, keepdims=True, dtype=c.dtype),
        {
            "along columns": lambda p, c: c - c.mean(axis=0, keepdims=True, dtype=c.dtype),
            "one element": lambda p, c: c + np.eye(*c.shape, dtype=c.dtype),
        },
    ),
}


def verdicts(claim, *candidates, **options):
    report = check(claim, *candidates, **{"examples": 3, "dtype": "float64", **options})
    return report, {(v.route, v.backend): v for v in report.claims[0].verdicts}


@pytest.mark.parametrize("name", CASES)
def test_right_up_to_the_part_and_nothing_else(name):
    claim, right, wrongs = CASES[name]
    candidates = [numeric(what, wrong) for what, wrong in wrongs.items()]
    report, found = verdicts(claim, numeric("right", right), *candidates, backend="numpy")
    assert found["right", "numpy"].status in GOOD
    for what in wrongs:
        assert found[what, "numpy"].status is Status.WRONG, what
    record = report.claims[0]
    assert record.proof.label.startswith("all_shapes")
    assert "up to" in record.statement
    assert all(mutant.killed_by for mutant in record.mutants)
    assert [result.holds for result in recheck(report)] == [True]


def test_the_claim_alone_is_as_expected_on_every_backend():
    report, _ = verdicts(SYMMETRIC, backend=["numpy", "torch-cpu"], dtype=["float64", "float32"])
    assert report.claims[0].outcome == "as_expected", report.claims[0].reason


def test_a_false_gradient_is_refuted_in_what_is_left():
    false = claim_of(
        quadratic,
        lambda A, x: 2 * outer(A, x),
        {"A": "antisymmetric"},
        A=symmetric("n n"),
        x=reals("n", -8, 8),
    )
    report, _ = verdicts(false, backend="numpy")
    assert report.claims[0].outcome == "not_as_expected"
    assert report.claims[0].proof.label == "refuted"
    assert [result.holds for result in recheck(report)] == [True]


def test_a_script_takes_the_part_out_too(tmp_path):
    _, found = verdicts(
        SYMMETRIC,
        numeric("wrong", lambda A, x: 2 * np.tril(np.outer(x, x))),
        backend="numpy",
    )
    script = found["wrong", "numpy"].counterexample.script
    assert "up to an antisymmetric matrix" in script
    path = tmp_path / "script.py"
    path.write_text(script, encoding="utf-8")
    assert subprocess.run([sys.executable, path], capture_output=True).returncode == 1
    mended = script.replace(
        "2 * np.tril(np.outer(x, x))",
        "np.outer(x, x) + np.triu(x[:, None] + 0 * x, 1) - np.triu(x[:, None] + 0 * x, 1).T",
    )
    path.write_text(mended, encoding="utf-8")
    assert subprocess.run([sys.executable, path], capture_output=True).returncode == 0


REFUSED = {
    "a free input": ({"A": "antisymmetric"}, {"A": reals("n n"), "x": reals("n")}, "has that part"),
    "no such part": ({"A": "symmetric"}, {"A": symmetric("n n"), "x": reals("n")}, "wanted one of"),
    "not in it": ({"x": "antisymmetric"}, {"A": symmetric("n n"), "x": reals("n")}, "names 'x'"),
    "no mapping": ("antisymmetric", {"A": symmetric("n n"), "x": reals("n")}, "wanted {input"),
    "the other triangle": (
        {"A": "below the diagonal"},
        {"A": triangular("n n"), "x": reals("n")},
        "has that part",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_no_part_that_the_domain_determines_is_left_out(name):
    up_to, inputs, words = REFUSED[name]
    with pytest.raises(ClaimError, match=words):
        claim_of(quadratic, outer, up_to, wrt="A", **inputs)


def _moves(name, generator):
    """A direction in which members of the structures move."""
    h = generator.normal(size=(4, 4))
    return {
        "antisymmetric": h + h.T,
        "above the diagonal": np.tril(h),
        "below the diagonal": np.triu(h),
        "constant along rows": h - h.mean(axis=-1, keepdims=True),
    }[name]


@pytest.mark.parametrize("name", PARTS)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_the_rest_is_what_moves_with_the_domain(name, seed):
    generator = np.random.default_rng(seed)
    g, h = generator.normal(size=(4, 4)), _moves(name, generator)
    rest = without(PARTS[name], g)
    np.testing.assert_allclose(np.sum(rest * h), np.sum(g * h), atol=1e-12)
    np.testing.assert_allclose(without(PARTS[name], rest), rest, atol=1e-14)
    np.testing.assert_allclose(_projected(name, rest), rest, atol=1e-14)
    by_script = eval(PARTS[name].script, {"np": np, "result": g})
    np.testing.assert_array_equal(by_script, rest)
    room = np.abs(generator.normal(size=(4, 4)))
    moved = without(PARTS[name], g + room * generator.uniform(-1, 1, (4, 4)))
    assert np.all(np.abs(moved - rest) <= PARTS[name].spread(room) + 1e-14)


def _projected(name, g):
    """The nearest direction in which the domain moves, by least squares on a basis."""
    basis = [_moves(name, np.random.default_rng(seed)).ravel() for seed in range(20)]
    matrix = np.stack(basis, axis=1)
    found, *_ = np.linalg.lstsq(matrix, g.ravel(), rcond=1e-10)
    return (matrix @ found).reshape(g.shape)


# --- factorisations that may fail -------------------------------------------------------------


def test_cholesky_of_hardly_definite_matrices_may_give_up():
    claim = Claim(
        id="c",
        title="t",
        source="s",
        domain=Domain(A=spd("n n")),
        statement=Equal(
            left=lambda A: ns(A).linalg.trace(A), right=lambda A: ns(A).linalg.trace(A)
        ),
    )
    given_up = []

    def by_cholesky(A):
        try:
            np.linalg.cholesky(A)
        except np.linalg.LinAlgError:
            given_up.append(A)
            raise
        return np.trace(A, dtype=A.dtype)

    def never(A):
        raise np.linalg.LinAlgError("no")

    _, found = verdicts(
        claim,
        numeric("cholesky", by_cholesky),
        numeric("never", never),
        backend="numpy",
        dtype="float32",
        examples=30,
    )
    assert given_up
    assert found["cholesky", "numpy"].status in GOOD
    assert found["never", "numpy"].status is Status.ERROR


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 8), digits=st.floats(0, 9))
def test_what_certainly_has_a_factor_has_one(seed, n, digits):
    generator = np.random.default_rng(seed)
    q, _ = np.linalg.qr(generator.normal(size=(n, n)))
    a = (q * 10 ** generator.uniform(-digits, 0, n)) @ q.T
    scale = 10 ** generator.uniform(-2, 2, n)
    a = (((a + a.T) / 2) * scale[:, None] * scale[None, :]).astype(np.float32)
    if certainly_factored(a.astype(np.float64), FORMATS["float32"]):
        np.linalg.cholesky(a)
    assert not certainly_factored(-np.eye(n), FORMATS["float32"])
    assert certainly_factored(np.eye(n), FORMATS["float32"])
    assert not certainly_factored(np.ones((n + 1, n + 1)), FORMATS["float32"])


def test_an_inverse_of_what_rounds_to_a_singular_matrix_may_give_up():
    """The product of two nearly singular matrices: nothing is known of its inverse."""
    m = np.array([[2.0**-11, 3.0], [2.0**-10, 6 + 2.0**-18]])
    w = np.array([[1.0, 1.0], [2.0, 2 + 2.0**-18]])

    def both(M, W):
        return M + 0, ns(M).linalg.inv(M @ W)

    claim = Claim(
        id="c",
        title="t",
        source="s",
        domain=Domain(M=fixed(m.tolist()), W=fixed(w.tolist())),
        statement=Equal(left=both, right=both),
    )
    record = check(claim, backend="numpy", dtype="float64").claims[0]
    verdict = next(v for v in record.verdicts if v.route == "right side")
    assert verdict.status is Status.INCONCLUSIVE
    assert "singular to working precision" in verdict.reason
