r"""TeX: read back by an evaluator that knows only how mathematicians read, and compared with numpy.

The evaluator binds powers tightest, then juxtaposition (scalar and matrix products), then \odot,
then + and -; vectors are columns, and a bold one has as many rows or columns as fit. TeX that it
can't read, or that has another value than the formula, is wrong.
"""

import re

import numpy as np
import pytest
from array_api_compat import array_namespace
from hypothesis import given, settings
from hypothesis import strategies as st

from verimath import AtMost, Converges, catalogue
from verimath.formula.derive import derive
from verimath.formula.latex.statements import formula_tex, statement_tex, step_tex
from verimath.formula.latex.symbols import size_tex, symbol
from verimath.formula.trace import trace
from verimath.pairs import joined
from verimath.reference.prepare import prepare
from verimath.report.mathml import to_mathml
from verimath.shapes import Size

N, D, K = Size.of("n"), Size.of("d"), Size.of("k")
TWO_BY_THREE = (Size.of(2), Size.of(3))

TOKEN = re.compile(
    r"\s*(\\left\\langle|\\right\\rangle|\\left\(|\\right\)|\\left\||\\right\||\\left\[|\\right\]"
    r"|\\operatorname\{\w+\}|\\math\w+\{[^}]*\}|\\bar|\\textstyle|\\[A-Za-z]+|\\,|\\;|\d+|\w|.)"
)


ONES = object()  # as many as fit


class Reader:
    """A recursive-descent evaluator of the TeX of formulas, given values of names and sizes."""

    def __init__(self, tex, values):
        tokens = [t.strip() or t for t in TOKEN.findall(tex)]
        self.tokens = [t for t in tokens if t.strip() and t not in (r"\,", r"\;", r"\textstyle")]
        self.at = 0
        self.values = values

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, wanted=None):
        token = self.peek()
        assert token is not None, self.tokens
        assert wanted in (None, token), (self.tokens, self.at, wanted)
        self.at += 1
        return token

    def everything(self):
        value = self.sum()
        assert self.peek() is None, self.tokens[self.at :]
        return value

    def sum(self):
        sign = -1 if self.peek() == "-" else 1
        if sign < 0:
            self.take()
        total = scaled(sign, self.elementwise())
        while self.peek() in ("+", "-"):
            sign = 1 if self.take() == "+" else -1
            total = total + scaled(sign, self.elementwise())
        return total

    def elementwise(self):
        value = self.product()
        while self.peek() == r"\odot":
            self.take()
            value = value * self.product()
        return value

    def product(self):
        factors = [self.scripted()]
        ends = {"+", "-", r"\odot", "}", ",", "/", r"\right)", r"\right|", r"\right]", None}
        ends.add(r"\right\rangle")
        while self.peek() not in ends:
            factors.append(self.scripted())
        # Matrix products associate; numbers commute with everything.
        numbers = [f for f in factors if is_number(f)]
        arrays = [f for f in factors if not is_number(f)]
        value = None
        for factor in arrays:
            value = factor if value is None else matrix_product(value, factor)
        for number in numbers:
            value = number if value is None else scaled(number, value)
        return value

    def scripted(self):
        entries = self.peek() == r"\left|"  # of which everything is taken one by one
        value = self.atom()
        if self.peek() == "^":
            self.take()
            if self.peek() == r"\top":
                self.take()
                value = value if value is ONES or np.ndim(value) == 0 else value.T
            else:
                self.take("{")
                elementwise = self.peek() == r"\odot"
                if elementwise:
                    self.take()
                exponent = self.number()
                self.take("}")
                matrix = np.ndim(value) == 2 and min(value.shape) > 1
                if matrix and exponent == -1 and not elementwise:
                    return np.linalg.inv(value)
                assert elementwise or entries or not matrix, "a power of a matrix"
                value = value**exponent
            assert self.peek() != "^", "two superscripts"
        return value

    def number(self):
        sign = -1 if self.peek() == "-" and self.take() else 1
        top = int(self.take())
        return sign * top / int(self.take() and self.take()) if self.peek() == "/" else sign * top

    def group(self):
        self.take("{")
        value = self.sum()
        self.take("}")
        return collapsed(value)

    def parenthesised(self):
        self.take(r"\left(")
        value = self.sum()
        self.take(r"\right)")
        return collapsed(value)

    def atom(self):
        token = self.take()
        if token.isdigit():
            return float(token)
        if token in (r"\left(", "{"):
            self.at -= 1
            return self.parenthesised() if token != "{" else self.group()
        if token == r"\Re":
            return np.real(self.scripted())
        if token == r"\frac":
            top = self.group()
            return top / self.group()
        if token == r"\sqrt":
            return np.sqrt(self.group())
        if token == r"\mathbf{1}":
            return ONES
        if token == r"\pi":
            return np.pi
        if token == r"\mathrm{e}":
            if self.peek() != "^":
                return np.e
            self.take()
            return np.exp(self.group())
        if token in (r"\sin", r"\cos", r"\tanh", r"\log"):
            inner = self.parenthesised() if self.peek() == r"\left(" else self.atom()
            return getattr(np, token[1:])(inner)
        if token == r"\left|":
            value = np.abs(self.sum())
            self.take(r"\right|")
            return value
        if token == r"\det":
            return float(np.linalg.det(self.parenthesised()))
        if token == r"\sigma":
            return 1 / (1 + np.exp(-self.parenthesised()))
        if token == r"\max":
            self.take(r"\left(")
            first = self.sum()
            self.take(",")
            largest = np.maximum(first, self.sum())
            self.take(r"\right)")
            return largest
        if token == r"\left\langle":
            left = self.sum()
            self.take(",")
            right = self.sum()
            self.take(r"\right\rangle")
            return np.sum(left * right)
        if token.startswith(r"\operatorname"):
            name = token[len(r"\operatorname{") : -1]
            if self.peek() == "_":
                raise Unreadable  # broadcast, reshape and axes of arrays of three and more axes
            value = self.parenthesised()
            assert value is not ONES
            operations = {
                "sum": np.sum,
                "mean": np.mean,
                "tr": np.trace,
                "size": np.size,
                "softmax": softmax,
                "logsumexp": lambda x: float(np.log(np.sum(np.exp(x)))),
                "softplus": lambda x: np.log1p(np.exp(x)),
                "sgn": np.sign,
                "tril": np.tril,
                "triu": np.triu,
            }
            if name == "diag":  # of a column, the matrix with that diagonal
                return np.diagflat(value) if value.shape[1] == 1 else np.diagonal(value)[:, None]
            return operations[name](value)
        if token in (r"\left[", r"\sum", r"\mathbf{I}", r"\begin"):
            raise Unreadable  # index notation, or an identity of a size from elsewhere
        if self.peek() == "_":
            raise Unreadable
        return self.values[token]


