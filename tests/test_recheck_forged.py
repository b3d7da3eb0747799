"""Forged certificates: what an adversary once got accepted by `verimath recheck`, and shouldn't."""

from fractions import Fraction
from typing import Any

import pytest

import verimath
from tests.test_recheck import X, check, editable, evaluation, node, refused, sealed, xp
from verimath import (
    Claim,
    Domain,
    Equal,
    Gradient,
    Proof,
    integers,
    labels,
    masks,
    positive,
    reals,
    simplex,
)

ROWS = [{"name": "x", "shape": ["n"]}]
TENSOR = {"kind": "tensor", "name": "x", "indices": ["n"], "axes": [0], "rank": 1}
ZERO = [node("constant", (), (), {"factor": "0"})]
FIRST = "left side minus right side"


def term(
    coefficient: Any,
    *factors: tuple[str, tuple[str, ...], str],
    sizes: dict[str, Any] | None = None,
    total: dict[str, str] | None = None,
) -> Any:
    entries = [{"of": of, "indices": list(at), "exponent": by} for of, at, by in factors]
    found: dict[str, Any] = {"coefficient": str(coefficient), "factors": entries}
    found |= {"sizes": {name: str(power) for name, power in sizes.items()}} if sizes else {}
    return found | ({"sum": total} if total else {})


def negated(terms: list[Any]) -> list[Any]:
    return [{**t, "coefficient": str(-Fraction(t["coefficient"]))} for t in terms]


def derivation(
    graph: list[Any],
    pair: list[int],
    sides: tuple[list[Any], list[Any]],
    *,
    definitions: Any,
    shape: list[str],
    inputs: Any = ROWS,
    times: Any = None,
) -> Proof:
    """A derivation in one step, from the first term to what cancels all others."""
    left, right = sides
    lead, *rest = left
    changes = [{"from": lead, "to": [*right, *negated(rest)]}]
    step = {"rule": "it is so", "changes": changes, "terms": []}
    if times is not None:
        others = [*rest, *negated(right)]
        changes = [*changes, *({"from": one, "to": [one]} for one in others)]
        step = {"rule": "multiplied", "changes": changes, "terms": [], "times": times}
    output = {
        "shape": shape,
        "left": left,
        "right": right,
        "steps": [{"rule": FIRST, "terms": [*left, *negated(right)]}, step],
    }
    record = {
        "format": "verimath derivation 1",
        "hypotheses": [],
        "definitions": definitions,
        "outputs": [output],
    }
    part = {
        "kind": "derivation",
        "graph": graph,
        "inputs": inputs,
        "pairs": [pair],
        "steps": record,
    }
    return sealed({"label": "all_shapes_derivation", "certificate": [part]})


def lagrange(values: dict[int, Fraction]) -> list[Fraction]:
    """The coefficients, lowest first, of the polynomial with these values."""
    total = [Fraction(0)] * len(values)
    for one, value in values.items():
        basis = [value]
        for other in values:
            if other != one:
                shifted = [Fraction(0), *basis]
                by = [*(-other * c for c in basis), Fraction(0)]
                basis = [(a + b) / (one - other) for a, b in zip(shifted, by, strict=True)]
        total = [a + b for a, b in zip(total, basis, strict=True)]
    return total


def cube_or_polynomial(top: int) -> tuple[list[Any], list[int], tuple[list[Any], list[Any]]]:
    """x / n^3, and x times a polynomial that is 1 / n^3 for n up to `top` alone."""
    powers = lagrange({n: Fraction(1, n**3) for n in range(1, top + 1)})
    common = 1
    for c in powers:
        common *= c.denominator
    text = "+".join(f"{c * common}" + "*n" * k for k, c in enumerate(powers)).replace("+-", "-")
    graph = [
        X,
        node("size", (), (), text),
        node("constant", (), (), {"factor": f"1/{common}"}),
        node("multiply", [1, 2]),
        node("broadcast", [3], ["n"]),
        node("multiply", [4, 0], ["n"]),
        node("size", (), (), "n*n*n"),
        node("broadcast", [6], ["n"]),
        node("divide", [0, 7], ["n"]),
    ]
    h = ("h0", ("i0",), "1")
    left = [term(c, h, sizes={"n": k} if k else None) for k, c in enumerate(powers) if c]
    return graph, [5, 8], (left, [term(1, h, sizes={"n": -3})])


@pytest.mark.parametrize("top", [3, 4, 5])
@pytest.mark.parametrize("times", [None, {"terms": [term(1)]}])
def test_denominators_count_where_terms_are_compared(top: int, times: Any) -> None:
    graph, pair, sides = cube_or_polynomial(top)
    proof = derivation(graph, pair, sides, definitions={"h0": TENSOR}, shape=["n"], times=times)
    refused(proof, f"doesn't hold at n={top + 1}", "isn't node")


