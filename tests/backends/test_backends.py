"""Backends: the law fetch(put(x)) = x, selection by name, and arrays of the standard."""

import operator

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

import verimath.backends
from verimath import Status, UnavailableError, UsageError, check
from verimath.backends import backend_names, get_backend, select_backends
from verimath.backends.torch import StandardTensor, torch_backend
from verimath.claims.autograd import sum_of_squares
from verimath.dtypes import carrier, every_number

SECOND = torch_backend("torch-cpu-2", "cpu")


def needs_cuda():
    reason = get_backend("torch-cuda").why_unavailable()
    if reason:
        pytest.skip(reason)


BACKENDS = [
    pytest.param("numpy"),
    pytest.param("torch-cpu"),
    pytest.param("torch-cuda", marks=pytest.mark.cuda),
]


@pytest.fixture(params=BACKENDS)
def backend(request):
    if request.param == "torch-cuda":
        needs_cuda()
    return get_backend(request.param)


@pytest.fixture
def second(monkeypatch):
    """A second torch backend on the CPU, under another name."""
    monkeypatch.setattr("verimath.backends.torch.SECOND", SECOND, raising=False)
    known = {**verimath.backends._BUILT_IN, "torch-cpu-2": ("verimath.backends.torch", "SECOND")}
    monkeypatch.setattr(verimath.backends, "_BUILT_IN", known)
    return "torch-cpu-2"


def payload(dtype):
    """NaNs with a payload, and one with its sign."""
    bits = {"float64": "<u8", "float32": "<u4", "float16": "<u2"}[dtype]
    exponent = {"float64": 0x7FF8000000000000, "float32": 0x7FC00000, "float16": 0x7E00}[dtype]
    sign = {"float64": 1 << 63, "float32": 1 << 31, "float16": 1 << 15}[dtype]
    return np.array([exponent | 0x2A, sign | exponent | 7], dtype=bits).view(dtype)


def layouts(dtype):
    base = np.arange(24, dtype=dtype).reshape(4, 6) / 7
    tiny = np.finfo(dtype).smallest_subnormal
    frozen = base.copy()
    frozen.flags.writeable = False
    return {
        "0-d": np.array(-0.0, dtype=dtype),
        "specials": np.array([0.0, -0.0, np.inf, -np.inf, tiny, -tiny], dtype=dtype),
        "nan payload": payload(dtype),
        "zero-size": np.zeros((0, 3), dtype=dtype),
        "contiguous": base,
        "transposed": base.T,
        "strided": base[::2, 1::3],
        "negative stride": base[::-1, ::-1],
        "expanded": np.broadcast_to(base[0], (3, 6)),
        "read-only": frozen,
        "rank 5": base.reshape(2, 2, 1, 3, 2),
    }


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("layout", layouts("float64"))
def test_fetch_after_put_is_the_identity(backend, dtype, layout):
    x = layouts(dtype)[layout]
    before = x.tobytes()
    there = backend.put(x)
    back = backend.fetch(there)
    assert back.array.tobytes() == before
    assert (back.array.shape, back.array.dtype.name) == (x.shape, dtype)
    assert (back.dtype, back.on_device) == (dtype, True)


@pytest.mark.parametrize("layout", ["contiguous", "read-only", "expanded"])
def test_put_copies(backend, layout):
    x = layouts("float64")[layout]
    before = x.tobytes()
    there = backend.put(x)
    there += 1
    assert x.tobytes() == before


@pytest.mark.parametrize("dtype", ["float16", "int64", "bool"])
def test_other_dtypes_are_named(dtype):
    for name in ("numpy", "torch-cpu"):
        backend = get_backend(name)
        assert backend.fetch(backend.put(np.ones(2, dtype=dtype))).dtype == dtype


@pytest.mark.parametrize("name", ["torch-cpu", pytest.param("torch-cuda", marks=pytest.mark.cuda)])
def test_every_bfloat16_number_goes_there_and_back(name):
    if name == "torch-cuda":
        needs_cuda()
    backend, numbers = get_backend(name), every_number("bfloat16")
    there = backend.put(numbers, "bfloat16")
    assert there.dtype == torch.bfloat16
    back = backend.fetch(there)
    assert back.array.tobytes() == numbers.tobytes()
    assert (back.dtype, back.array.dtype, back.on_device) == ("bfloat16", np.float32, True)


@pytest.mark.parametrize("name", ["numpy", "torch-cpu"])
def test_put_in_a_dtype_of_the_backend(name):
    backend = get_backend(name)
    for dtype in backend.dtypes:
        x = np.array([0.5, -3.0], carrier(dtype))
        assert backend.fetch(backend.put(x, dtype)).dtype == dtype
        assert backend.format(dtype).name == dtype
    assert ("bfloat16" in backend.dtypes) == (name != "numpy")


def test_bfloat16_is_named_and_widened():
    found = get_backend("torch-cpu").fetch(torch.tensor([1.5], dtype=torch.bfloat16))
    assert (found.dtype, found.array.tolist()) == ("bfloat16", [1.5])


def test_tensors_with_history_and_lazy_conjugates_are_fetched():
    fetch = get_backend("torch-cpu").fetch
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    assert fetch(2 * x).array.tolist() == [2.0, 4.0]
    imaginary = torch.tensor([1 + 2j]).conj().imag  # a lazy negative
    assert fetch(imaginary).array.tolist() == [-2.0]


