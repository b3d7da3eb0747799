"""What is derived for all sizes is true, is replayed by another evaluator, and nothing else is."""

import copy
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from array_api_compat import array_namespace as ns
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.proof.cases import (
    CASES,
    SQUARE,
    Case,
    attention_gradient,
    cross_entropy,
    inv,
    kronecker,
    lower,
    mean_square,
    outer,
    plain_softmax,
    sigmoid,
    softmax,
    trace_of,
)
from tests.proof.exact import Field, Reals, Singular, Unsupported, graph, replay, size_at
from tests.proof.programs import inputs, programs, words
from verimath.composites import layer_norm, norm, relu
from verimath.errors import FormulaError
from verimath.formula import operations as op
from verimath.formula.graph import Formula, topological
from verimath.formula.mutate import mutate
from verimath.formula.trace import trace
from verimath.proof.normal_form import normalise
from verimath.shapes import Size

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def derived(case, **options):
    left, right, primal = case.traced()
    differentiated = primal.outputs if primal else ()
    return normalise(
        left,
        right.outputs,
        hypotheses=case.structures,
        differentiated=differentiated,
        **options,
    )


def replayed(case, found, left, right, *, points=2, seed=1):
    """Replay a certificate at random points; how many points of the domain there were."""
    count, source = 0, random.Random(seed)
    for numbers in (Field(), Reals()):
        for _ in range(12):
            try:
                sizes, values = case.draw(numbers, source)
                problem = replay(numbers, found.certificate, left, right, values, sizes)
            except Singular:
                continue
            except Unsupported:
                break
            assert problem is None, (problem, sizes)
            count += 1
            if count % points == 0:
                break
    return count


@pytest.mark.parametrize("name", CASES)
def test_true_for_every_size_is_derived_and_replayed(name):
    case = CASES[name]
    found = derived(case)
    assert found.proved, found.reason
    assert found.steps_used < 1000
    left, right, _ = case.traced()
    assert replayed(case, found, left, right.outputs) >= 2


NEEDED = {
    "softmax cross-entropy": {"rows of y sum to one"},
    "tr(X'AX), A symmetric": {"A symmetric"},
    "rotated inverse": {"Q orthogonal"},
    "two-layer ReLU network": {"off the kinks: b1_i + Σ_j W1_ij x_j ≠ 0"},
    "fixed point of a splitting": {"M invertible", "M - N invertible"},
    "Woodbury": {
        "A invertible",
        "C invertible",
        "A + U C V invertible",
        "C⁻¹ + V A⁻¹ U invertible",
    },
    "linear regression": set(),
    "logistic loss, Hessian times vector": set(),
}


@pytest.mark.parametrize("name", NEEDED)
def test_hypotheses_are_those_that_were_needed(name):
    assert set(derived(CASES[name]).hypotheses) == NEEDED[name]


def test_unneeded_structure_is_no_hypothesis():
    case = CASES["tr(AXB)"]
    found = derived(Case(case.left, case.right, case.shapes, case.wrt, {"A": "simplex"}))
    assert found.proved
    assert found.hypotheses == ()


def test_jacobis_formula_is_an_axiom_where_a_determinant_was_differentiated():
    assert any("Jacobi" in axiom for axiom in derived(CASES["log determinant"]).axioms)
    assert any("Sylvester" in axiom for axiom in derived(CASES["matrix determinant lemma"]).axioms)
    assert derived(CASES["determinant of a product"]).axioms == ()
    assert derived(CASES["inverse"]).axioms == ()


# --- what is false ------------------------------------------------------------------------------


def _same_everywhere(case, left, right, *, seed=5):
    """Whether both sides agree at random points; None if no point is inside the domain."""
    source, verdicts = random.Random(seed), []
    for numbers in (Field(), Reals()):
        for _ in range(6):
            try:
                sizes, values = case.draw(numbers, source)
                pairs = [
                    (graph(numbers, a, values, sizes), graph(numbers, b, values, sizes))
                    for a, b in zip(left, right, strict=True)
                ]
            except Singular:
                continue
            except Unsupported:
                break
            verdicts.append(all(numbers.same(a, b) for a, b in pairs))
    return all(verdicts) if verdicts else None