def test_a_sum_over_as_many_as_a_polynomial_says_counts() -> None:
    """(1 + (n - 1) ... (n - 6)) x as a sum over so many is x for n up to six."""
    text = "n*n*n*n*n*n-21*n*n*n*n*n+175*n*n*n*n-735*n*n*n+1624*n*n-1764*n+721"
    graph = [X, node("size", (), (), text), node("broadcast", [1], ["n"])]
    graph.append(node("multiply", [0, 2], ["n"]))
    h = ("h0", ("i0",), "1")
    sides = [term(1, h, total={"s0": text})], [term(1, h)]
    proof = derivation(graph, [3, 0], sides, definitions={"h0": TENSOR}, shape=["n"])
    refused(proof, "n=7")


THOUSAND = [
    X,
    node("constant", (), (), {"factor": "-1000"}),
    node("broadcast", [1], ["n"]),
    node("add", [0, 2], ["n"]),
]
SHIFTED = [term(1, ("h0", ("i0",), "1")), term(-1000)]


def test_a_step_is_looked_at_on_both_sides() -> None:
    graph = [*THOUSAND, node("subgradient", [3], ["n"], "step"), *ZERO]
    graph.append(node("broadcast", [5], ["n"]))
    definitions = {
        "h0": TENSOR,
        "h1": {"kind": "function", "name": "step", "indices": ["n"], "terms": SHIFTED},
    }
    sides = [term(1, ("h1", ("i0",), "1"))], []
    refused(derivation(graph, [4, 6], sides, definitions=definitions, shape=["n"]), "n=1")


def test_a_root_is_looked_at_on_both_sides_of_its_square() -> None:
    graph = [*THOUSAND, node("power", [3], ["n"], "2"), node("power", [4], ["n"], "1/2")]
    graph.append(node("function", [3], ["n"], "negative"))
    definitions = {
        "h0": TENSOR,
        "h1": {"kind": "sum", "indices": ["n"], "terms": SHIFTED},
        "h2": {"kind": "sum", "indices": ["n"], "terms": [term(1, ("h1", ("i0",), "2"))]},
    }
    sides = [term(1, ("h2", ("i0",), "1/2"))], [term(-1, ("h1", ("i0",), "1"))]
    refused(derivation(graph, [5, 6], sides, definitions=definitions, shape=["n"]), "n=1")


def integer(operation: str, inputs: Any = (), shape: Any = (), parameter: Any = None) -> Any:
    return node(operation, inputs, shape, parameter, "integer")


def is_number(number: int, shape: str) -> list[Any]:
    return [
        integer("input", (), [shape], "y"),
        integer("constant", (), (), {"factor": str(number)}),
        integer("broadcast", [1], [shape]),
        node("compare", [0, 2], [shape], "equal", "boolean"),
        node("convert", [3], [shape]),
    ]


def test_whole_numbers_of_any_size_are_not_compared() -> None:
    """No random number is 100."""
    graph = [*is_number(100, "n"), *ZERO, node("broadcast", [5], ["n"])]
    refused(evaluation(graph, [(4, 6)], {"n": (1, 1)}, (("y", ("n",)),)), "any whole number")
    tensor = {**TENSOR, "name": "y"}
    inside = [term(1, ("h0", ("i0",), "1")), term(-100)]
    definitions = {
        "h0": tensor,
        "h1": {"kind": "function", "name": "equal", "indices": ["n"], "terms": inside},
    }
    proof = derivation(
        graph,
        [4, 6],
        ([term(1, ("h1", ("i0",), "1"))], []),
        definitions=definitions,
        shape=["n"],
        inputs=[{"name": "y", "shape": ["n"]}],
    )
    refused(proof, "any whole number")


def test_labels_that_are_as_many_as_a_size_says_have_no_bound() -> None:
    graph = [integer("input", (), ["m"], "y"), node("convert", [0], ["m"]), *ZERO]
    graph.append(node("broadcast", [2], ["m"]))
    edited = editable(evaluation(graph, [(1, 3)], {"n": (1, 1), "m": (1, 2)}, (("y", ("m",)),)))
    edited["certificate"][0]["inputs"][0]["classes"] = "n"
    refused(sealed(edited), "labels 'y' of n classes")
    edited["certificate"][0]["inputs"][0]["classes"] = "1"
    edited["certificate"][0]["sizes"] = {"m": (1, 2)}
    assert check(sealed(edited)).holds