def test_a_tensor_elsewhere_is_not_on_device():
    assert get_backend("torch-cpu").fetch(torch.ones(1)).on_device
    assert not torch_backend("torch-cuda", "cuda").fetch(torch.ones(1)).on_device


# --- selection ---


def test_names_and_all():
    assert backend_names()[:3] == ("numpy", "torch-cpu", "torch-cuda")
    assert [b.name for b in select_backends(None)] == list(backend_names())
    assert [b.name for b in select_backends(["all"])] == list(backend_names())
    assert [b.name for b in select_backends(["numpy", "numpy"])] == ["numpy"]


def test_unknown_name():
    with pytest.raises(UsageError, match="no backend is called 'jax'; known: numpy, torch-cpu"):
        select_backends(["jax"])


def test_missing_and_asked_for_by_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UnavailableError, match="torch-cuda was asked for by name, but torch finds"):
        select_backends(["numpy", "torch-cuda"])
    with pytest.raises(UnavailableError, match="no CUDA device"):
        check(sum_of_squares, backend="torch-cuda")


def test_missing_and_not_asked_for_is_skipped_with_the_reason(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    report = check(sum_of_squares, examples=2)
    there = [v for v in report.claims[0].verdicts if v.backend == "torch-cuda"]
    assert {(v.status, v.reason) for v in there} == {(Status.SKIPPED, "torch finds no CUDA device")}
    assert report.environment.backends["torch-cuda"] == "torch finds no CUDA device"


def test_a_second_backend_goes_through_the_engine(second):
    report = check(
        sum_of_squares, lambda x: x + x.clone(), backend=["torch-cpu-2", "torch-cpu"], examples=3
    )
    verdicts = report.claims[0].verdicts
    assert {v.backend for v in verdicts} == {"torch-cpu", "torch-cpu-2"}
    assert {v.status for v in verdicts} == {Status.PASS}
    by_backend = {
        name: [v.model_dump(exclude={"backend"}) for v in verdicts if v.backend == name]
        for name in ("torch-cpu", "torch-cpu-2")
    }
    assert by_backend["torch-cpu"] == by_backend["torch-cpu-2"]
    assert report.environment.backends == {"torch-cpu-2": "ready", "torch-cpu": "ready"}


@pytest.mark.cuda
def test_cuda_through_the_engine():
    needs_cuda()
    report = check(sum_of_squares, lambda x: x + x, backend="torch-cuda", examples=10)
    assert {v.status for v in report.claims[0].verdicts} == {Status.PASS}


@pytest.mark.cuda
def test_a_result_left_on_the_cpu_is_a_device_defect():
    needs_cuda()
    report = check(sum_of_squares, lambda x: (x + x).cpu(), backend="torch-cuda", examples=3)
    own = [v for v in report.claims[0].verdicts if v.route == "candidate"]
    assert {(v.status, v.defect) for v in own} == {(Status.WRONG, "device")}


# --- arrays of the standard ---

A = np.array([[1.0, -2.0, 0.5], [3.0, 4.0, -1.25]])
B = np.array([[2.0, 1.0], [0.25, -3.0], [1.0, 4.0]])


def standard(array):
    return StandardTensor(torch.tensor(array))


def same(found, wanted):
    assert isinstance(found, StandardTensor)
    np.testing.assert_array_equal(found.tensor.numpy(), wanted)


def test_attributes():
    a = standard(A)
    assert (a.size, a.ndim, tuple(a.shape)) == (6, 2, (2, 3))
    assert (a.dtype, a.device) == (torch.float64, torch.device("cpu"))
    same(a.T, A.T)
    same(a.mT, A.mT)
    same(a[0, 1:], A[0, 1:])
    same(a[:, None], A[:, None])
    assert float(standard(2.5)) == 2.5
    assert standard(0.0).size == 1
    assert not bool(standard(0.0))
    with pytest.raises(AttributeError, match="no attribute 'numel'"):
        a.numel


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "pow"])
def test_operators(name):
    apply = getattr(operator, name)
    positive = np.abs(A)
    same(apply(standard(positive), standard(positive)), apply(positive, positive))
    same(apply(standard(positive), 2), apply(positive, 2))
    same(apply(2, standard(positive)), apply(2, positive))


def test_more_operators():
    same(standard(A) @ standard(B), A @ B)
    same(-standard(A), -A)
    same(+standard(A), +A)
    same(abs(standard(A)), abs(A))


def test_functions():
    a = standard(A)
    xp = array_namespace(a, standard(B))
    same(xp.sum(a, axis=0), A.sum(axis=0))
    same(xp.mean(a), A.mean())
    same(xp.matmul(a, standard(B)), A @ B)
    same(xp.permute_dims(a, (1, 0)), A.T)
    same(xp.concat([a, a], axis=1), np.concatenate([A, A], axis=1))
    same(xp.asarray([[1, 2]], dtype=a.dtype, device=a.device), [[1.0, 2.0]])
    same(xp.linalg.outer(a[0, :], a[1, :]), np.outer(A[0], A[1]))
    assert xp.float32 is torch.float32
    assert xp.pi == np.pi