@pytest.mark.parametrize("name", CASES)
def test_a_mutant_is_derived_only_if_it_is_the_same_function(name):
    case = CASES[name]
    left, right, _ = case.traced()
    refused = 0
    for slip, mutant in list(mutate(right))[:60]:
        found = normalise(left, mutant.outputs, hypotheses=case.structures, budget=5000)
        if found.proved:
            assert _same_everywhere(case, left, mutant.outputs) is not False, slip
        else:
            refused += 1
    assert refused >= 3  # twice, half, and the other sign


def _regression(X, w, y):
    return ns(X).mean((X @ w - y) ** 2)


REGRESSION = {"X": "n d", "w": "d", "y": "n"}


def _quadratic(A, X):
    return trace_of(X.T @ A @ X)


MATRICES = {"A": "n n", "B": "n n"}
FALSE = {
    "factor": Case(mean_square, lambda x: 2 / x.size * (x + 1), {"x": "n d"}, "x"),
    "sign": Case(
        lambda A, B: trace_of(B @ inv(A)), lambda A, B: (inv(A) @ B @ inv(A)).T, MATRICES, "A"
    ),
    "transpose": Case(
        lambda A, B: trace_of(B @ inv(A)), lambda A, B: -inv(A) @ B @ inv(A), MATRICES, "A"
    ),
    "dropped term": Case(
        _quadratic, lambda A, X: A @ X, {"A": "n n", "X": "n k"}, "X", {"A": "symmetric"}
    ),
    "sum for mean": Case(_regression, lambda X, w, y: 2 * (X.T @ (X @ w - y)), REGRESSION, "w"),
    "n - 1 for n": Case(
        _regression,
        lambda X, w, y: 2 / (X.shape[0] - 1) * (X.T @ (X @ w - y)),
        REGRESSION,
        "w",
    ),
    "n - 1 for n in a variance": Case(
        lambda x: ns(x).mean((x - ns(x).mean(x)) ** 2),
        lambda x: ns(x).sum((x - ns(x).mean(x)) ** 2) / (x.shape[0] - 1),
        {"x": "n"},
    ),
    "d for n": Case(
        _regression, lambda X, w, y: 2 / X.shape[1] * (X.T @ (X @ w - y)), REGRESSION, "w"
    ),
    "wrong order": Case(lambda A, B: inv(A @ B), lambda A, B: inv(A) @ inv(B), MATRICES),
    "trace in the wrong order": Case(
        lambda A, B, C: trace_of(A @ B @ C),
        lambda A, B, C: trace_of(A @ C @ B),
        {**MATRICES, "C": "n n"},
    ),
    "symmetric only": Case(_quadratic, lambda A, X: 2 * A @ X, {"A": "n n", "X": "n k"}, "X"),
    "rows that sum to one only": Case(
        cross_entropy,
        lambda z, y: (softmax(z) - y) / z.shape[0],
        {"z": "n c", "y": "n c"},
        "z",
    ),
    "orthogonal only": Case(lambda A: A @ A.T, lambda A: ns(A).eye(A.shape[0]), {"A": "n n"}),
    "degree-3 trace identity": Case(
        lambda A: trace_of(A) ** 3 + 2 * trace_of(A @ A @ A),
        lambda A: 3 * trace_of(A) * trace_of(A @ A),
        {"A": "n n"},
    ),
    "degree-2 trace identity": Case(
        lambda A: trace_of(A) ** 2, lambda A: trace_of(A @ A), {"A": "n n"}
    ),
    "true at n = 1": Case(lambda x: ns(x).sum(x) ** 2, lambda x: ns(x).sum(x**2), {"x": "n"}),
    "a dimension minus one": Case(
        lambda x: x * x.shape[0], lambda x: x * x.shape[0] ** 2, {"x": "n"}
    ),
    "root of a square": Case(lambda x: ns(x).sqrt(x**2), lambda x: x, {"x": "n"}),
    "captured index": Case(
        lambda x, y: ns(x).sum(x[:, None] * ns(x).sum(x[:, None] * y[None, :]), axis=0),
        lambda x, y: ns(x).sum(x[:, None] * x[:, None] * ns(x).sum(y), axis=0),
        {"x": "n", "y": "n"},
    ),
    "captured in a function": Case(
        lambda x: ns(x).sum(ns(x).exp(x) * ns(x).sum(ns(x).exp(x))),
        lambda x: ns(x).sum(ns(x).exp(x) * ns(x).exp(x)),
        {"x": "n"},
    ),
    "normalised along the other axis": Case(
        lambda z: plain_softmax(z), lambda z: plain_softmax(z.T).T, {"z": "n n"}
    ),
    "softmax of scaled rows": Case(lambda z: softmax(2 * z), lambda z: softmax(z), {"z": "n c"}),
    "Hadamard for the matrix product": Case(lambda A, B: A * B, lambda A, B: A @ B, MATRICES),
    "inverse element by element": Case(lambda A: inv(A), lambda A: 1 / A, {"A": "n n"}),
    "inverse of a sum": Case(lambda A, B: inv(A + B), lambda A, B: inv(A) + inv(B), MATRICES),
    "determinant of a sum": Case(
        lambda A, B: ns(A).linalg.det(A + B),
        lambda A, B: ns(A).linalg.det(A) + ns(A).linalg.det(B),
        MATRICES,
    ),
    "determinant of twice": Case(
        lambda A: ns(A).linalg.det(2 * A), lambda A: 2 * ns(A).linalg.det(A), {"A": "n n"}
    ),
    "Sherman-Morrison with a minus": Case(
        lambda A, u, v: inv(A + outer(u, v)),
        lambda A, u, v: inv(A) - outer(inv(A) @ u, v @ inv(A)) / (1 - v @ inv(A) @ u),
        {"A": "n n", "u": "n", "v": "n"},
    ),
    "determinant lemma with the wrong inverse": Case(
        lambda A, u, v: ns(A).linalg.det(A + outer(u, v)),
        lambda A, u, v: ns(A).linalg.det(A) * (1 + u @ inv(A) @ v),
        {"A": "n n", "u": "n", "v": "n"},
    ),
    "Woodbury without C": Case(
        lambda A, U, C, V: inv(A + U @ C @ V),
        lambda A, U, C, V: inv(A) - inv(A) @ U @ inv(C + V @ inv(A) @ U) @ V @ inv(A),
        {"A": "n n", "U": "n k", "C": "k k", "V": "k n"},
    ),
    "push-through on the wrong side": Case(
        lambda A, B: A @ inv(ns(A).eye(A.shape[0]) + B @ A),
        lambda A, B: inv(ns(A).eye(A.shape[0]) + B @ A) @ A,
        MATRICES,
    ),
    "Gauss-Seidel, another splitting": Case(
        lambda A, b: inv(lower(A)) @ ((lower(A) + A) @ (inv(A) @ b) + b),
        lambda A, b: inv(A) @ b,
        SQUARE,
    ),
    "length without the root": Case(lambda x: norm(x), lambda x: 2 * x, {"x": "n"}, "x"),
    "step of the wrong layer": Case(
        lambda W, b, x: ns(x).sum(relu(W @ x + b)),
        lambda W, b, x: W.T @ ns(x).where(W @ x > 0, 1.0, 0.0),
        {"W": "h d", "b": "h", "x": "d"},
        "x",
    ),
    "logistic Hessian without 1 - p": Case(
        lambda X, w, v: ns(X).sum((X.T @ sigmoid(X @ w)) * v),
        lambda X, w, v: X.T @ (sigmoid(X @ w) * (X @ v)),
        {"X": "n d", "w": "d", "v": "d"},
        "w",
    ),
    "layer norm, statistics held fixed": Case(
        lambda x, c, w: ns(x).sum(c * layer_norm(x, w, ns(x).zeros_like(w))),
        lambda x, c, w: (
            c
            * w
            / ns(x).sqrt(
                ns(x).mean((x - ns(x).mean(x, axis=-1, keepdims=True)) ** 2, axis=-1, keepdims=True)
                + 1e-5
            )
        ),
        {"x": "n d", "c": "n d", "w": "d"},
        "x",
    ),
    "attention without its root": Case(
        lambda q, k, v, c: ns(q).sum((plain_softmax(q @ k.T) @ v) * c),
        attention_gradient("q"),
        {"q": "n d", "k": "m d", "v": "m e", "c": "n e"},
        "q",
    ),
    "vec(AXB) with B for B'": Case(
        lambda A, X, B: A @ X @ B,
        lambda A, X, B: ns(X).tensordot(kronecker(A, B), X, axes=((2, 3), (0, 1))),
        {"A": "n n", "X": "n n", "B": "n n"},
    ),
}