def test_all_labels_of_the_first_sizes_are_looked_at_in_a_derivation() -> None:
    """Four labels of ten classes may all be 7; of five, they never are."""

    def proof(classes: str) -> Proof:
        graph = [*is_number(7, "4"), node("product", [4], (), 0), *ZERO]
        inside = [term(1, ("h0", ("i0",), "1")), term(-7)]
        definitions = {
            "h0": {**TENSOR, "name": "y", "indices": ["4"]},
            "h1": {"kind": "function", "name": "equal", "indices": ["4"], "terms": inside},
            "h2": {
                "kind": "reduction",
                "name": "product",
                "indices": [],
                "inner": ["4"],
                "terms": [term(1, ("h1", ("i0",), "1"))],
            },
        }
        inputs = [{"name": "y", "shape": ["4"], "classes": classes}]
        sides = [term(1, ("h2", (), "1"))], []
        return derivation(graph, [5, 6], sides, definitions=definitions, shape=[], inputs=inputs)

    refused(proof("10"), "choices of labels")
    refused(proof("8"), "doesn't hold")
    assert check(proof("5")).holds


# Derivatives -----------------------------------------------------------------------------------


def gradient(
    graph: list[Any],
    primal: int,
    place: int,
    first: int,
    sizes: Any,
    inputs: Any = (("x", ("n",)),),
) -> Proof:
    edited = editable(evaluation(graph, [(first, first)], sizes, inputs))
    edited["certificate"][0]["derivative"] = {
        "kind": "gradient",
        "primal": primal,
        "wrt": ["x"],
        "nodes": [place],
    }
    return sealed(edited)


SUM = [X, node("einsum", [0], [], "i->")]
ONES = [*SUM, node("constant", (), (), {"factor": "1"}), node("broadcast", [2], ["n"])]


@pytest.mark.parametrize(("text", "last"), [("n", 1), ("n*n-3*n+3", 2), ("n*n*n-6*n*n+11*n-5", 3)])
def test_a_derivative_takes_sizes_of_its_own(text: str, last: int) -> None:
    """The gradient of a sum is one, as these polynomials are for n up to 1, 2 and 3."""
    graph = [*SUM, node("size", (), (), text), node("broadcast", [2], ["n"])]
    refused(gradient(graph, 1, 3, 3, {"n": (1, last)}), "isn't the gradient")
    assert check(gradient(ONES, 1, 3, 3, {"n": (1, 1)})).holds


def test_a_derivative_is_looked_at_far_away() -> None:
    """The gradient of sum max(x - 1000, 0) isn't zero."""
    graph = [*THOUSAND, node("subgradient", [3], ["n"], "step"), node("multiply", [3, 4], ["n"])]
    graph += [node("einsum", [5], [], "i->"), *ZERO, node("broadcast", [7], ["n"])]
    refused(gradient(graph, 6, 8, 8, {"n": (1, 3)}), "isn't the gradient")
    assert check(gradient(graph, 6, 4, 4, {"n": (1, 3)})).holds


@pytest.mark.parametrize(("text", "last"), [("n", 1), ("n*n-3*n+3", 2)])
def test_a_pair_is_about_the_derivative_itself(text: str, last: int) -> None:
    graph = [*ONES, node("size", (), (), text), node("broadcast", [4], ["n"])]
    refused(gradient(graph, 1, 3, 5, {"n": (1, last)}), "isn't node 3 of the derivative")
    steps = [{**one, "inputs": [i + 3 if i else 0 for i in one["inputs"]]} for one in THOUSAND[1:]]
    graph = [*ONES, *steps, node("subgradient", [6], ["n"], "step"), node("add", [3, 7], ["n"])]
    refused(gradient(graph, 1, 3, 8, {"n": (1, 2)}), "isn't node 3 of the derivative")


def summed(x: Any) -> Any:
    return xp(x).sum(x)


POSITIVE = {
    "a root of a product": (
        lambda x, y: summed(xp(x).sqrt(x * y)),
        lambda x, y: xp(x).sqrt(y / x) / 2,
        positive("n"),
    ),
    "a root of a square": (
        lambda x, y: summed(xp(x).sqrt(x * x)),
        lambda x, y: xp(x).ones_like(x),
        positive("n"),
    ),
    "entropy": (
        lambda x, y: summed(x * xp(x).log(2 * x)),
        lambda x, y: 1 + xp(x).log(2 * x),
        simplex("n", positive=True),
    ),
}


