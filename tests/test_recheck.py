"""`verimath recheck`: true certificates hold, corrupted and false ones don't, hostile ones end."""

import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import verimath
from verimath import (
    Claim,
    Domain,
    Equal,
    Gradient,
    Report,
    UsageError,
    induction,
    labels,
    positive,
    reals,
    recheck,
    symmetric,
)
from verimath.catalogue import all_claims
from verimath.cli import main
from verimath.report.record import ClaimRecord, Environment, Proof, Summary, Timing


def xp(x: Any) -> Any:
    return array_namespace(x)


def _claim(name: str, statement: Any, **domain: Any) -> Claim:
    return Claim(id=name, title=name, source="here", domain=Domain(**domain), statement=statement)


def _trace(A: Any) -> Any:
    return xp(A).linalg.trace(A)


OWN = [
    _claim(
        "double-angle",
        Equal(left=lambda x: xp(x).sin(2 * x), right=lambda x: 2 * xp(x).sin(x) * xp(x).cos(x)),
        x=reals("n"),
    ),
    _claim(
        "determinant",
        Equal(
            left=lambda A: xp(A).linalg.det(A),
            right=lambda A: A[0, 0] * A[1, 1] - A[0, 1] * A[1, 0],
        ),
        A=reals("2 2"),
    ),
    _claim(
        "root",
        Equal(left=lambda x: xp(x).sqrt(x * x * x), right=lambda x: x * xp(x).sqrt(x)),
        x=positive("n"),
    ),
    _claim(
        "symmetric",
        Equal(left=lambda A, x: A @ x, right=lambda A, x: xp(A).matrix_transpose(A) @ x),
        A=symmetric("n n"),
        x=reals("n"),
    ),
    _claim(
        "symmetric-sine",
        Gradient(
            of=lambda A, x: xp(x).sin(x @ A @ x) ** 2,
            wrt="x",
            equals=lambda A, x: 2 * (A @ x) * xp(x).sin(2 * (x @ A @ x)),
        ),
        A=symmetric("n n"),
        x=reals("n"),
    ),
    # Steps that are multiplied by a matrix, along either axis, and by one for each of several.
    _claim(
        "push-through",
        Equal(
            left=lambda A, B: xp(A).linalg.inv(xp(A).eye(A.shape[0]) + A @ B) @ A,
            right=lambda A, B: A @ xp(A).linalg.inv(xp(A).eye(B.shape[0]) + B @ A),
        ),
        A=reals("n m"),
        B=reals("m n"),
    ),
    _claim(
        "push-through-stacked",
        Equal(
            left=lambda A, B: xp(A).linalg.inv(A + B @ B) @ A,
            right=lambda A, B: xp(A).linalg.inv(
                xp(A).eye(A.shape[1]) + xp(A).linalg.inv(A) @ B @ B
            ),
        ),
        A=reals("2 n n"),
        B=reals("2 n n"),
    ),
    _claim(
        "false-traces",
        Equal(left=lambda A: _trace(A) ** 2, right=lambda A: _trace(A @ A)),
        A=reals("n n"),
    ),
    _claim(
        "false-exponential", Equal(left=lambda x: xp(x).exp(x), right=lambda x: 1 + x), x=reals("n")
    ),
    _claim(
        "false-gradient",
        Gradient(of=lambda x: xp(x).mean(x * x), wrt="x", equals=lambda x: 2 * x),
        x=reals("n"),
    ),
    _claim(
        "collapse",
        induction(
            left=(lambda X, W: X, lambda H, X, W: H @ W),
            right=(lambda X, W: xp(X).eye(X.shape[1]), lambda M, X, W: M @ W),
            relation=lambda M, X, W: X @ M,
        ),
        M=reals("d a"),
        X=reals("n d"),
        W=reals("a b"),
    ),
]


@functools.cache
def _proofs() -> dict[str, Proof]:
    claims = [*all_claims().values(), *OWN]
    return {claim.id: verimath.prove(claim) for claim in claims}


@pytest.fixture
def proofs() -> dict[str, Proof]:
    return dict(_proofs())


def report_of(proofs: dict[str, Proof]) -> Report:
    claims = tuple(
        ClaimRecord(
            id=name,
            title=name,
            source="",
            statement="",
            domain="",
            expected="holds",
            outcome="as_expected",
            reason="",
            proof=proof,
            mutants=(),
            verdicts=(),
        )
        for name, proof in proofs.items()
    )
    return Report(
        seed=0,
        environment=Environment(
            verimath="",
            python="",
            platform="",
            processor="",
            libraries={},
            backends={},
            settings={},
        ),
        summary=Summary(
            claims=len(claims),
            as_expected=0,
            not_as_expected=0,
            undecided=0,
            verdicts={},
            examples=0,
            elements=0,
        ),
        claims=claims,
        timing=Timing(started="", seconds=0, claims={}),
    )


def check(proof: Proof) -> verimath.Recheck:
    (result,) = recheck(report_of({"it": proof}))
    return result


def refused(proof: Proof, *words: str) -> None:
    result = check(proof)
    assert result.holds is False, result
    assert any(word in result.reason for word in words), result.reason


def editable(proof: Proof) -> Any:
    return json.loads(proof.model_dump_json())


def sealed(edited: Any) -> Proof:
    return Proof.model_validate_json(json.dumps(edited))


# What is true ----------------------------------------------------------------------------------


def test_every_certificate_of_the_catalogue_holds(proofs: dict[str, Proof]) -> None:
    results = recheck(report_of(proofs))
    kinds = {part.kind for proof in proofs.values() for part in proof.certificate}
    assert kinds == {"evaluation", "derivation", "counterexample", "excess", "bound", "induction"}
    assert {result.claim: result.reason for result in results if result.holds is False} == {}
    assert sum(result.holds is True for result in results) > 100