@pytest.mark.parametrize("name", FALSE)
def test_false_is_refused(name):
    case = FALSE[name]
    found = derived(case)
    assert not found.proved
    assert found.reason is not None
    assert found.reason.startswith("what is left: ")
    assert found.certificate == {}
    left, right, _ = case.traced()
    wrong = Case(case.left, case.right, case.shapes, case.wrt, case.structures)
    assert _same_everywhere(wrong, left, right.outputs) is False


@given(words(most=4), st.data())
@settings(max_examples=60, suppress_health_check=SLOW)
def test_words_that_are_derived_to_be_equal_are(node, data):
    other = data.draw(words(most=4))
    _assert_sound(node, other, rooted=False)


@given(programs(most=5), st.data())
@settings(max_examples=60, suppress_health_check=SLOW)
def test_programs_that_are_derived_to_equal_a_mutant_do(node, data):
    given_ = {n.parameter: n for n in topological((node,)) if n.operation == "input"}
    mutants = [m for _, m in mutate(Formula("f", given_, (node,), {}))]
    _assert_sound(node, data.draw(st.sampled_from(mutants)).outputs[0], rooted=True)


def _assert_sound(node, other, *, rooted):
    if node.shape != other.shape:
        return
    found = normalise((node,), (other,), budget=3000)
    if found.proved:
        numbers = Reals() if rooted else Field()
        for sizes, values in points(numbers):
            try:
                problem = replay(numbers, found.certificate, (node,), (other,), values, sizes)
            except Singular:
                continue
            assert problem is None


