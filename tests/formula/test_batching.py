"""Leading axes: a batched graph gives what the formula gives for every value by itself."""

import numpy as np
import pytest
from array_api_compat import array_namespace
from hypothesis import given, settings
from hypothesis import strategies as st

from verimath.arithmetic.rounding import evaluate
from verimath.errors import FormulaError
from verimath.formula import operations as op
from verimath.formula.batching import RULES, batch, identity
from verimath.formula.graph import Formula, topological
from verimath.formula.trace import trace
from verimath.shapes import Size

B, C = Size.of("b"), Size.of("c")


def value_of(outputs, inputs, values, binding):
    formula = Formula("f", inputs, outputs, {})
    found = evaluate(formula, {name: x[None] for name, x in values.items()}, binding)
    shapes = [tuple(size.at(binding) for size in output.shape) for output in outputs]
    return [
        np.broadcast_to(f.value, (1, *shape))[0] for f, shape in zip(found, shapes, strict=True)
    ]


@settings(max_examples=150, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_a_batch_is_its_members_one_by_one(programs, data, seed):
    program = data.draw(programs())
    names = data.draw(st.sets(st.sampled_from(sorted(program.shapes)), min_size=1))
    lead = data.draw(st.sampled_from([(B,), (B, C)]))
    binding = {**program.binding, "b": 2, "c": 3}
    sizes = tuple(size.at(binding) for size in lead)
    members = {index: program.draw(seed + k) for k, index in enumerate(np.ndindex(*sizes))}
    first = members[(0,) * len(sizes)]
    members = {
        index: {name: (point if name in names else first)[name] for name in first}
        for index, point in members.items()
    }
    formula = program.formula
    wide = {name: op.input_(name, lead + formula.inputs[name].shape) for name in names}
    given_ = {formula.inputs[name]: wide[name] for name in names}
    outputs = batch(formula.outputs, given_, lead)
    stacked = {
        name: np.stack([point[name] for point in members.values()]).reshape(
            sizes + first[name].shape
        )
        if name in names
        else first[name]
        for name in first
    }
    (found,) = value_of(outputs, {**formula.inputs, **wide}, stacked, binding)
    assert found.shape[: len(sizes)] == sizes
    for index, point in members.items():
        (want,) = value_of(formula.outputs, formula.inputs, point, binding)
        np.testing.assert_allclose(found[index], want, rtol=1e-10, atol=1e-10)


@settings(max_examples=30, deadline=None)
@given(shape=st.lists(st.integers(0, 3), max_size=3).map(tuple))
def test_the_identity_maps_an_array_to_itself(shape):
    node = identity(tuple(Size.of(n) for n in shape))
    (found,) = value_of((node,), {"x": op.input_("x", ())}, {"x": np.array(0.0)}, {})
    assert found.shape == shape + shape
    size = int(np.prod(shape))
    np.testing.assert_array_equal(found.reshape(size, size), np.eye(size))


def test_what_does_not_depend_on_the_batch_stays_and_is_shared():
    def function(x, c):
        xp = array_namespace(x)
        return xp.exp(x) @ xp.exp(c)

    n, d, k = map(Size.of, "ndk")
    formula = trace(function, {"x": (n, d), "c": (d, k)})
    wide = op.input_("c", (B, d, k))
    (output,) = batch(formula.outputs, {formula.inputs["c"]: wide}, (B,))
    assert output.shape == (B, n, k)
    before, after = (set(topological((o,))) for o in (formula.outputs[0], output))
    (kept,) = (node for node in before & after if node.operation == "function")
    assert kept.inputs == (formula.inputs["x"],)


def test_an_output_that_does_not_depend_on_it_is_repeated():
    x, c = op.input_("x", (Size.of("n"),)), op.input_("c", ())
    (output,) = batch((x,), {c: op.input_("c", (B,))}, (B,))
    assert output.shape == (B, Size.of("n"))


def test_indices_of_their_own_are_refused():
    x, places = op.input_("x", (C,)), op.input_("i", (B,), "integer")
    wide = op.input_("i", (C, B), "integer")
    for node in (op.gather(x, places, 0), op.scatter(op.gather(x, places, 0), places, 0, C)):
        with pytest.raises(FormulaError, match="indices that depend on what is differentiated"):
            batch((node,), {places: wide}, (C,))


def test_a_wrong_rule_shows(monkeypatch):
    """The comparison above notices axes that are put in the wrong place."""
    n = Size.of("n")
    x = op.input_("x", (n, n))
    wide = op.input_("x", (n, n, n))
    values = np.random.default_rng(0).uniform(-1, 1, (3, 3, 3))

    def found():
        (output,) = batch((op.cumulative(x, 0),), {x: wide}, (n,))
        return value_of((output,), {"x": wide}, {"x": values}, {"n": 3})[0]

    np.testing.assert_allclose(found(), np.cumsum(values, axis=1))
    monkeypatch.setitem(RULES, "cumulative", lambda node, x: op.cumulative(x.nodes[0], 0))
    assert not np.allclose(found(), np.cumsum(values, axis=1))
