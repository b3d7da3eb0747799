"""What all tests share: random formulas, and no deadlines.

Random formulas are short programs over the array API that any of its libraries can run.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from array_api_compat import array_namespace
from hypothesis import Phase, settings
from hypothesis import strategies as st

from verimath.composites import (
    log_softmax,
    logsumexp,
    sigmoid,
    softmax,
    softplus,
    standardize,
)
from verimath.errors import FormulaError
from verimath.formula import operations
from verimath.formula.trace import trace
from verimath.formula.traced import TracedArray
from verimath.shapes import Size, parse_shape

# How long one example takes depends on who else uses the machine.
settings.register_profile("verimath", deadline=None)
# For benchmarks/mutants.py: the same examples every time, and no time spent on shrinking them.
settings.register_profile(
    "mutants",
    deadline=None,
    derandomize=True,
    max_examples=50,
    phases=(Phase.explicit, Phase.generate),
)
settings.load_profile("verimath")

INPUTS = {"X": "n d", "v": "d", "u": "n 1", "s": ""}

OPERATIONS = {
    "negate": lambda xp, a, b: -a,
    "shift": lambda xp, a, b: a - 2 / 3,
    "scale": lambda xp, a, b: a * 3,
    "below": lambda xp, a, b: 0.5 / (a**2 + 1),
    "square": lambda xp, a, b: a**2,
    "cube": lambda xp, a, b: a**3 / 8,
    "root": lambda xp, a, b: (a**2 + 1) ** 0.5,
    "exp": lambda xp, a, b: xp.exp(xp.tanh(a)),
    "log": lambda xp, a, b: xp.log(a**2 + 1),
    "sqrt": lambda xp, a, b: xp.sqrt(a**2 + 2),
    "sin": lambda xp, a, b: xp.sin(a),
    "cos": lambda xp, a, b: xp.cos(a),
    "tanh": lambda xp, a, b: xp.tanh(a),
    "add": lambda xp, a, b: a + b,
    "subtract": lambda xp, a, b: a - b,
    "multiply": lambda xp, a, b: a * b,
    "divide": lambda xp, a, b: a / (b**2 + 1),
    "matmul": lambda xp, a, b: a @ b,
    "left matmul": lambda xp, a, b: a.T @ b,
    "gram": lambda xp, a, b: a @ a.T,
    "transpose": lambda xp, a, b: a.T,
    "sum": lambda xp, a, b: xp.sum(a),
    "column sums": lambda xp, a, b: xp.sum(a, axis=0),
    "row sums": lambda xp, a, b: xp.sum(a, axis=-1, keepdims=True),
    "mean": lambda xp, a, b: xp.mean(a, axis=0),
    "column": lambda xp, a, b: a[:, None],
    "row": lambda xp, a, b: a[None, :],
    "flat": lambda xp, a, b: xp.reshape(a, (a.shape[0] * a.shape[1],)),
    "spread": lambda xp, a, b: xp.broadcast_to(a, b.shape),
    "trace": lambda xp, a, b: xp.linalg.trace(a @ a.T),
    "diagonal": lambda xp, a, b: xp.linalg.diagonal(a @ a.T),
    "outer": lambda xp, a, b: xp.linalg.outer(a, b),
    "vecdot": lambda xp, a, b: xp.vecdot(a, b),
    "tensordot": lambda xp, a, b: xp.tensordot(a, b, axes=1),
    "divide by size": lambda xp, a, b: a / a.shape[0],
    "abs": lambda xp, a, b: abs(a),
    "expm1": lambda xp, a, b: xp.expm1(xp.tanh(a)),
    "log1p": lambda xp, a, b: xp.log1p(a**2),
    "atan": lambda xp, a, b: xp.atan(a),
    "asinh": lambda xp, a, b: xp.asinh(a),
    "sinh": lambda xp, a, b: xp.sinh(xp.tanh(a)),
    "cosh": lambda xp, a, b: xp.cosh(xp.tanh(a)),
    "where": lambda xp, a, b: xp.where(a > b, a * 3, b),
    "mask": lambda xp, a, b: xp.where((a <= 0.25) & ~(b < -1.0) | (a == b), -a, 2 * a),
    "maximum": lambda xp, a, b: xp.maximum(a, b),
    "minimum": lambda xp, a, b: xp.minimum(a, 0.5 * b),
    "clip": lambda xp, a, b: xp.clip(a, -1.25, 0.75),
    "max": lambda xp, a, b: xp.max(xp.concat([a, 0.5 - a]), axis=0),
    "flip": lambda xp, a, b: xp.flip(a, axis=0),
    "concat": lambda xp, a, b: xp.concat([a, 2 * a], axis=0)[a.shape[0] :],
    "take": lambda xp, a, b: xp.take(xp.concat([a, a]), xp.arange(a.shape[0]) * 2, axis=0),
    "tril": lambda xp, a, b: xp.tril(a),
    "prod": lambda xp, a, b: xp.prod(xp.tanh(a) + 0.25, axis=0),
    "cumulative sum": lambda xp, a, b: xp.cumulative_sum(a, axis=0),
    "variance": lambda xp, a, b: xp.var(a, axis=0, correction=-1, keepdims=True),
    "inverse": lambda xp, a, b: xp.linalg.inv(a @ a.T + 3 * xp.eye(a.shape[0])),
    "solve": lambda xp, a, b: xp.linalg.solve(b @ b.T + 3 * xp.eye(b.shape[0]), a),
    "determinant": lambda xp, a, b: xp.linalg.det(xp.tanh(a @ a.T) + 2 * xp.eye(a.shape[0])),
    "cholesky": lambda xp, a, b: xp.linalg.cholesky(a @ a.T + 3 * xp.eye(a.shape[0])),
    "softmax": lambda xp, a, b: softmax(a),
    "logsumexp": lambda xp, a, b: logsumexp(a, axis=0),
    "log softmax": lambda xp, a, b: log_softmax(a, axis=0),
    "sigmoid": lambda xp, a, b: sigmoid(a),
    "softplus": lambda xp, a, b: softplus(a),
    "standardize": lambda xp, a, b: standardize(a, axis=0),
}


@dataclass(frozen=True)
class Program:
    """Steps (operation, operand, operand) on the inputs and earlier results, and sizes."""

    steps: tuple[tuple[str, int, int], ...]
    sizes: tuple[tuple[str, int], ...]
    scalar: bool

    def __call__(self, *inputs):
        xp = array_namespace(*inputs)
        values = list(inputs)
        for name, i, j in self.steps:
            values.append(OPERATIONS[name](xp, values[i], values[j]))
        result = values[-1]
        return xp.sum(xp.tanh(result)) if self.scalar and result.ndim else result

    __name__ = "program"

    @property
    def shapes(self):
        return {name: parse_shape(text).expand({}) for name, text in INPUTS.items()}

    @property
    def formula(self):
        return trace(self, self.shapes)

    @property
    def binding(self):
        return dict(self.sizes)

    def draw(self, seed):
        generator = np.random.default_rng(seed)
        return {
            name: generator.uniform(-2, 2, tuple(size.at(self.binding) for size in shape))
            for name, shape in self.shapes.items()
        }


@st.composite
def _programs(draw, *, longest=8, scalar=False, smallest=1, only=tuple(OPERATIONS), without=()):
    shapes = {name: parse_shape(text).expand({}) for name, text in INPUTS.items()}
    known = [TracedArray(operations.input_(name, shape)) for name, shape in shapes.items()]
    xp = array_namespace(*known)
    steps = []
    for _ in range(draw(st.integers(1, longest))):
        name = draw(st.sampled_from([name for name in only if name not in without]))
        # Late results first, so that programs are deep rather than wide.
        i, j = (len(known) - 1 - draw(st.integers(0, len(known) - 1)) for _ in "ab")
        try:
            result = OPERATIONS[name](xp, known[i], known[j])
        except (FormulaError, ValueError, IndexError):
            continue
        if result.ndim > 3:
            continue
        known.append(result)
        steps.append((name, i, j))
    if not steps:
        steps.append(("tanh", 0, 0))
    sizes = tuple((name, draw(st.integers(smallest, 4))) for name in ("n", "d"))
    return Program(tuple(steps), sizes, scalar)


@pytest.fixture(scope="session")
def programs():
    """The strategy of random programs."""
    return _programs


@pytest.fixture(scope="session")
def sized():
    """Sizes by name, for shapes given as strings."""
    return lambda text: tuple(Size.of(int(t) if t.isdigit() else t) for t in text.split())