def test_sizes_that_the_prover_printed_reach_the_lemma_counted_here(
    proofs: dict[str, Proof],
) -> None:
    """Derivations as evaluations at the sizes beside them: enough, and one less is not."""
    lowered = 0
    for name, wanted in {
        "linear-regression-gradients": {"n": (1, 2), "d": (1, 2)},
        "summed-matrix-product-gradient": {"n": (1, 3)},
        "mlp-collapse-3": {"n": (1, 1), "d0": (1, 2), "d1": (1, 2), "d2": (1, 2), "d3": (1, 1)},
    }.items():
        edited = editable(proofs[name])
        (part,) = edited["certificate"]
        del part["steps"]
        part |= {"kind": "evaluation", "sizes": wanted, "failure_bits": 40}
        edited["label"] = "all_shapes_randomised"
        assert check(sealed(edited)).holds, name
        for dimension, (low, high) in wanted.items():
            if high > low:
                part["sizes"] = {**wanted, dimension: (low, high - 1)}
                refused(sealed(edited), "the lemma needs")
                lowered += 1
    assert lowered == 6


# What was corrupted ----------------------------------------------------------------------------


def node(
    operation: str, inputs: Any = (), shape: Any = (), parameter: Any = None, kind: str = "real"
) -> Any:
    return {
        "operation": operation,
        "inputs": list(inputs),
        "shape": list(shape),
        "parameter": parameter,
        "kind": kind,
    }


def evaluation(graph: Any, pairs: Any, sizes: Any, inputs: Any = (("x", ("n",)),)) -> Proof:
    part = {
        "kind": "evaluation",
        "graph": graph,
        "inputs": [{"name": name, "shape": shape} for name, shape in inputs],
        "pairs": pairs,
        "sizes": sizes,
        "failure_bits": 40,
    }
    return sealed({"label": "all_shapes_randomised", "certificate": [part]})


X = node("input", (), ["n"], "x")
QUOTIENTS = [  # x / (1 + x²) and 1 / (1/x + x)
    X,
    node("power", [0], ["n"], "2"),
    node("constant", (), (), {"factor": "1"}),
    node("broadcast", [2], ["n"]),
    node("add", [1, 3], ["n"]),
    node("divide", [0, 4], ["n"]),
    node("divide", [3, 0], ["n"]),
    node("add", [6, 0], ["n"]),
    node("divide", [3, 7], ["n"]),
    node("einsum", [5], [], "i->"),
    node("einsum", [8], [], "i->"),
]


@pytest.mark.parametrize(
    ("place", "changes"),
    [
        (2, {"parameter": {"factor": "-1"}}),
        (1, {"parameter": "3"}),
        (5, {"inputs": [4, 0]}),
        (7, {"operation": "multiply"}),
        (8, {"inputs": [7, 3]}),
        (0, {"parameter": "y"}),
    ],
)
def test_one_change_of_an_evaluation_is_noticed(place: int, changes: Any) -> None:
    true = evaluation(QUOTIENTS, [(9, 10)], {"n": (1, 2)})
    assert check(true).holds
    graph = [*QUOTIENTS[:place], {**QUOTIENTS[place], **changes}, *QUOTIENTS[place + 1 :]]
    refused(evaluation(graph, [(9, 10)], {"n": (1, 2)}), "differ", "no input")


def test_a_changed_einsum_and_a_swapped_solve_are_noticed() -> None:
    inputs = (("A", ("n", "n")), ("B", ("n", "n")))
    graph = [
        node("input", (), ["n", "n"], "A"),
        node("input", (), ["n", "n"], "B"),
        node("einsum", [0, 1], ["n", "n"], "ij,jk->ik"),
        node("einsum", [1, 0], ["n", "n"], "jk,ij->ik"),
        node("solve", [0, 2], ["n", "n"]),
    ]
    assert check(evaluation(graph, [(2, 3)], {"n": (1, 3)}, inputs)).holds
    changed = [*graph[:3], node("einsum", [1, 0], ["n", "n"], "kj,ij->ik"), graph[4]]
    refused(evaluation(changed, [(2, 3)], {"n": (1, 3)}, inputs), "differ")
    swapped = [*graph[:4], node("solve", [2, 0], ["n", "n"])]
    for nodes, holds in ((graph, True), (swapped, False)):
        edited = editable(evaluation(nodes, [(4, 1)], None, inputs))
        edited["label"] = "exact_at_shapes"
        edited["certificate"][0]["bindings"] = [{"n": 2}, {"n": 3}]
        assert check(sealed(edited)).holds is holds
    # For all sizes, an inverse is beyond the lemma.
    refused(evaluation(graph, [(4, 1)], {"n": (1, 4)}, inputs), "no bound for n")


def antisymmetriser() -> list[Any]:
    """6 e₃(A) = tr(A)³ - 3 tr(A) tr(A²) + 2 tr(A³): zero for n < 3 only."""
    return [
        node("input", (), ["n", "n"], "A"),
        node("einsum", [0], (), "ii->"),
        node("einsum", [0, 0], ["n", "n"], "ij,jk->ik"),
        node("einsum", [2], (), "ii->"),
        node("einsum", [2, 0], (), "ij,ji->"),
        node("power", [1], (), "3"),
        node("multiply", [1, 3]),
        node("constant", (), (), {"factor": "3"}),
        node("multiply", [6, 7]),
        node("constant", (), (), {"factor": "2"}),
        node("multiply", [4, 9]),
        node("add", [5, 10]),
    ]