class Unreadable(Exception):
    """Notation that this reader leaves out."""


def softmax(x):
    """Of a column, or of each row."""
    e = np.exp(x)
    return e / e.sum(axis=0 if x.shape[1] == 1 else 1, keepdims=True)


def collapsed(value):
    """One number in parentheses or a fraction is a number, however it came about."""
    return float(np.reshape(value, ())) if value is not ONES and np.size(value) == 1 else value


def is_number(x):
    return x is not ONES and np.size(x) == 1 and np.ndim(x) == 0


def scaled(number, x):
    assert x is not ONES or number == 1, "how many ones?"
    return x if x is ONES else number * x


def matrix_product(a, b):
    """The product; rows of ones times a row stay one row, which broadcasts."""
    assert a is not ONES or b is not ONES, "how many ones?"
    if b is ONES:
        return a.sum(axis=1, keepdims=True)
    if a is ONES:
        return b.sum(axis=0, keepdims=True)
    assert a.shape[1] == b.shape[0] or 1 in (a.shape[1], b.shape[0]), (a.shape, b.shape)
    if a.shape[1] != b.shape[0]:  # a repeated row or column, kept once
        size = max(a.shape[1], b.shape[0])
        a = np.broadcast_to(a, (a.shape[0], size))
        b = np.broadcast_to(b, (size, b.shape[1]))
    return a @ b


def column(x):
    return x[:, None] if x.ndim == 1 else x if x.ndim else x.item()


def read(tex, values, sizes):
    names = {symbol(name): column(np.asarray(x)) for name, x in values.items()}
    names |= {symbol(name): float(size) for name, size in sizes.items() if name not in values}
    return Reader(tex, names).everything()


