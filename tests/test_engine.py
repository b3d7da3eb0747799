"""`check` and `verify`: candidates, options, records, and shared examples."""

from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

from verimath import (
    Claim,
    Domain,
    Equal,
    Gradient,
    Report,
    Route,
    UnavailableError,
    UsageError,
    VerificationError,
    autograd,
    check,
    numeric,
    reals,
    verify,
)
from verimath.report.record import Status, Verdict


def j(x: Any) -> Any:
    return array_namespace(x).mean(2 * (x + 1) ** 2)


def dj_dx(x: Any) -> Any:
    return 4 / x.size * (x + 1)


MEAN_SQUARE = Claim(
    id="mean-square-gradient",
    title="Each partial derivative of mean(2(x+1)²) is 4/size (x+1)",
    source="lecture, L-48",
    domain=Domain(x=reals("n d")),
    statement=Gradient(of=j, wrt="x", equals=dj_dx),
    routes=[numeric("by hand", lambda x: (2 * x + 2) * (2 / x.size))],
)


def of(report: Report, route: str) -> list[Verdict]:
    return [v for v in report.claims[0].verdicts if v.route == route]


def test_a_right_candidate() -> None:
    report = check(MEAN_SQUARE, lambda x: (x + 1) * 4 / x.size, examples=20, backend="numpy")
    assert report.claims[0].outcome == "as_expected"
    assert [v.status for v in of(report, "candidate")] == [Status.PASS] * 3
    assert verify(MEAN_SQUARE, dj_dx, examples=20, backend="numpy") is None


def test_check_never_raises_for_a_wrong_candidate() -> None:
    def crash(x: Any) -> Any:
        raise RuntimeError("boom")

    report = check(MEAN_SQUARE, crash, examples=10, backend="numpy")
    assert {v.status for v in of(report, "crash")} == {Status.ERROR}
    assert all("RuntimeError: boom" in (v.reason or "") for v in of(report, "crash"))
    assert report.claims[0].outcome == "not_as_expected"


def test_verify_tells_the_full_story() -> None:
    def per_row(x: Any) -> Any:
        return 4 / x.shape[0] * (x + 1)

    with pytest.raises(VerificationError) as caught:
        verify(MEAN_SQUARE, per_row, examples=20)
    story = str(caught.value)
    assert "`per_row` on numpy float64 is wrong" in story
    assert "n=1 d=2   x=[[0, 0]]" in story
    assert "got 4.0, wanted 2.0" in story
    assert "the rounding bound derived for float64" in story
    assert "float.fromhex" in story
    assert "import verimath" not in story


def test_another_order_is_at_worst_less_accurate() -> None:
    report = check(MEAN_SQUARE, lambda x: 4 * x / x.size + 4 / x.size, backend="numpy")
    assert {v.status for v in of(report, "candidate")} <= {Status.PASS, Status.LESS_ACCURATE}
    assert report.claims[0].outcome == "as_expected"


def test_torch_candidates() -> None:
    import torch

    def by_torch(x: torch.Tensor) -> torch.Tensor:
        return 4 / x.numel() * (x + 1)

    report = check(MEAN_SQUARE, by_torch, examples=10, backend="torch-cpu", dtype="float32")
    assert [v.status for v in of(report, "by_torch")] == [Status.PASS]
    primal = autograd("mine", lambda x: (2 * (x + 1) ** 2).mean())
    report = check(MEAN_SQUARE, primal, examples=10, backend=["torch-cpu"])
    for mode in ("value", "reverse mode", "forward mode"):
        assert {v.status for v in of(report, f"mine: {mode}")} == {Status.PASS}