@pytest.mark.parametrize("name", POSITIVE)
def test_true_derivatives_of_positive_numbers_hold(name: str) -> None:
    of, equals, spec = POSITIVE[name]
    claim = Claim(
        id="x",
        title="x",
        source="x",
        domain=Domain(x=spec, y=positive("n")),
        statement=Gradient(of=of, wrt="x", equals=equals),
    )
    proof = verimath.prove(claim)
    assert proof.label.startswith("all_shapes")
    assert check(proof).holds is True


WHOLE = {
    "labels": (labels("n", classes=3), lambda c, y: xp(c).take(c, y)),
    "labels of many classes": (labels("n", classes="m"), lambda c, y: xp(c).take(c, y)),
    "masks": (masks("m"), lambda c, y: xp(c).where(y, c, 0 * c)),
}


@pytest.mark.parametrize("name", WHOLE)
def test_true_derivations_with_labels_and_masks_hold(name: str) -> None:
    spec, left = WHOLE[name]
    claim = Claim(
        id="x",
        title="x",
        source="x",
        domain=Domain(c=reals("3" if name == "labels" else "m"), y=spec),
        statement=Equal(left=left, right=lambda c, y: 2 * left(c, y) / 2),
    )
    proof = verimath.prove(claim)
    assert proof.label == "all_shapes_derivation"
    assert check(proof).holds is True


def test_arguments_of_functions_are_told_apart_at_enough_sizes() -> None:
    """Exp(x P(n)) is exp(x) where P is one, for n up to six."""
    powers = {6: 1, 5: -21, 4: 175, 3: -735, 2: 1624, 1: -1764, 0: 721}
    text = "+".join(f"{c}" + "*n" * k for k, c in powers.items()).replace("+-", "-")
    graph = [X, node("size", (), (), text), node("broadcast", [1], ["n"])]
    graph += [node("multiply", [0, 2], ["n"]), node("function", [3], ["n"], "exp")]
    graph.append(node("function", [0], ["n"], "exp"))
    h = ("h0", ("i0",), "1")
    inside = [term(c, h, sizes={"n": k} if k else None) for k, c in powers.items()]
    function = {"kind": "function", "name": "exp", "indices": ["n"]}
    definitions = {
        "h0": TENSOR,
        "h1": {**function, "terms": inside},
        "h2": {**function, "terms": [term(1, h)]},
    }
    sides = [term(1, ("h1", ("i0",), "1"))], [term(1, ("h2", ("i0",), "1"))]
    refused(derivation(graph, [4, 5], sides, definitions=definitions, shape=["n"]), "n=7")


def test_nodes_are_told_apart_at_enough_sizes_whatever_the_terms_say() -> None:
    """What is hidden in a product of one element is not counted with the terms."""
    graph, pair, (left, right) = cube_or_polynomial(4)
    hidden = {
        name: {"kind": "reduction", "name": "product", "indices": ["n"], "inner": ["1"]}
        | {"terms": [shifted(one) for one in side]}
        for name, side in (("h1", left), ("h2", right))
    }
    sides = [term(1, ("h1", ("i0",), "1"))], [term(1, ("h2", ("i0",), "1"))]
    definitions = {"h0": TENSOR, **hidden}
    refused(derivation(graph, pair, sides, definitions=definitions, shape=["n"]), "n=5")


def shifted(one: Any) -> Any:
    """The term with its first index called i1: i0 is the one that is multiplied over."""
    return {**one, "factors": [{**f, "indices": ["i1"]} for f in one["factors"]]}


def test_a_product_along_a_dimension_has_no_bound() -> None:
    """2^n is a polynomial of degree two for n up to 3."""
    poly = [term(c, sizes={"n": k} if k else None) for k, c in enumerate((2, -1, 1)) if c]
    assert [sum(c * n**k for k, c in enumerate((2, -1, 1))) for n in (1, 2, 3)] == [2, 4, 8]
    graph = [
        node("input", (), (), "s"),
        node("function", [0], (), "exp"),
        node("function", [0], (), "negative"),
        node("function", [2], (), "exp"),
        node("multiply", [1, 3]),
        node("constant", (), (), {"factor": "1"}),
    ]
    exp = {"kind": "function", "name": "exp", "indices": []}
    s = ("h0", (), "1")
    definitions = {
        "h0": {"kind": "tensor", "name": "s", "indices": [], "axes": [], "rank": 0},
        "h1": {**exp, "terms": [term(1, s)]},
        "h2": {**exp, "terms": [term(-1, s)]},
        "h3": {"kind": "reduction", "name": "product", "indices": [], "inner": ["n"]}
        | {"terms": [term(2)]},
    }
    inputs = [{"name": "s", "shape": []}, {"name": "x", "shape": ["n"]}]
    lead, power = term(1, ("h1", (), "1"), ("h2", (), "1")), term(1, ("h3", (), "1"))
    proof = editable(
        derivation(
            graph, [4, 5], ([lead], [term(1)]), definitions=definitions, shape=[], inputs=inputs
        )
    )
    assert check(sealed(proof)).holds is True
    (output,) = proof["certificate"][0]["steps"]["outputs"]
    between = [power, *negated(poly)]
    output["steps"][1:] = [
        {"rule": "a", "changes": [{"from": lead, "to": [term(1), *between]}], "terms": between},
        {"rule": "b", "changes": [{"from": power, "to": poly}], "terms": []},
    ]
    refused(sealed(proof), "'a' doesn't hold at n=4")


