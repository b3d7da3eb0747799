"""Layouts: the same bits elsewhere, on every backend that has them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from verimath.backends import get_backend
from verimath.layouts import LAYOUTS, arranged, placement

ANY = st.sampled_from(["float64", "float32", "int64", "bool"]).flatmap(
    lambda dtype: arrays(dtype, array_shapes(min_dims=0, min_side=0, max_dims=4, max_side=4))
)


@given(ANY, st.sampled_from(LAYOUTS), st.booleans())
def test_an_arranged_array_is_the_same_bit_for_bit(array, layout, repeated):
    if repeated and array.ndim and array.shape[0]:
        array = np.broadcast_to(array[:1], array.shape).copy()
    found = arranged(array, layout)
    assert (found.shape, found.dtype) == (array.shape, array.dtype)
    assert found.tobytes() == array.tobytes()


@settings(deadline=None)  # the first call imports torch
@given(ANY, st.sampled_from(LAYOUTS), st.sampled_from(["numpy", "torch-cpu"]))
def test_backends_put_and_fetch_in_every_layout(array, layout, name):
    backend = get_backend(name)
    if layout in backend.layouts:
        found = backend.fetch(backend.put(array, array.dtype.name, layout))
        assert found.dtype == array.dtype.name
        assert found.array.tobytes() == array.tobytes()


def strides(layout, shape=(2, 3, 4)):
    return placement(np.arange(np.prod(shape), dtype=np.float64).reshape(shape), layout)


def test_a_layout_is_what_it_is_called():
    assert strides("C").strides == (12, 4, 1)
    assert strides("fortran").strides == (1, 2, 6)
    assert strides("transposed").strides == (12, 1, 3)
    assert strides("offset").offset == 1
    assert strides("reversed").strides == (-12, -4, -1)
    found = arranged(np.ones((2, 3)), "strided")
    assert not found.flags.c_contiguous
    assert not found.flags.f_contiguous
    assert np.isnan(found.base.base if found.base.base is not None else found.base).any()
    assert arranged(np.ones((2, 3)), "expanded").strides == (0, 0)
    assert arranged(np.array([[0.0], [-0.0]]), "expanded").strides[0] != 0, "signs of zero differ"
    assert not arranged(np.ones(2), "read-only").flags.writeable


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_tensors_of_narrow_dtypes_are_arranged_too(dtype):
    backend = get_backend("torch-cpu")
    array = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=np.float32)
    there = backend.put(array, dtype, "fortran")
    assert there.stride() == (1, 2)
    assert backend.fetch(there).dtype == dtype
    np.testing.assert_array_equal(backend.fetch(there).array, array)


def test_an_unknown_layout_is_refused():
    with pytest.raises(ValueError, match="no layout is called 'diagonal'; known: C, fortran"):
        placement(np.ones(1), "diagonal")