def test_an_identity_of_small_sizes_is_not_one_of_all() -> None:
    inputs = (("A", ("n", "n")),)
    refused(
        evaluation(antisymmetriser(), [(11, 8)], {"n": (1, 2)}, inputs),
        "n is looked at up to 2, the lemma needs 4",
    )
    refused(evaluation(antisymmetriser(), [(11, 8)], {"n": (1, 4)}, inputs), "differ at n=")
    edited = editable(evaluation(antisymmetriser(), [(11, 8)], None, inputs))
    edited["certificate"][0]["bindings"] = [{"n": 1}, {"n": 2}]
    refused(sealed(edited), "some sizes of n only")
    edited["label"] = "exact_at_shapes"
    assert check(sealed(edited)).holds


ONE = node("constant", (), (), {"factor": "1"})
ONES = [ONE, node("broadcast", [0], ["n"])]
INDEX = node("index", (), ["n"], None, "integer")
HIDDEN_SIZES: dict[str, tuple[list[Any], Any]] = {
    "size": ([node("size", (), (), "n")], lambda n: n),
    "sum of ones": ([*ONES, node("einsum", [1], (), "i->")], lambda n: n),
    "trace of I": (
        [node("delta", (), ["n", "n"]), node("einsum", [0], (), "ii->")],
        lambda n: n,
    ),
    "sum of x/x": (
        [X, node("divide", [0, 0], ["n"]), node("einsum", [1], (), "i->")],
        lambda n: n,
    ),
    "reciprocal": (
        [*ONES, node("einsum", [1], (), "i->"), node("divide", [0, 2])],
        lambda n: Fraction(1, n),
    ),
    "product": (
        [
            node("constant", (), (), {"factor": "2"}),
            node("broadcast", [0], ["n"]),
            node("product", [1], (), 0),
        ],
        lambda n: 2**n,
    ),
    "running sums": (
        [*ONES, node("cumulative", [1], ["n"], [0, False]), node("einsum", [2], (), "i->")],
        lambda n: n * (n + 1) // 2,
    ),
    "indices": (
        [INDEX, node("convert", [0], ["n"]), node("einsum", [1], (), "i->")],
        lambda n: n * (n - 1) // 2,
    ),
    "twice as long": (
        [*ONES, node("concatenate", [1, 1], ["2*n"], 0), node("einsum", [2], (), "i->")],
        lambda n: 2 * n,
    ),
}


@pytest.mark.parametrize("name", HIDDEN_SIZES)
@pytest.mark.parametrize("top", [1, 2, 3])
def test_a_size_in_disguise_is_counted(name: str, top: int) -> None:
    """Π (v(n) - v(m)) over m ≤ top is zero up to top, and nowhere else."""
    graph, value = HIDDEN_SIZES[name]
    graph = list(graph)
    hidden, product = len(graph) - 1, None
    for m in range(1, top + 1):
        graph.append(node("constant", (), (), {"factor": str(-Fraction(value(m)))}))
        graph.append(node("add", [hidden, len(graph) - 1]))
        if product is not None:
            graph.append(node("multiply", [product, len(graph) - 1]))
        product = len(graph) - 1
    graph.append(node("constant", (), (), {"factor": "0"}))
    inputs = [("x", ("n",))] if X in graph else []
    pairs = [(product, len(graph) - 1)]
    for highest in range(1, top + 1):
        proof = evaluation(graph, pairs, {"n": (1, highest)}, inputs)
        refused(proof, "the lemma needs", "the lemma gives no bound")
    refused(evaluation(graph, pairs, {"n": (1, top + 1)}, inputs), "differ")


def test_unknowns_shared_at_one_size_only_prove_nothing() -> None:
    """exp(Σ x) and Σ exp(x) are equal for n = 1."""
    graph = [
        X,
        node("function", [0], ["n"], "exp"),
        node("einsum", [1], [], "i->"),
        node("einsum", [0], [], "i->"),
        node("function", [3], [], "exp"),
    ]
    refused(evaluation(graph, [(2, 4)], {"n": (1, 1)}), "differ", "lemma")
    refused(evaluation(graph, [(2, 4)], {"n": (1, 2)}), "differ")


def test_a_root_of_a_square_is_not_what_it_was() -> None:
    graph = [X, node("multiply", [0, 0], ["n"]), node("power", [1], ["n"], "1/2")]
    refused(evaluation(graph, [(2, 0)], {"n": (1, 1)}), "differ")
    graph.append(node("power", [2], ["n"], "2"))
    assert check(evaluation(graph, [(3, 1)], {"n": (1, 1)})).holds


def _term(coefficient: str, *factors: tuple[str, tuple[str, ...]], exponent: str = "1") -> Any:
    names = {index for _, indices in factors for index in indices}
    return {
        "coefficient": coefficient,
        "factors": [
            {"of": of, "indices": list(indices), "exponent": exponent} for of, indices in factors
        ],
        "sum": dict.fromkeys(sorted(names), "n"),
    }


def test_roots_are_tried_with_every_sign() -> None:
    """The first root of a product is that of its factors; the others' signs are anybody's."""
    graph = [
        X,
        node("input", (), ["n"], "y"),
        node("multiply", [0, 1], ["n"]),
        node("power", [2], ["n"], "1/2"),
        node("power", [0], ["n"], "1/2"),
        node("power", [1], ["n"], "1/2"),
        node("multiply", [4, 5], ["n"]),
        node("multiply", [4, 4], ["n"]),
    ]
    inputs = (("x", ("n",)), ("y", ("n",)))
    refused(evaluation(graph, [[3, 6]], {"n": [1, 1]}, inputs), "differ")
    assert check(evaluation(graph, [[7, 0]], {"n": [1, 1]}, inputs)).holds


