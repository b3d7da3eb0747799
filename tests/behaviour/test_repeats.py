"""Chance and memory: what a second call shows."""

import functools
import itertools

import numpy as np
import pytest
import torch

from tests.functions import SumOfSquares
from verimath import Claim, Domain, Equal, Status, autograd, check, numeric, reals
from verimath.claims.autograd import sum_of_squares
from verimath.errors import ClaimError


def summed(x):
    return x.__array_namespace__().sum(x)


TOTAL = Claim(
    id="total",
    title="t",
    source="s",
    domain=Domain(x=reals("n+3")),
    statement=Equal(left=summed, right=summed),
)

# --- chance ---


def off_now_and_then(x):
    return 2 * x * (1 + 1e-3 * (np.random.random() < 0.5))


def test_chance_is_a_fault_where_it_shows(rejected):
    rejected(off_now_and_then, "nondeterministic", "called")


TURNS = itertools.cycle([0, 1])


def in_another_order(x):
    """As a parallel sum is: now and then off by a rounding more."""
    off = next(TURNS) * np.finfo(x.dtype).eps if x.size > 3 else 0
    return np.asarray(x.sum() * x.dtype.type(1 + off))


def test_another_order_of_a_sum_is_a_fact_and_no_fault(accepted):
    verdict = accepted(in_another_order, TOTAL, examples=40)[""]
    assert verdict.reason == "repeated calls differ in their last digits, within the bound"


def heads(x):
    return 2 * x + (np.random.random() < 0.5)


def test_declared_randomness_is_seeded_before_every_call(accepted, verdicts):
    verdict = accepted(numeric("mine", heads, random=np.random.seed))[""]
    assert verdict.reason == "it declares randomness, so repeated calls are not compared"
    assert verdicts(heads)[""].defect in ("nondeterministic", "value")


def test_declared_randomness_that_is_wrong_is_wrong_in_the_script_too(verdicts, shows):
    verdict = verdicts(numeric("mine", lambda x: heads(x) + 1, random=np.random.seed))[""]
    assert (verdict.status, verdict.defect) == (Status.WRONG, "value")
    shows(verdict)


# --- state ---

CALLS = []
SEEN = {}
LAST = []


def counts(x):
    CALLS.append(1)
    return 2 * x * (1 if len(CALLS) < 2 else 3)


def by_identity(x):
    if id(x) not in SEEN:
        SEEN[id(x)] = x, 2 * x
    return SEEN[id(x)][1]


def after_others(x):
    """Right as long as no other shape came in between three times."""
    if LAST and LAST[-1] != x.shape:
        LAST.append(x.shape)
    if not LAST:
        LAST.append(x.shape)
    return 2 * x if len(LAST) < 9 else 3 * x


def refuses_what_it_knows(x):
    key = x.tobytes(), x.shape
    if SEEN.get("last") == key:
        raise ValueError("seen already")
    SEEN["last"] = key
    return 2 * x


@pytest.fixture(autouse=True)
def _forget():
    for memory in (CALLS, SEEN, LAST):
        memory.clear()


def test_state_is_a_fault(rejected, verdicts):
    rejected(counts, "nondeterministic", "called twice with the same input")
    rejected(by_identity, "stateful", "an array that it has seen, with new numbers in it")
    rejected(after_others, "stateful", "right at first, but after calls with other inputs")
    verdict = verdicts(refuses_what_it_knows)[""]
    assert verdict.defect == "nondeterministic"
    assert "ValueError: seen already" in verdict.reason


def test_declared_state_is_no_fault(accepted):
    verdict = accepted(numeric("mine", by_identity, stateful=True))[""]
    assert verdict.reason == "it declares state, so repeated calls are not compared"


@functools.cache
def from_bytes(data, shape):
    return 2 * np.frombuffer(data).reshape(shape)


def by_value(x):
    return from_bytes(x.tobytes(), x.shape)


class RunningMean(torch.nn.Module):
    """The sum of squares, with statistics of what it has seen and a parameter in float32."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, x):
        if x.numel():
            self.mean.mul_(0.9).add_(0.1 * x.detach().mean())
        return (x**2).sum() * self.scale


def test_caches_by_value_and_statistics_that_nobody_reads_are_no_fault(accepted):
    accepted(by_value)
    module = RunningMean()
    accepted(autograd("mine", module))
    assert (module.mean.item(), module.scale.dtype) == (0, torch.float32)  # it was copied


class OnTheClass(SumOfSquares):
    """Keeps its input where the next call puts its own."""

    kept = None

    @staticmethod
    def forward(ctx, x):
        OnTheClass.kept = x
        return (x**2).sum()

    setup_context = torch.autograd.Function.setup_context

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2 * OnTheClass.kept


class UsedUp(SumOfSquares):
    """Gives what it saved away at the first backward."""

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.kept = list(inputs)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2 * ctx.kept.pop()


def test_what_a_function_saves_is_its_own(rejected, accepted):
    function = autograd("mine", lambda x: OnTheClass.apply(x))
    words = "a backward after another forward mixes up the two"
    rejected(function, "stateful", words, way="reverse mode")
    words = "a second backward through the same graph"
    rejected(autograd("mine", UsedUp.apply), "stateful", words, way="reverse mode")
    accepted(autograd("mine", SumOfSquares.apply))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"stateful": 1}, "wanted True or False"), ({"random": 3}, "wanted a function that seeds")],
)
def test_declarations_are_checked(options, message):
    for make in (numeric, autograd):
        with pytest.raises(ClaimError, match=message):
            make("mine", abs, **options)


def gradients_off(x):
    torch.set_grad_enabled(False)
    return 2 * x


def another_dtype(x):
    torch.set_default_dtype(torch.float64)
    return 2 * x


def another_device(x):
    torch.set_default_device("meta")
    return 2 * x


@pytest.mark.parametrize("candidate", [gradients_off, another_dtype, another_device])
def test_what_code_sets_for_all_does_not_harm_what_comes_after(candidate):
    def default(x):
        return torch.zeros(x.shape) + 2 * x

    routes = [
        numeric("sets", candidate, library="torch"),
        autograd("after", lambda x: (x**2).sum()),
        numeric("default", default, library="torch"),
    ]
    found = check(sum_of_squares, *routes, backend="torch-cpu", dtype="float16", examples=8)
    statuses = {v.route: v.status for v in found.claims[0].verdicts}
    assert statuses["sets"] is statuses["after: reverse mode"] is Status.PASS
    assert statuses["default"] is Status.WRONG  # float32, as it is without the first one
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() is torch.float32
    assert torch.zeros(1).device.type == "cpu"
