"""Shape strings and sizes: parsing never evaluates, arithmetic is that of integers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verimath.errors import ClaimError
from verimath.shapes import Size, parse_shape, shape_text, total_size

NAMES = st.sampled_from(["n", "d", "batch_2", "K"])
SIZES = st.recursive(
    st.integers(-5, 9).map(Size.of) | NAMES.map(Size.of),
    lambda inner: st.tuples(inner, inner, st.booleans()).map(
        lambda t: t[0] + t[1] if t[2] else t[0] * t[1]
    ),
    max_leaves=6,
)
BINDINGS = st.fixed_dictionaries({name: st.integers(0, 7) for name in ("n", "d", "batch_2", "K")})


@given(SIZES, SIZES, BINDINGS)
def test_sizes_compute_like_integers(a, b, binding):
    assert (a + b).at(binding) == a.at(binding) + b.at(binding)
    assert (a * b).at(binding) == a.at(binding) * b.at(binding)
    assert a + b == b + a
    assert a * (a + b) == a * a + a * b
    assert a + b * 0 == a
    assert hash(a + b) == hash(b + a)
    assert (a.constant is None) == bool(a.names)
    assert a.constant in (None, a.at(binding))


@given(SIZES)
def test_a_size_is_read_back_from_its_text(size):
    assert parse_shape(str(size)).axes == (size,)


@given(st.lists(SIZES, max_size=4), BINDINGS)
def test_total_size_is_the_product(sizes, binding):
    product = 1
    for size in sizes:
        product *= size.at(binding)
    assert total_size(sizes).at(binding) == product


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "()"),
        ("n", "(n,)"),
        ("n d", "(n, d)"),
        ("3 1", "(3, 1)"),
        ("2*n n+1", "(2*n, n+1)"),
        ("n-1 -1+n", "(n-1, n-1)"),
        ("1-n n*n", "(-n+1, n*n)"),
        ("n+n 2*3", "(2*n, 6)"),
        ("  n   d ", "(n, d)"),
    ],
)
def test_shapes_are_parsed(text, shown):
    assert shape_text(parse_shape(text).expand({})) == shown


@pytest.mark.parametrize("rank", range(4))
def test_a_star_stands_for_any_number_of_axes(rank):
    shape = parse_shape("*batch n")
    assert shape.variadic == "batch"
    assert shape.names == {"n"}
    assert [str(size) for size in shape.expand({"batch": rank})] == [
        *(f"batch[{i}]" for i in range(rank)),
        "n",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (3, "a shape is a string such as 'n d' or '2 3', not 3"),
        ("n, d", "axes are separated by spaces, as in 'n d'"),
        ("(n", "axes are separated by spaces"),
        ("*a *b", "at most one axis may carry a star"),
        ("*3", "'\\*3' should be a star and a name, as '\\*batch'"),
        ("*", "should be a star and a name"),
        ("n/2", "'n/2' is no axis; wanted a name, a number, or a polynomial such as '2\\*n'"),
        ("n**2", "is no axis"),
        ("2n", "is no axis"),
        ("n+", "is no axis"),
        ("n²", "is no axis"),
        ("__import__('os')", "axes are separated by spaces"),
        ("...", "is no axis"),
    ],
)
def test_anything_else_is_refused_with_the_axis(text, message):
    with pytest.raises(ClaimError, match=message):
        parse_shape(text)