def test_steps_are_tried_with_both_values() -> None:
    """H(x) = 1 and H(x)^2 = 1 are true of every x > 0; H(x)^2 = H(x) of every x."""
    graph = [
        X,
        node("subgradient", [0], ["n"], "step"),
        node("constant", (), (), {"factor": "1"}),
        node("broadcast", [2], ["n"]),
        node("multiply", [1, 1], ["n"]),
    ]
    for pair in ([1, 3], [4, 3]):
        refused(evaluation(graph, [pair], {"n": [1, 1]}), "differ")
    assert check(evaluation(graph, [[4, 1]], {"n": [1, 1]})).holds


def test_a_step_that_holds_for_small_sizes_only_is_noticed() -> None:
    """The antisymmetriser's first term is the others for n < 3: a step that says so is false."""
    a, b, c = (("h0", (x, x)) for x in ("s0", "s1", "s2"))
    cube = _term("1", a, b, c)
    mixed = _term("-3", a, ("h0", ("s1", "s2")), ("h0", ("s2", "s1")))
    cycle = _term("2", ("h0", ("s0", "s1")), ("h0", ("s1", "s2")), ("h0", ("s2", "s0")))
    negated = [{**t, "coefficient": k} for t, k in ((mixed, "3"), (cycle, "-2"))]
    steps = {
        "format": "verimath derivation 1",
        "hypotheses": [],
        "definitions": {
            "h0": {"kind": "tensor", "name": "A", "indices": ["n", "n"], "axes": [0, 1], "rank": 2}
        },
        "outputs": [
            {
                "shape": [],
                "left": [cube, cycle],
                "right": [{**mixed, "coefficient": "3"}],
                "steps": [
                    {"rule": "left side minus right side", "terms": [cube, cycle, mixed]},
                    {
                        "rule": "e₃ is zero",
                        "changes": [{"from": cube, "to": negated}],
                        "terms": [],
                    },
                ],
            }
        ],
    }
    edited = editable(evaluation(antisymmetriser(), [(11, 8)], None, (("A", ("n", "n")),)))
    (part,) = edited["certificate"]
    for key in ("sizes", "failure_bits", "bindings"):
        part.pop(key, None)
    part |= {"kind": "derivation", "steps": steps}
    edited["label"] = "all_shapes_derivation"
    refused(sealed(edited), "'e₃ is zero' doesn't hold at n=3", "'e₃ is zero' doesn't hold at n=4")


def derivations(edited: Any) -> Iterator[Any]:
    for part in edited["certificate"]:
        parts = [*part["base"], *part["step"]] if part["kind"] == "induction" else [part]
        yield from (inner for inner in parts if inner["kind"] == "derivation")


def test_every_rule_is_noticed_when_its_step_is_tampered_with(proofs: dict[str, Proof]) -> None:
    rules: set[str] = set()
    for proof in proofs.values():
        for at, part in enumerate(derivations(editable(proof))):
            for number, output in enumerate(part["steps"]["outputs"]):
                for place in range(1, len(output["steps"])):
                    rule = output["steps"][place]["rule"]
                    if rule in rules:
                        continue
                    rules.add(rule)
                    dropped = editable(proof)
                    del list(derivations(dropped))[at]["steps"]["outputs"][number]["steps"][place]
                    refused(sealed(dropped), "step", "derivation")
                    flipped = editable(proof)
                    tampered = list(derivations(flipped))[at]["steps"]["outputs"][number]
                    change = tampered["steps"][place]["changes"][0]
                    change["from"]["coefficient"] = "17/5"
                    refused(sealed(flipped), "a term that isn't there")
                    renamed = editable(proof)
                    tampered = list(derivations(renamed))[at]["steps"]["outputs"][number]
                    tampered["steps"][place]["rule"] = "left side minus right side"
                    refused(sealed(renamed), "has no rule")
    assert {"A⁻¹ A = I", "a sum divided by itself is one", "multiplied by a denominator"} <= rules


@pytest.mark.parametrize("name", ["push-through", "push-through-stacked"])
def test_another_matrix_that_a_step_is_multiplied_by_is_noticed(
    proofs: dict[str, Proof], name: str
) -> None:
    """Nothing, twice as much, or the same along another axis."""

    def changed(change: Any) -> Proof:
        edited = editable(proofs[name])
        (part,) = edited["certificate"]
        times = next(
            step["times"]
            for output in part["steps"]["outputs"]
            for step in output["steps"]
            if "axis" in (step.get("times") or {})
        )
        change(times)
        return sealed(edited)

    assert check(changed(lambda times: None)).holds
    refused(changed(lambda times: times.update(terms=[])), "singular")
    for change in (
        lambda times: times.update(terms=times["terms"] * 2),
        lambda times: times.update(axis=times["axis"] - 1),
    ):
        assert check(changed(change)).holds is False


def test_a_hypothesis_that_is_dropped_is_missed(proofs: dict[str, Proof]) -> None:
    edited = editable(proofs["symmetric"])
    (part,) = edited["certificate"]
    assert "A symmetric" in part["steps"]["hypotheses"]
    part["steps"]["hypotheses"] = []
    refused(sealed(edited), "isn't node", "doesn't hold")
    part["steps"]["hypotheses"] = ["A magic"]
    refused(sealed(edited), "isn't known")