def assert_reads_as(tex, value, values, sizes):
    try:
        found = read(tex, values, sizes)
    except Unreadable:
        return
    value = np.asarray(value)
    if np.size(found) == 1:
        found = float(np.reshape(found, ()))
    found = np.broadcast_to(found, column(value).shape if value.ndim else ())
    np.testing.assert_allclose(
        found, column(value) if value.ndim else value, 1e-8, 1e-8, err_msg=tex
    )


MATRICES = (
    "negate", "shift", "scale", "below", "square", "cube", "root", "exp", "log", "sqrt", "sin",
    "add", "subtract", "multiply", "divide", "matmul", "left matmul", "gram", "transpose", "sum",
    "column sums", "row sums", "mean", "column", "row", "trace", "diagonal", "outer", "vecdot",
    "tensordot", "divide by size",
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_a_formula_reads_as_what_it_computes(programs, data, seed):
    program = data.draw(programs(longest=6, only=MATRICES))
    if program.formula.outputs[0].shape and len(program.formula.outputs[0].shape) > 2:
        return
    binding = {"n": 2, "d": 3}
    program = type(program)(program.steps, tuple(binding.items()), program.scalar)
    values = program.draw(seed)
    tex = formula_tex(program.formula)
    assert_reads_as(tex, program(*values.values()), values, binding)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_a_gradient_reads_as_what_it_computes(programs, data, seed):
    import torch

    program = data.draw(programs(longest=4, scalar=True, only=MATRICES))
    program = type(program)(program.steps, (("n", 2), ("d", 3)), True)
    values = program.draw(seed)
    tensors = [torch.tensor(x, requires_grad=True) for x in values.values()]
    wanted = torch.autograd.grad(program(*tensors), tensors, materialize_grads=True)
    for name, want in zip(values, wanted, strict=True):
        tex = formula_tex(derive(program.formula, (name,)).derivatives)
        assert_reads_as(tex, want.numpy(), values, program.binding)


def _mathml(tex):
    return to_mathml(tex, display=True)


def xp_of(x):
    return array_namespace(x)


EXAMPLES = {
    "a broadcast row": (lambda x, v: x * v, {"x": (N, D), "v": (D,)},
        r"x \odot \left(\mathbf{1}\,v^\top\right)"),
    "a broadcast column": (lambda x, v: x * v[:, None], {"x": (N, D), "v": (N,)},
        r"x \odot \left(v\,\mathbf{1}^\top\right)"),
    "a product inside a product": (lambda x, y, B: (x * y) @ B,
        {"x": (N, D), "y": (N, D), "B": (D, K)}, r"\left(x \odot y\right) B"),
    "a transposed square": (lambda x, y: (x**2).T @ y, {"x": (N, D), "y": (N,)},
        r"\left(x^{\odot 2}\right)^\top y"),
    "a square of a vector": (lambda v: v**2, {"v": (N,)}, "v^{2}"),
    "a power of a power": (lambda v: ((v + 1) ** 2) ** 3, {"v": (N,)},
        r"\left(\left(v + 1\right)^{2}\right)^{3}"),
    "a power of an exponential": (lambda v: xp_of(v).exp(v) ** 2, {"v": (N,)},
        r"\left(\mathrm{e}^{v}\right)^{2}"),
    "a sum of one number": (lambda x: xp_of(x).sum(0 * x[:, None] + 0 * x[:, None]), {"x": (N,)},
        r"\operatorname{sum}\left(0\,x + 0\,x\right)"),
    "a sum of ones": (lambda x: xp_of(x).sum(xp_of(x).ones_like(x)), {"x": (N, D)}, r"d\,n"),
    "column sums of ones": (lambda x: xp_of(x).sum(xp_of(x).ones_like(x), axis=0),
        {"x": (N, D)}, "n"),
    "a product of ones": (lambda x: xp_of(x).ones_like(x) @ xp_of(x).ones_like(x.T),
        {"x": (N, D)}, "d"),
    "repeated rows summed": (lambda x, v: xp_of(x).sum(xp_of(x).broadcast_to(v, x.shape), axis=0),
        {"x": (N, D), "v": (D,)}, r"n\,v"),
    "repeated rows, all summed": (lambda x, v: xp_of(x).sum(xp_of(x).broadcast_to(v, x.shape)),
        {"x": (N, D), "v": (D,)}, r"n\,\operatorname{sum}\left(v\right)"),
    "a sum of two numbers": (lambda x, a, b: x @ xp_of(x).broadcast_to(a + b, x.T.shape),
        {"x": (N, D), "a": (), "b": ()}, r"\left(a + b\right)\,x \mathbf{1}"),
    "a sum over pi": (lambda x: xp_of(x).sum(x) / (6 * xp_of(x).pi), {"x": TWO_BY_THREE},
        r"\frac{\operatorname{sum}\left(x\right)}{6\,\pi}"),
    "a mean": (lambda x: xp_of(x).sum(x) / 6, {"x": TWO_BY_THREE},
        r"\operatorname{mean}\left(x\right)"),
    "a centred matrix": (lambda x: x - xp_of(x).mean(x, axis=0), {"x": (N, D)},
        r"x - \frac{1}{n}\mathbf{1}\,\left(x^\top\,\mathbf{1}\right)^\top"),
    "no mean": (lambda x: xp_of(x).sum(x) / x.shape[0], {"x": (N, D)},
        r"\frac{\operatorname{sum}\left(x\right)}{n}"),
    "sizes with coefficients": (lambda x: 2 * x / x.size / x.size, {"x": (Size.of("n") * 3,)},
        r"\frac{2}{9\,n^{2}}x"),
    "a size that is a sum": (lambda x: x / x.size**2 / x.size, {"x": (N + 1,)}, None),
    "a negative fraction": (lambda x, v: x @ v * (-1 / 2) * xp_of(x).sum(v),
        {"x": (N, D), "v": (D,)}, None),
    "named constants": (lambda x: (x * (2 * xp_of(x).pi)) * (2 * xp_of(x).pi), {"x": (N,)},
        r"4\,\pi^{2}\,x"),
    "a row": (lambda v: v[None, :] @ v, {"v": (N,)}, None),
    "a row read as a column": (lambda A, y: A @ xp_of(A).reshape(y, (y.shape[1],)),
        {"A": (N, D), "y": (Size.of(1), D)}, r"A y^\top"),
    "a subscript of a subscript": (lambda w1, w2: xp_of(w1).vecdot(w1, w2),
        {"w1": (N, D), "w2": (N, D)}, None),
    "division by zero": (lambda x: x / 0, {"x": (N,)}, r"\frac{1}{0}x"),
    "a variable called pi": (lambda pi: pi * 3.141592653589793, {"pi": (N,)},
        r"\pi\,\mathrm{pi}"),
    "a trace of a product": (lambda A, B: xp_of(A).tensordot(A, B, axes=((0, 1), (1, 0))),
        {"A": (N, D), "B": (D, N)}, r"\operatorname{tr}\left(A B\right)"),
    "a size named like an input": (lambda n: xp_of(n).sum(n) / 3 * n.shape[0], {"n": (N,)},
        r"\frac{\operatorname{sum}\left(n\right)\,\operatorname{size}\left(n\right)}{3}"),
    "a broadcast to three axes": (lambda x, v: x + v, {"x": (K, N, D), "v": (D,)},
        r"x + \operatorname{broadcast}_{k \times n \times d}\left(v\right)"),
    "identity": (lambda x: x @ xp_of(x).eye(x.shape[1]), {"x": (N, D)}, r"x \mathbf{I}"),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_printed_as_a_person_would(name):
    function, shapes, wanted = EXAMPLES[name]
    tex = formula_tex(trace(function, shapes))
    assert wanted is None or tex == wanted
    assert not re.search(r"\^\{[^{}]*\}\^|\\top\^|\}_\{[^{}]*\}_", tex), tex
    assert "<math" in _mathml(tex)
    generator = np.random.default_rng(0)
    sizes = {"n": 2, "d": 3, "k": 4}
    values = {
        key: generator.uniform(1, 2, tuple(s.at(sizes) for s in shape))
        for key, shape in shapes.items()
    }
    if name not in ("identity", "division by zero", "a size named like an input"):
        assert_reads_as(tex, function(*values.values()), values, sizes)


STEPS = {
    "mean-square-gradient": [
        r"\frac{\partial j}{\partial z} = \frac{1}{\operatorname{size}\left(x\right)}",
        r"\frac{\partial z}{\partial y} = 4\,y",
        r"\frac{\partial y}{\partial x} = 1",
    ],
    "two-affine-layers-gradient": [
        r"\frac{\partial y}{\partial z} = w_{2}^\top \mathbf{1}",
        r"\bar{w_{1}} = \bar{z} x^\top",
    ],
    "summed-matrix-product-gradient": [
        r"\frac{\partial s}{\partial X} = \mathbf{1} X^\top + X^\top \mathbf{1}",
    ],
    "linear-regression-gradients": [
        r"\frac{\partial \mathrm{loss}}{\partial r} = \frac{1}{n}r",
        r"\bar{b} = \bar{r}^\top\,\mathbf{1}",
        r"\bar{w} = X^\top \bar{r}",
    ],
}
STATEMENTS = {
    "mean-square-gradient": r"\nabla_{x}\left[\operatorname{mean}\left(2\,\left(x + 1\right)"
    r"^{\odot 2}\right)\right] = \frac{4}{\operatorname{size}\left(x\right)}\left(x + 1\right)",
    "two-affine-layers-gradient": r"\nabla_{w_{1}}\left[\operatorname{sum}\left(w_{2} \left(w_{1} x"
    r" + b_{1}\right) + b_{2}\right)\right] = w_{2}^\top \mathbf{1} x^\top",
    "mlp-collapse-3": r"X W_{1} W_{2} W_{3} = X \left(W_{1} \left(W_{2} W_{3}\right)\right)",
}


def _prepared(claim):
    return prepare(claim, {name: min(top, 2) for name, top in claim.domain.largest_ranks.items()})


@pytest.mark.parametrize("claim_id", STEPS)
def test_steps_of_the_catalogue(claim_id):
    prepared = _prepared(catalogue.all_claims()[claim_id])
    assert [step_tex(prepared.primal, s) for s in prepared.derivation.steps] == STEPS[claim_id]


@pytest.mark.parametrize("claim_id", STATEMENTS)
def test_statements_of_the_catalogue(claim_id):
    claim = catalogue.all_claims()[claim_id]
    prepared = _prepared(claim)
    found = statement_tex(claim.statement, prepared.primal, prepared.claimed)
    assert found == STATEMENTS[claim_id]


def test_iterations_are_printed_with_limit_and_factor():
    claim = catalogue.all_claims()["newton-square-root-converges"]
    prepared = _prepared(claim)
    found = statement_tex(claim.statement, prepared.primal, prepared.printed)
    assert found == (
        r"x \leftarrow \frac{1}{2}\left(x + \frac{a}{x}\right) \quad\text{tends to}\quad \sqrt{a} "
        r"\quad\text{by the factor}\quad \frac{1}{2} < 1"
    )


def primal_of(statement):
    """The function whose graph is the primal of a statement."""
    if isinstance(statement, Converges):
        return statement.to
    return getattr(statement, "of", None) or statement.left


def with_letters_for_parts(tex, values):
    r"""TeX and values with a letter for each \Re{z} and \Im{z}, beside z and i themselves."""
    known = {**values, **joined(values)}
    if len(known) == len(values):
        return tex, values
    for number, name in enumerate(values):
        letter = f"p{number}"
        known[letter] = known.pop(name)
        tex = tex.replace(symbol(name), symbol(letter))
    return tex, {**known, "i": np.asarray(1j)}


@pytest.mark.parametrize("claim", catalogue.all_claims().values(), ids=lambda c: c.id)
def test_the_catalogues_formulas_read_as_what_they_compute(claim):
    prepared = _prepared(claim)
    generator = np.random.default_rng(0)
    names = sorted({n for x in prepared.primal.inputs.values() for s in x.shape for n in s.names})
    sizes = {name: 2 + i for i, name in enumerate(names)}
    values: dict[str, np.ndarray] = {}
    for name, node in prepared.primal.inputs.items():
        low, high = claim.domain.inputs[name].limits("float64")
        low = max(low, -1.0)
        high = min(high, low + 2.0)
        values[name] = generator.uniform(low, high, tuple(s.at(sizes) for s in node.shape))
    function = primal_of(claim.statement)
    tex = formula_tex(prepared.primal)
    if "pmatrix" not in tex and len(prepared.primal.outputs) == 1:
        value = function(*joined(values).values())
        tex, values = with_letters_for_parts(tex, values)
        assert_reads_as(tex, value, values, sizes)
    assert "<math" in _mathml(statement_tex(claim.statement, prepared.primal, prepared.printed))


@pytest.mark.parametrize(
    ("name", "tex"),
    [
        ("x", "x"),
        ("w1", "w_{1}"),
        ("w12", "w_{12}"),
        ("y_hat", r"y_{\mathrm{hat}}"),
        ("x_i_j", "x_{i,j}"),
        ("loss", r"\mathrm{loss}"),
        ("theta", r"\theta"),
        ("theta_0", r"\theta_{0}"),
        ("lambda_", r"\lambda"),
        ("x'", "x'"),
        ("w1'", "w'_{1}"),
        ("x_", r"\mathrm{x\_}"),
        ("_x", r"\mathrm{\_x}"),
        ("x__y", r"\mathrm{x\_\_y}"),
        ("pi", r"\mathrm{pi}"),
        ("π", r"\text{π}"),
        ("größe", r"\text{größe}"),
        ("shape[1]", r"\mathrm{shape}_{1}"),
        ("my_batch[0]", r"\mathrm{my\_batch}_{0}"),
    ],
)
def test_names(name, tex):
    assert symbol(name) == tex
    assert "<math" in _mathml(symbol(name))


@given(st.from_regex(r"[A-Za-z_]\w{0,6}", fullmatch=True).filter(str.isidentifier))
@settings(max_examples=60, deadline=None)
def test_any_name_is_printed_without_active_characters(name):
    tex = symbol(name)
    assert not set("#$%&~") & set(tex)
    assert tex.count("{") == tex.count("}")


@pytest.mark.parametrize(
    ("size", "tex"),
    [
        (N * D * 2 + 1, r"2d\,n+1"),
        (N * -1 + 3, "-n+3"),
        (Size.of(0), "0"),
        (N + D * -2, "-2d+n"),
    ],
)
def test_sizes(size, tex):
    assert size_tex(size) == tex


@pytest.mark.parametrize(
    ("bound", "tex"),
    [
        (5e-5, r"5 \cdot 10^{-5}"),
        (0.123456789, "0.123456789"),
        (3, "3"),
        (1e20, "1 \\cdot 10^{20}"),
    ],
)
def test_bounds_are_printed_in_full(bound, tex):
    primal = trace(lambda x: x, {"x": (N,)})
    wanted = rf"\left|x\right| \le {tex}"
    assert statement_tex(AtMost(of=lambda x: x, bound=bound), primal, None) == wanted


@pytest.mark.parametrize(
    ("function", "tex"),
    [
        (lambda xp, x: xp.tril(x), r"\operatorname{tril}\left(x\right)"),
        (lambda xp, x: xp.triu(x), r"\operatorname{triu}\left(x\right)"),
        (lambda xp, x: xp.tril(x, k=-1), r"\operatorname{tril}_{-1}\left(x\right)"),
        (lambda xp, x: xp.triu(x, k=1) @ x, r"\operatorname{triu}_{1}\left(x\right) x"),
        (
            lambda xp, x: xp.eye(3) * xp.linalg.diagonal(x),
            r"\operatorname{diag}\left(\operatorname{diag}\left(x\right)\right)",
        ),
    ],
)
def test_triangles_and_diagonals_have_names(function, tex):
    n = Size.of(3)
    formula = trace(lambda x: function(array_namespace(x), x), {"x": (n, n)})
    assert formula_tex(formula).replace(" ", "") == tex.replace(" ", "")


def test_other_choices_are_written_out():
    def function(x):
        xp = array_namespace(x)
        row, column = xp.arange(3)[:, None], xp.arange(3)
        return xp.where(column < row, x, 0) + xp.where(column <= row, x, 1)

    tex = formula_tex(trace(function, {"x": (Size.of(3), Size.of(3))}))
    assert "tril" not in tex
    assert tex.count("cases") == 4


def test_the_reader_can_fail():
    values, sizes = {"x": np.ones((2, 3)), "B": np.ones((3, 3))}, {"n": 2}
    with pytest.raises(AssertionError):
        assert_reads_as(r"x + x", np.ones((2, 3)), values, sizes)
    with pytest.raises(AssertionError, match="two superscripts"):
        read(r"x^{\odot 2}^\top", values, sizes)
    with pytest.raises(AssertionError, match="a power of a matrix"):
        read(r"x^{2}", values, sizes)