def test_every_route_sees_the_same_numbers() -> None:
    seen: dict[str, list[np.ndarray]] = {"a": [], "b": []}

    def spy(name: str) -> Route:
        def function(x: Any) -> Any:
            seen[name].append(np.array(x))
            return dj_dx(x)

        return numeric(name, function)

    check(MEAN_SQUARE, spy("a"), spy("b"), examples=30, backend="numpy", dtype="float64")
    assert len(seen["a"]) >= 30  # the checks of behaviour call again
    assert all(np.array_equal(a, b) for a, b in zip(seen["a"], seen["b"], strict=True))


def test_names_of_candidates_differ() -> None:
    report = check(MEAN_SQUARE, dj_dx, dj_dx, examples=3, backend="numpy", dtype="float64")
    assert [v.route for v in report.claims[0].verdicts][-2:] == ["dj_dx", "dj_dx'"]


@pytest.mark.parametrize(
    ("candidate", "message"),
    [(3, "is no function"), (int, "`.apply`"), (Claim, "wanted a function of")],
)
def test_no_function(candidate: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check(MEAN_SQUARE, candidate)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "abacus"}, "no backend is called 'abacus'; known: numpy, torch-cpu"),
        ({"dtype": "int8"}, "dtype 'int8'; wanted one or more of float64, float32"),
        ({"examples": 0}, "examples=0; wanted a whole number of at least 1"),
        ({"examples": 2.5}, "examples=2.5"),
        ({"seed": -3}, "seed=-3; wanted a whole number that is not negative"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check(MEAN_SQUARE, **options)


def test_cuda_by_name() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(UnavailableError, match="torch finds no CUDA device"):
        check(MEAN_SQUARE, backend="torch-cuda")


@pytest.mark.cuda
def test_cuda_routes() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    report = check(MEAN_SQUARE, backend="torch-cuda")
    assert {v.status for v in report.claims[0].verdicts} == {Status.PASS}


def test_reports_survive_their_file() -> None:
    report = check(MEAN_SQUARE, lambda x: x * np.nan, examples=5, backend="numpy")
    again = Report.model_validate_json(report.to_json())
    assert again.to_json() == report.to_json()
    found, *_ = of(again, "candidate")
    assert found.defect == "nonfinite"
    assert found.counterexample is not None
    assert np.isnan(found.counterexample.got)
    assert '"NaN"' in report.to_json()


def test_records_have_no_truth_value() -> None:
    report = check(MEAN_SQUARE, examples=2, backend="numpy", dtype="float64")
    with pytest.raises(TypeError, match="has no truth value"):
        assert report
    with pytest.raises(TypeError, match="look at its fields"):
        bool(report.claims[0].verdicts[0])


def test_nothing_compared_is_undecided() -> None:
    empty = Claim(
        id="empty",
        title="of no element",
        source="here",
        domain=Domain(x=reals("0 n")),
        statement=Equal(left=lambda x: x, right=lambda x: 2 * x),
    )
    report = check(empty, examples=5, backend="numpy")
    assert report.claims[0].outcome != "as_expected"
    assert {v.status for v in report.claims[0].verdicts} == {Status.INCONCLUSIVE}


def test_what_vmap_alone_gets_wrong_is_no_mistake_of_the_code(monkeypatch: Any) -> None:
    """Directions at once are for speed; the verdict is that of forward mode, one by one."""
    torch = pytest.importorskip("torch")
    tried: list[bool] = []

    def zeros(function: Any, arrays: Any, name: str, derived: Any, along: Any) -> Any:
        tried.append(True)
        return torch.zeros(arrays[name].numel(), dtype=arrays[name].dtype)

    monkeypatch.setattr("verimath.routes.autograd._slopes", zeros)
    report = check(MEAN_SQUARE, autograd("mine", j), examples=30, backend="torch-cpu")
    assert tried
    assert {v.status for v in of(report, "mine: forward mode")} == {Status.PASS}
    wrong = check(
        MEAN_SQUARE, autograd("mine", lambda x: 2 * j(x)), examples=30, backend="torch-cpu"
    )
    assert {v.status for v in of(wrong, "mine: forward mode")} == {Status.WRONG}