def test_a_structure_that_is_taken_out_is_missed(proofs: dict[str, Proof]) -> None:
    """In an evaluation, a symmetric A is B + B′; without the transpose it is any matrix."""
    assert check(proofs["symmetric-sine"]).holds
    edited = editable(proofs["symmetric-sine"])
    (part,) = edited["certificate"]
    assert part["kind"] == "evaluation"
    graph = part["graph"]
    (made,) = [
        entry
        for entry in graph
        if entry["operation"] == "add"
        and {graph[place]["operation"] for place in entry["inputs"]} == {"input", "einsum"}
    ]
    made["inputs"] = [min(made["inputs"])] * 2
    refused(sealed(edited), "differ")


def test_another_derivative_is_noticed(proofs: dict[str, Proof]) -> None:
    edited = editable(proofs["summed-matrix-product-gradient"])
    (part,) = edited["certificate"]
    primal = part["derivative"]["primal"]
    part["graph"][primal - 1]["inputs"] = [14, 3]
    assert check(sealed(edited)).holds  # the same X
    part["graph"][primal]["parameter"] = "ii->"
    refused(sealed(edited), "isn't the gradient")
    edited = editable(proofs["false-gradient"])
    (part,) = edited["certificate"]
    part["derivative"]["wrt"] = ["y"]
    refused(sealed(edited), "no input")


@pytest.mark.parametrize("name", ["false-traces", "false-exponential", "false-gradient"])
def test_a_counterexample_that_is_moved_is_none(proofs: dict[str, Proof], name: str) -> None:
    assert check(proofs[name]).holds
    edited = editable(proofs[name])
    (part,) = edited["certificate"]
    for point in part["point"]:
        point["values"] = ["0"] * len(point["values"])
    refused(sealed(edited), "equal at the point", "bits don't decide")
    edited = editable(proofs[name])
    (part,) = edited["certificate"]
    part["low"], part["high"] = "100", "101"
    refused(sealed(edited), "between")
    part["low"], part["high"] = "-1", "1000"
    refused(sealed(edited), "exclude zero")


def test_a_bound_that_is_lowered_is_exceeded(proofs: dict[str, Proof]) -> None:
    edited = editable(proofs["printed-gradient-rank-one"])
    (part,) = edited["certificate"]
    part["bound"] = "1/100000"
    refused(sealed(edited), "larger than the bound")
    edited = editable(proofs["printed-gradient-rank-one"])
    (part,) = edited["certificate"]
    part["inputs"][0]["values"][0] = "-648/5000"
    refused(sealed(edited), "larger than the bound")
    part["inputs"][0]["values"] = None
    refused(sealed(edited), "isn't given")


def test_equality_of_real_numbers_is_for_points_alone() -> None:
    proof = verimath.prove(
        _claim("alone", Equal(_is_the_largest, lambda x: 0 * x + 1), x=reals("2"))
    )
    assert [result.holds for result in recheck(report_of({"alone": proof}))] == [True]
    (part,) = editable(proof)["certificate"]
    (place,) = (k for k, node in enumerate(part["graph"]) if node["parameter"] == "tie")
    refused(evaluation(part["graph"], [(place, place)], None, [("x", ("2",))]), "points alone")


def _is_the_largest(x: Any) -> Any:
    return xp(x).astype(x == xp(x).max(x), x.dtype)


def test_an_excess_that_is_none_is_refused(proofs: dict[str, Proof]) -> None:
    for path, value, words in (
        (("bound",), "28/27", "within the bound"),
        (("point", 0, "values"), ["0", "1/2"], "within the bound"),
        (("index",), [0], "within the bound"),
        (("index",), [2], "no element"),
        (("output",), 1, "no node 1"),
        (("nodes",), [9], "no node 9"),
        (("point",), [], "has no 'e'"),
    ):
        edited = editable(proofs["tour-group-jacobi-converges"])
        (part,) = edited["certificate"]
        *before, last = path
        for key in before:
            part = part[key]
        part[last] = value
        refused(sealed(edited), words)


def test_both_ends_of_an_induction_are_looked_at(proofs: dict[str, Proof]) -> None:
    assert check(proofs["collapse"]).holds
    for end in ("base", "step"):
        edited = editable(proofs["collapse"])
        (part,) = edited["certificate"]
        part[end][0]["steps"]["outputs"][0]["steps"].pop()
        refused(sealed(edited), end)
        part[end] = []
        refused(sealed(edited), "a base and a step")


def test_a_label_wants_its_own_kind_of_certificate(proofs: dict[str, Proof]) -> None:
    for label, name in (
        ("all_depths", "symmetric"),
        ("refuted", "symmetric"),
        ("all_shapes_derivation", "double-angle"),
        ("all_shapes_randomised", "false-traces"),
    ):
        refused(proofs[name].model_copy(update={"label": label}), "label", "refutation")
    refused(Proof(label="all_shapes_randomised"), "no certificate")
    assert check(Proof(label="none")).holds is None


# A property: changes at random -----------------------------------------------------------------

_NUMPY = {
    "exp": np.exp, "log": np.log, "sin": np.sin, "cos": np.cos, "asin": np.arcsin,
    "acos": np.arccos, "atan": np.arctan, "asinh": np.arcsinh, "acosh": np.arccosh,
    "atanh": np.arctanh, "negative": np.negative, "erf": None,
}  # fmt: skip


def _number(constant: Any) -> float:
    above, _, below = constant["factor"].partition("/")
    unit = {"pi": np.pi, "e": np.e}.get(constant.get("unit", ""), 1.0)
    return int(above) / int(below or 1) * unit