# The lemma's sizes for arguments that share an unknown ------------------------------------------


def squared_sums(second: str, outer: list[Any]) -> list[Any]:
    """A function of (Σ x)² and of another sum, at places 4 and 5 (or what `outer` says)."""
    return [
        X,
        node("einsum", [0], (), "i->"),
        node("power", [1], (), "2"),
        node("einsum", [0, 0], (), second),
        *outer,
    ]


SINES = [node("function", [2], (), "sin"), node("function", [3], (), "sin")]


def test_arguments_are_equal_at_the_sizes_that_the_lemma_takes_for_them() -> None:
    graph = squared_sums("i,j->", SINES)
    for last in (1, 2):
        refused(evaluation(graph, [(4, 5)], {"n": (1, last)}), "for arguments of functions")
    assert check(evaluation(graph, [(4, 5)], {"n": (1, 3)})).holds
    # (Σ x)² is Σ x² for one element alone.
    graph = squared_sums("i,i->", SINES)
    refused(evaluation(graph, [(4, 5)], {"n": (1, 1)}), "for arguments of functions")
    refused(evaluation(graph, [(4, 5)], {"n": (1, 2)}), "differ", "at the largest sizes only")


def test_an_argument_that_is_repeated_is_one() -> None:
    """Each element of a repeated array is the same, which takes no more sizes."""
    steps = [
        node("broadcast", [2], ["n"]),
        node("subgradient", [4], ["n"], "step"),
        node("broadcast", [3], ["n"]),
        node("subgradient", [6], ["n"], "step"),
    ]
    graph = squared_sums("i,j->", steps)
    refused(evaluation(graph, [(5, 7)], {"n": (1, 2)}), "for arguments of functions")
    assert check(evaluation(graph, [(5, 7)], {"n": (1, 3)})).holds
    reshaped = [
        node("reshape", [0], ["1", "n"]),
        node("subgradient", [4], ["1", "n"], "step"),
        node("subgradient", [0], ["n"], "step"),
        node("reshape", [6], ["1", "n"]),
    ]
    graph = squared_sums("i,j->", reshaped)
    assert check(evaluation(graph, [(5, 7)], {"n": (1, 1)})).holds


def test_roots_with_signs_count_half_of_what_they_are_of() -> None:
    """The square of the root of 1 + (n - 1)(n - 2) is one for n up to 2."""
    graph = [
        node("size", (), (), "n*n-3*n+3"),
        node("power", [0], (), "1/2"),
        node("multiply", [1, 1]),
        node("constant", (), (), {"factor": "1"}),
    ]
    refused(evaluation(graph, [(2, 3)], {"n": (1, 2)}, ()), "the lemma needs")
    refused(evaluation(graph, [(2, 3)], {"n": (1, 3)}, ()), "differ", "no point at n=3")
    graph = [X, node("einsum", [0], (), "i->"), node("power", [1], (), "1/2")]
    graph.append(node("multiply", [2, 2]))
    refused(evaluation(graph, [(3, 1)], {"n": (1, 1)}), "the lemma needs 2")
    assert check(evaluation(graph, [(3, 1)], {"n": (1, 2)})).holds


def test_a_counterexample_with_whole_numbers_is_looked_at() -> None:
    claim = Claim(
        id="x",
        title="x",
        source="x",
        domain=Domain(c=reals("3"), y=integers("n", 0, 2)),
        statement=Equal(
            left=lambda c, y: xp(c).take(c, y), right=lambda c, y: 2 * xp(c).take(c, y)
        ),
    )
    proof = verimath.prove(claim)
    assert proof.label == "refuted"
    assert check(proof).holds is True
    edited = editable(proof)
    (point,) = (p for p in edited["certificate"][0]["point"] if p["name"] == "y")
    point["values"][0] = "1/2"
    refused(sealed(edited), "isn't made of integers")