def points(numbers, *, count=3, seed=0):
    """Random sizes and values of the inputs of random programs."""
    source = random.Random(seed)
    for _ in range(count):
        sizes = {"n": source.randint(1, 3), "d": source.randint(1, 3)}
        yield (
            sizes,
            {
                name: numbers.draw(source, tuple(size_at(n, sizes) for n in node.shape))
                for name, node in inputs().items()
            },
        )


# --- certificates that were tampered with -------------------------------------------------------


def _with(certificate, change):
    """A certificate with a change made to it."""
    other = copy.deepcopy(certificate)
    change(other)
    return other


def _flip(terms):
    terms[0]["coefficient"] = str(-int(terms[0]["coefficient"]))


TAMPERED = {
    "a flipped coefficient of the left side": lambda c: _flip(c["outputs"][0]["left"]),
    "a flipped coefficient of the difference": lambda c: _flip(
        c["outputs"][0]["steps"][0]["terms"]
    ),
    "a flipped coefficient of a step": lambda c: _flip(c["outputs"][0]["steps"][1]["terms"]),
    "a term that becomes another": lambda c: _flip(
        c["outputs"][0]["steps"][-1]["changes"][0]["to"]
    ),
    "a term that is replaced and not there": lambda c: _flip(
        [c["outputs"][0]["steps"][-1]["changes"][0]["from"]]
    ),
    "a term that is forgotten": lambda c: c["outputs"][0]["steps"][1]["changes"].pop(),
    "a step that is left out": lambda c: c["outputs"][0]["steps"].pop(1),
    "a flipped coefficient of a definition": lambda c: _flip(
        next(d for d in c["definitions"].values() if len(d.get("terms", ())) == 2)["terms"]
    ),
    "a multiplier that is left out": lambda c: next(
        step for step in c["outputs"][0]["steps"] if "times" in step
    ).pop("times"),
    "another multiplier": lambda c: _flip(
        next(s["times"] for s in c["outputs"][0]["steps"] if "axis" in s.get("times", {}))["terms"]
    ),
    "a conclusion out of nowhere": lambda c: c["outputs"][0]["steps"][0].update(terms=[]),
    "an end that is not empty": lambda c: c["outputs"][0]["steps"].pop(),
    "a definition of another kind": lambda c: next(
        d for d in c["definitions"].values() if d["kind"] == "inverse"
    ).update(kind="sum"),
    "another input": lambda c: next(
        d for d in c["definitions"].values() if d.get("name") == "u"
    ).update(name="v"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_tampered_certificate_is_rejected(name):
    case = CASES["Sherman-Morrison"]
    found = derived(case)
    left, right, _ = case.traced()
    sizes, values = {"n": 3}, {}
    for key, shape in (("A", (3, 3)), ("u", (3,)), ("v", (3,))):
        values[key] = Field().draw(random.Random(key), shape)
    assert replay(Field(), found.certificate, left, right.outputs, values, sizes) is None
    wrong = _with(found.certificate, TAMPERED[name])
    assert replay(Field(), wrong, left, right.outputs, values, sizes) is not None


# --- limits and bad input -----------------------------------------------------------------------


def _sums(count, size):
    """A product of `count` matrices, each a sum of `size` inputs; and the inputs' shapes."""
    shapes = {f"x{k}": (Size.of("n"), Size.of("n")) for k in range(count * size)}

    def formula(*x):
        product = sum(x[1:size], x[0])
        for k in range(1, count):
            product = product @ sum(x[k * size + 1 : (k + 1) * size], x[k * size])
        return product

    return formula, shapes


def test_a_product_of_twelve_sums_ends_at_the_budget():
    formula, shapes = _sums(12, 3)
    left = trace(formula, shapes)
    found = normalise(left.outputs, left.outputs, budget=4000)
    assert not found.proved
    assert found.reason == "undecided: budget of 4000 rewrite steps used"
    assert found.steps_used == 4000


CHAINS = {
    "sine": lambda x: ns(x).sin(x) + 1,
    "square": lambda x: x * x + 1,
    "softmax": softmax,
    "ReLU": relu,
    "reciprocal": lambda x: 1 / (1 + x),
    "inverse": lambda A: inv(A + A @ A),
    "product": lambda x: x @ x if x.ndim == 2 else x,
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_of_sixty_ends(name):
    def formula(A):
        for _ in range(60):
            A = CHAINS[name](A)
        return A

    shapes = {"A": (Size.of("n"), Size.of("n"))}
    one = trace(formula, shapes).outputs
    other = trace(lambda A: 2 * formula(A), shapes).outputs
    found = normalise(one, other)
    assert not found.proved
    assert found.reason is not None
    assert len(found.reason) < 10_000
    assert found.steps_used <= 20_000


def test_the_budget_is_the_same_every_time():
    case = CASES["Woodbury"]
    counts = {derived(case).steps_used for _ in range(3)}
    assert len(counts) == 1
    (steps,) = counts
    assert derived(case, budget=steps).proved
    short = derived(case, budget=steps - 1)
    assert short.reason == f"undecided: budget of {steps - 1} rewrite steps used"


_PRINTED = """
import json
from tests.proof.cases import CASES
from tests.proof.test_normal_form import derived
for name in ("Woodbury", "layer norm", "SOR, error", "softmax cross-entropy"):
    found = derived(CASES[name])
    print(json.dumps([found.steps_used, found.rules, found.hypotheses, found.certificate]))
"""


def test_a_derivation_is_the_same_in_every_process():
    printed = {
        subprocess.run(
            [sys.executable, "-c", _PRINTED],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
    assert printed != {b""}


def test_what_index_notation_lacks_is_named():
    x = op.input_("x", (Size.of("n"), Size.of("d")))
    merged = op.reshape(x, (Size.of("n") * Size.of("d"),))
    found = normalise((merged,), (merged,))
    assert (
        found.reason
        == "not expressible: reshape from (n, d) to (d*n,), which merges or splits axes"
    )
    zero = op.subtract(x, x)
    found = normalise((op.divide(x, zero),), (x,))
    assert found.reason is not None
    assert found.reason.startswith("not expressible: a division by something that is zero")


def test_sides_that_cannot_be_equal_are_an_error():
    x, y = op.input_("x", (Size.of("n"),)), op.input_("y", (Size.of("d"),))
    with pytest.raises(FormulaError, match=r"shapes \(n,\) and \(d,\) differ"):
        normalise((x,), (y,))
    with pytest.raises(FormulaError, match="1 output"):
        normalise((x,), (x, y))