def floats(graph: list[Any], sizes: dict[str, int], inputs: dict[str, Any]) -> list[Any]:
    """Values in float64, by NumPy alone; None for what this small oracle doesn't know."""
    values: list[Any] = []
    for entry in graph:
        shape = tuple(int(eval_size(size, sizes)) for size in entry["shape"])  # fmt: skip
        x = [values[place] for place in entry["inputs"]]
        operation, parameter = entry["operation"], entry["parameter"]
        found = None
        if all(part is not None for part in x):
            if operation == "input":
                found = inputs[parameter]
            elif operation == "constant" and "sqrt" not in parameter:
                found = np.array(_number(parameter))
            elif operation == "size":
                found = np.array(eval_size(parameter, sizes))
            elif operation in ("add", "multiply", "divide"):
                found = getattr(np, operation)(*x)
            elif operation == "power":
                found = x[0] ** _number({"factor": parameter})
            elif operation == "function" and _NUMPY[parameter] is not None:
                found = _NUMPY[parameter](x[0])
            elif operation == "einsum":
                found = np.einsum(parameter, *x)
            elif operation == "broadcast":
                found = np.broadcast_to(x[0], shape)
            elif operation == "reshape":
                found = np.reshape(x[0], shape)
            elif operation == "delta":
                found = np.eye(*shape)
        values.append(found)
    return values


def eval_size(text: str, sizes: dict[str, int]) -> float:
    total = 0.0
    for part in text.replace("-", "+-").split("+"):
        if part:
            product = -1.0 if part[0] == "-" else 1.0
            for factor in part.lstrip("-").split("*"):
                product *= sizes[factor] if factor in sizes else float(factor)
            total += product
    return total


CHANGED = (
    "linear-regression-gradients",
    "summed-matrix-product-gradient",
    "two-affine-layers-gradient",
    "mlp-collapse-3",
    "sum-of-squares-gradient",
    "symmetric",
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_random_change_is_noticed_unless_nothing_changed(
    proofs: dict[str, Proof], data: st.DataObject
) -> None:
    edited = editable(proofs[data.draw(st.sampled_from(CHANGED))])
    part = data.draw(st.sampled_from(edited["certificate"]))
    graph = part["graph"]
    place = data.draw(st.integers(0, len(graph) - 1))
    _change(data, graph, place)
    if not check(sealed(edited)).holds:
        return
    hypotheses = part["steps"]["hypotheses"]
    random = np.random.default_rng(1)
    sizes = {name: 2 + k % 2 for k, name in enumerate(sorted(_names(graph)))}
    inputs: dict[str, Any] = {}
    for record in part["inputs"]:
        shape = [int(eval_size(size, sizes)) for size in record["shape"]]
        x = random.uniform(0.5, 2, shape)
        inputs[record["name"]] = x + x.T if f"{record['name']} symmetric" in hypotheses else x
    values = floats(graph, sizes, inputs)
    for first, second in part["pairs"]:
        np.testing.assert_allclose(values[first], values[second], rtol=1e-9)


def _names(graph: list[Any]) -> set[str]:
    text = " ".join(size for entry in graph for size in entry["shape"])
    for sign in "*+-":
        text = text.replace(sign, " ")
    return {word for word in text.split() if not word.isdigit()}


def _change(data: st.DataObject, graph: list[Any], place: int) -> None:
    entry = graph[place]
    operation = entry["operation"]
    if operation == "constant":
        entry["parameter"] = {"factor": data.draw(st.sampled_from(["-1", "1/3", "7", "0"]))}
    elif operation == "power":
        entry["parameter"] = data.draw(st.sampled_from(["-2", "1/2", "3"]))
    elif operation in ("add", "multiply", "divide"):
        entry["operation"] = data.draw(st.sampled_from(["add", "multiply", "divide"]))
        if data.draw(st.booleans()):
            entry["inputs"] = entry["inputs"][::-1]
    elif operation == "einsum":
        left, arrow, out = entry["parameter"].partition("->")
        one, other = (data.draw(st.sampled_from(sorted(set(left) - {","}))) for _ in range(2))
        entry["parameter"] = left.replace(one, other, 1) + arrow + out
    elif operation == "function":
        entry["parameter"] = data.draw(st.sampled_from(["negative", "exp", "sin"]))
    elif operation == "input":
        entry["parameter"] += "x"
    elif entry["inputs"]:
        entry["inputs"] = [data.draw(st.integers(0, place - 1)) for _ in entry["inputs"]]


# Hostile reports -------------------------------------------------------------------------------


def chain(operation: str, count: int, parameter: Any = None) -> list[Any]:
    arity = 2 if operation in ("add", "multiply", "divide") else 1
    return [X, *(node(operation, [k] * arity, ["n"], parameter) for k in range(count))]


@pytest.mark.parametrize(
    ("graph", "pairs", "sizes"),
    [
        (chain("function", 3000, "exp"), [(0, 3000)], {"n": (1, 1)}),
        (chain("function", 3000, "log"), [(0, 3000)], {"n": (1, 1)}),
        (chain("multiply", 3000), [(0, 3000)], {"n": (1, 3)}),
        (chain("power", 3000, "64"), [(0, 3000)], {"n": (1, 3)}),
        ([*chain("add", 900), node("function", [900], ["n"], "exp")], [(0, 901)], {"n": (1, 2)}),
        ([X, node("power", [0], ["n"], "10**9")], [(0, 1)], {"n": (1, 1)}),
        ([X, node("power", [0], ["n"], "1000000000")], [(0, 1)], {"n": (1, 1)}),
        ([X, node("size", (), (), "n**999999999")], [(1, 1)], {"n": (1, 1)}),
        ([X], [(0, 0)], {"n": (1, 10**9)}),
        ([X] * 5000, [(0, 0)], {"n": (1, 1)}),
        ([X, node("function", [1], ["n"], "exp")], [(1, 1)], {"n": (1, 1)}),
        ([X, node("function", [-1], ["n"], "exp")], [(1, 1)], {"n": (1, 1)}),
        ([X, node("function", [0], ["n"], "__import__('os')")], [(1, 1)], {"n": (1, 1)}),
        ([node("input", (), ["(lambda: 1)()"], "x")], [(0, 0)], {"n": (1, 1)}),
        ([X, node("constant", (), (), {"factor": "nan"})], [(1, 1)], {"n": (1, 1)}),
        ([X], [(0, 7)], {"n": (1, 1)}),
        ([X], [], {"n": (1, 1)}),
    ],
)
def test_a_hostile_graph_is_refused_in_time(graph: Any, pairs: Any, sizes: Any) -> None:
    result = check(evaluation(graph, pairs, sizes))
    assert result.holds is False
    assert "Error" not in result.reason


def test_many_large_axes_are_refused() -> None:
    names = "abcdefgh"
    graph = [node("input", (), list(names), "x"), node("einsum", [0], (), f"{names}->")]
    proof = evaluation(graph, [(1, 1)], dict.fromkeys(names, (24, 24)), (("x", tuple(names)),))
    refused(proof, "an array of the shape")
    proof = evaluation(graph, [(1, 1)], dict.fromkeys(names, (1, 24)), (("x", tuple(names)),))
    refused(proof, "choices of sizes")


# The command -----------------------------------------------------------------------------------


def test_the_command_says_what_holds(
    proofs: dict[str, Proof], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.json"
    path.write_text(report_of({"good": proofs["symmetric"]}).to_json(), encoding="utf-8")
    assert main(["recheck", str(path)]) == 0
    assert "✓ good" in capsys.readouterr().out
    edited = editable(proofs["symmetric"])
    edited["certificate"][0]["steps"]["hypotheses"] = []
    both = report_of({"good": proofs["symmetric"], "bad": sealed(edited)})
    path.write_text(both.to_json(), encoding="utf-8")
    assert main(["recheck", str(path)]) == 1
    out = capsys.readouterr().out
    assert "✗ bad" in out
    assert "DOES NOT HOLD: derivation: output 0" in out
    path.write_text(report_of({"nothing": Proof(label="none")}).to_json(), encoding="utf-8")
    assert main(["recheck", str(path)]) == 4
    path.write_text("{}", encoding="utf-8")
    assert main(["recheck", str(path)]) == 2
    assert main(["recheck", str(tmp_path / "nowhere.json")]) == 2


def test_only_reports_are_taken() -> None:
    with pytest.raises(UsageError, match="wanted a Report"):
        recheck("report.json")  # type: ignore[arg-type]


def test_a_result_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match="look at its `holds`"):
        bool(check(Proof(label="none")))


def test_nothing_of_the_prover_is_imported() -> None:
    code = (
        "import sys; from verimath import recheck; recheck; "
        "print(*[name for name in sys.modules if name.startswith('verimath.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "verimath.rechecking.derivation" in loaded
    foreign = {
        name
        for name in loaded
        if not name.startswith(("verimath.rechecking", "verimath.report", "verimath.errors"))
    }
    assert foreign == set()


# --- what an adversary once got past it -------------------------------------------------------


Powers = dict[tuple[int, int], int]  # a polynomial in n and d


def _times(one: Powers, other: Powers) -> Powers:
    found: Powers = {}
    for (a, b), x in one.items():
        for (c, d), y in other.items():
            found[a + c, b + d] = found.get((a + c, b + d), 0) + x * y
    return {key: value for key, value in found.items() if value}


def _vanishing(n: tuple[int, ...], d: tuple[int, ...] = ()) -> Powers:
    found: Powers = {(0, 0): 1}
    for root in n:
        found = _times(found, {(1, 0): 1, (0, 0): -root})
    for root in d:
        found = _times(found, {(0, 1): 1, (0, 0): -root})
    return found


def _text(polynomial: Powers) -> str:
    terms = ["*".join([str(value), *["n"] * a, *["d"] * b]) for (a, b), value in polynomial.items()]
    return "+".join(terms).replace("+-", "-")


def _forged(polynomial: Powers, *names: str, more: tuple[Any, ...] = ()) -> Proof:
    """A derivation in one step that a polynomial in the sizes is zero."""

    def term(powers: tuple[int, int], value: int) -> Any:
        sizes = {name: str(power) for name, power in zip("nd", powers, strict=True) if power}
        return {"coefficient": str(value), "factors": [], "sizes": sizes}

    (lead, value), *rest = sorted(polynomial.items(), reverse=True)
    left = [term(*item) for item in polynomial.items()]
    change = {"from": term(lead, value), "to": [term(key, -x) for key, x in rest]}
    inputs = [{"name": f"x_{name}", "shape": [name]} for name in names]
    graph = [
        *({"operation": "input", "shape": i["shape"], "parameter": i["name"]} for i in inputs),
        *more,
        {"operation": "size", "parameter": _text(polynomial)},
        {"operation": "constant", "parameter": {"factor": "0"}},
    ]
    steps = {
        "format": "verimath derivation 1",
        "hypotheses": [],
        "definitions": {},
        "outputs": [
            {
                "shape": [],
                "left": left,
                "right": [],
                "steps": [
                    {"rule": "left side minus right side", "terms": left},
                    {"rule": "like terms cancel", "changes": [change], "terms": []},
                ],
            }
        ],
    }
    pairs = [[len(graph) - 2, len(graph) - 1]]
    part = {"kind": "derivation", "graph": graph, "inputs": inputs, "pairs": pairs, "steps": steps}
    return sealed({"label": "all_shapes_derivation", "certificate": [part]})


def test_a_polynomial_that_is_zero_up_to_some_size_is_not_zero() -> None:
    for last in (2, 5, 8, 11):
        refused(_forged(_vanishing(tuple(range(1, last + 1))), "n"), f"at n={last + 1}")
    # Where the lemma says nothing, sizes are counted all the same.
    running = {
        "operation": "cumulative",
        "inputs": [0],
        "shape": ["n"],
        "parameter": [0, False],
    }
    refused(_forged(_vanishing((1, 2, 3, 4, 5, 6, 7)), "n", more=(running,)), "at n=8")


def test_every_choice_of_several_sizes_is_looked_at() -> None:
    # Not zero at n = 4 and d = 1 alone, of sizes up to four.
    refused(_forged(_vanishing((1, 2, 3), (2, 3, 4)), "n", "d"), "at d=1 n=4")


def test_places_that_only_larger_sizes_have_are_looked_at() -> None:
    """Whether a place is the tenth isn't always false."""
    proof = verimath.prove(
        _claim(
            "ninth",
            Equal(
                left=lambda x: xp(x).astype(xp(x).arange(x.shape[0]) == 9, x.dtype) * x,
                right=lambda x: xp(x).astype(xp(x).arange(x.shape[0]) == 9, x.dtype) * x,
            ),
            x=reals("n"),
        )
    )
    edited = editable(proof)
    (part,) = edited["certificate"]
    part["graph"].append(
        {"operation": "constant", "inputs": [], "shape": [], "parameter": {"factor": "0"}}
    )
    part["graph"].append(
        {"operation": "broadcast", "inputs": [len(part["graph"]) - 1], "shape": ["n"]}
    )
    part["pairs"][0][1] = len(part["graph"]) - 1
    (output,) = part["steps"]["outputs"]
    output["right"] = []
    left = output["left"]
    output["steps"] = [
        {"rule": "left side minus right side", "terms": left},
        {"rule": "like terms cancel", "changes": [{"from": left[0], "to": []}], "terms": left[1:]},
    ]
    refused(sealed(edited), "at n=10")


def test_all_labels_are_looked_at() -> None:
    """Four labels of ten classes may all be 7; of two, they are all looked at."""

    def proof(classes: int, number: int) -> Proof:
        graph = [
            {"operation": "input", "shape": ["4"], "parameter": "y", "kind": "integer"},
            {"operation": "constant", "parameter": {"factor": str(number)}, "kind": "integer"},
            {"operation": "broadcast", "inputs": [1], "shape": ["4"], "kind": "integer"},
            {
                "operation": "compare",
                "inputs": [0, 2],
                "shape": ["4"],
                "parameter": "equal",
                "kind": "boolean",
            },
            {"operation": "convert", "inputs": [3], "shape": ["4"]},
            {"operation": "product", "inputs": [4], "parameter": 0},
            {"operation": "constant", "parameter": {"factor": "0"}},
        ]
        part = {
            "kind": "evaluation",
            "graph": graph,
            "inputs": [{"name": "y", "shape": ["4"], "classes": str(classes)}],
            "pairs": [[5, 6]],
            "failure_bits": 60.0,
        }
        return sealed({"label": "exact_at_shapes", "certificate": [part]})

    refused(proof(10, 7), "10000 choices of labels")
    refused(proof(2, 1), "the two sides differ")
    assert check(proof(2, 5)).holds is True


def test_ignored_labels_are_labels() -> None:
    proof = verimath.prove(
        _claim(
            "ignored",
            Equal(
                left=lambda x, y: xp(x).astype(y >= 0, x.dtype),
                right=lambda x, y: xp(x).ones_like(x),
            ),
            x=reals("n"),
            y=labels("n", classes=3, ignore_index=-1),
        )
    )
    assert proof.label == "refuted"
    assert check(proof).holds is True


def test_hypotheses_are_those_that_the_proof_names(proofs: dict[str, Proof]) -> None:
    edited = editable(proofs["symmetric"])
    assert "A symmetric" in edited["hypotheses"]
    edited["hypotheses"] = []
    refused(sealed(edited), "doesn't name: A symmetric")


def test_shapes_are_those_that_were_looked_at() -> None:
    proof = verimath.prove(
        _claim(
            "halves",
            Equal(left=lambda x: x[: x.shape[0]] * 2, right=lambda x: x + x),
            x=reals("2"),
        )
    )
    assert proof.label == "exact_at_shapes"
    root = verimath.prove(
        _claim(
            "root-of-a-product",
            Equal(left=lambda A: xp(A).linalg.det(A @ A), right=lambda A: xp(A).linalg.det(A) ** 2),
            A=reals("2 2"),
        )
    )
    assert check(root).holds is True


def test_a_derivative_is_looked_at_at_every_size() -> None:
    """The gradient of a sum is one, not 1 + (n - 1)(n - 3)(n - 5)."""
    proof = verimath.prove(
        _claim(
            "sum",
            Gradient(of=lambda x: xp(x).sum(x), wrt="x", equals=lambda x: xp(x).ones_like(x)),
            x=reals("n"),
        )
    )
    (part,) = editable(proof)["certificate"]
    graph = [
        *part["graph"],
        {"operation": "size", "parameter": f"{_text(_vanishing((1, 3, 5)))}+1"},
    ]
    graph.append({"operation": "broadcast", "inputs": [len(graph) - 1], "shape": ["n"]})
    wrong = len(graph) - 1
    forged = {
        "kind": "evaluation",
        "graph": graph,
        "inputs": part["inputs"],
        "pairs": [[wrong, wrong]],
        "derivative": {**part["derivative"], "nodes": [wrong]},
        "sizes": {"n": [1, 5]},
        "failure_bits": 60.0,
    }
    refused(sealed({"label": "all_shapes_randomised", "certificate": [forged]}), "isn't the gradi")
