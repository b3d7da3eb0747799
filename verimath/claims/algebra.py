"""Algebra: identities of inverses, determinants, products and softmax."""

from typing import Any

from array_api_compat import array_namespace

from verimath import Claim, Domain, Equal, composites, reals, well_conditioned

_COOKBOOK = "Petersen and Pedersen, The Matrix Cookbook (2012), "
_TAME = -8, 8


def _xp(x: Any) -> Any:
    return array_namespace(x)


def _eye(x: Any) -> Any:
    """The identity of the rows of x: same library, dtype and device."""
    return _xp(x).eye(x.shape[0], dtype=x.dtype, device=x.device)


def _inverse(x: Any) -> Any:
    return _xp(x).linalg.inv(x)


def _ones(x: Any) -> Any:
    """One for each row of x."""
    return _xp(x).ones(x.shape[0], dtype=x.dtype, device=x.device)


def _outer(a: Any, b: Any) -> Any:
    return _xp(a).linalg.outer(a, b)


def _trace(x: Any) -> Any:
    return _xp(x).linalg.trace(x)


def _det(x: Any) -> Any:
    return _xp(x).linalg.det(x)


# --- inverses and determinants ----------------------------------------------------------------


def _sherman_morrison(A: Any, u: Any, v: Any) -> Any:
    Y = _inverse(A)
    scale = 1 + _xp(v).sum(v * (Y @ u))
    return (A + _outer(u, v)) @ (Y - _outer(Y @ u, v @ Y) / scale)


def _wrong_update(update: Any) -> Any:
    """The product with something else for the rank-one update of the inverse."""

    def product(A: Any, u: Any, v: Any) -> Any:
        Y = _inverse(A)
        return (A + _outer(u, v)) @ update(Y, u, v, _xp(v).sum(v * (Y @ u)))

    return product


sherman_morrison = Claim(
    id="sherman-morrison",
    title="The inverse of A + uv' is A⁻¹ - A⁻¹uv'A⁻¹/(1 + v'A⁻¹u): their product is I",
    source=_COOKBOOK + "equation 160",
    domain=Domain(A=well_conditioned("n n"), u=reals("n", -1, 1), v=reals("n", -1, 1)),
    statement=Equal(left=lambda A, u, v: _eye(A), right=_sherman_morrison),
    assume=["A has an inverse", "1 + v'A⁻¹u is not zero"],
    mutants={
        "a plus": _wrong_update(lambda Y, u, v, s: Y + _outer(Y @ u, v @ Y) / (1 + s)),
        "1 - v'A⁻¹u": _wrong_update(lambda Y, u, v, s: Y - _outer(Y @ u, v @ Y) / (1 - s)),
        "the scale forgotten": _wrong_update(lambda Y, u, v, s: Y - _outer(Y @ u, v @ Y)),
        "u and v swapped": _wrong_update(lambda Y, u, v, s: Y - _outer(Y @ v, u @ Y) / (1 + s)),
    },
)


def _woodbury(A: Any, U: Any, C: Any, V: Any) -> Any:
    Y, core = _inverse(A), _inverse(C)
    return (A + U @ C @ V) @ (Y - Y @ U @ _inverse(core + V @ Y @ U) @ V @ Y)


def _wrong_core(core: Any) -> Any:
    """The product with something else between U and V."""

    def product(A: Any, U: Any, C: Any, V: Any) -> Any:
        Y = _inverse(A)
        return (A + U @ C @ V) @ (Y - Y @ U @ core(C, V @ Y @ U) @ V @ Y)

    return product


woodbury = Claim(
    id="woodbury",
    title="The inverse of A + UCV is A⁻¹ - A⁻¹U(C⁻¹ + VA⁻¹U)⁻¹VA⁻¹: their product is I",
    source=_COOKBOOK + "equation 156",
    domain=Domain(
        A=well_conditioned("n n"),
        U=reals("n k", -1, 1),
        C=well_conditioned("k k"),
        V=reals("k n", -1, 1),
    ),
    statement=Equal(left=lambda A, U, C, V: _eye(A), right=_woodbury),
    assume=["A, C and C⁻¹ + VA⁻¹U have inverses"],
    mutants={
        "C for its inverse": _wrong_core(lambda C, M: _inverse(C + M)),
        "a minus inside": _wrong_core(lambda C, M: _inverse(_inverse(C) - M)),
        "not inverted": _wrong_core(lambda C, M: _inverse(C) + M),
        "the inverses added": _wrong_core(lambda C, M: C + 0 * M),
    },
)


def _blocks(A: Any, B: Any, C: Any, S: Any) -> Any:
    """The inverse of ((A, B), (C, D)), block by block, for the Schur complement S of A."""
    Y, Z = _inverse(A), _inverse(S)
    return Y + Y @ B @ Z @ C @ Y, -(Y @ B @ Z), -(Z @ C @ Y), Z


def _multiplied(blocks: Any) -> Any:
    """((A, B), (C, D)) times what is said to be its inverse; D = S + CA⁻¹B."""

    def product(A: Any, B: Any, C: Any, S: Any) -> Any:
        D = S + C @ _inverse(A) @ B
        P, Q, R, T = blocks(A, B, C, S)
        return A @ P + B @ R, A @ Q + B @ T, C @ P + D @ R, C @ Q + D @ T

    return product


def _changed_block(place: int, change: Any) -> Any:
    def blocks(A: Any, B: Any, C: Any, S: Any) -> Any:
        found = list(_blocks(A, B, C, S))
        found[place] = change(found[place], A, B, C, S)
        return tuple(found)

    return _multiplied(blocks)


block_inverse = Claim(
    id="block-inverse",
    title="The inverse of ((A, B), (C, D)) by the Schur complement S = D - CA⁻¹B, as a product",
    source=_COOKBOOK + "equation 399",
    domain=Domain(
        A=well_conditioned("n n"),
        B=reals("n m", *_TAME),
        C=reals("m n", *_TAME),
        S=well_conditioned("m m"),
    ),
    statement=Equal(
        left=lambda A, B, C, S: (_eye(A), _xp(B).zeros_like(B), _xp(C).zeros_like(C), _eye(S)),
        right=_multiplied(_blocks),
    ),
    assume=["A and S have inverses"],
    mutants={
        "A⁻¹ alone in the corner": _changed_block(0, lambda P, A, B, C, S: _inverse(A)),
        "a plus beside it": _changed_block(1, lambda Q, A, B, C, S: -Q),
        "a plus below it": _changed_block(2, lambda R, A, B, C, S: -R),
        "S for its inverse": _changed_block(3, lambda T, A, B, C, S: S),
        "D for S": _changed_block(3, lambda T, A, B, C, S: _inverse(S + C @ _inverse(A) @ B)),
    },
)

inverse_of_product = Claim(
    id="inverse-of-product",
    title="The inverse of AB is B⁻¹A⁻¹",
    source=_COOKBOOK + "equation 1",
    domain=Domain(A=well_conditioned("n n"), B=well_conditioned("n n")),
    statement=Equal(
        left=lambda A, B: _inverse(A @ B), right=lambda A, B: _inverse(B) @ _inverse(A)
    ),
    assume=["A and B have inverses"],
    mutants={
        "A⁻¹B⁻¹": lambda A, B: _inverse(A) @ _inverse(B),
        "B⁻¹A": lambda A, B: _inverse(B) @ A,
        "(BA)⁻¹": lambda A, B: _inverse(B @ A),
        "B'A'": lambda A, B: B.T @ A.T,
    },
)

determinant_lemma = Claim(
    id="matrix-determinant-lemma",
    title="det(A + uv') = (1 + v'A⁻¹u) det A",
    source=_COOKBOOK + "equation 24, for any A",
    domain=Domain(A=well_conditioned("n n"), u=reals("n", *_TAME), v=reals("n", *_TAME)),
    statement=Equal(
        left=lambda A, u, v: _det(A + _outer(u, v)),
        right=lambda A, u, v: (1 + _xp(v).sum(v * (_inverse(A) @ u))) * _det(A),
    ),
    assume=["A has an inverse"],
    mutants={
        "u and v swapped": lambda A, u, v: (1 + _xp(v).sum(u * (_inverse(A) @ v))) * _det(A),
        "a minus": lambda A, u, v: (1 - _xp(v).sum(v * (_inverse(A) @ u))) * _det(A),
        "A for its inverse": lambda A, u, v: (1 + _xp(v).sum(v * (A @ u))) * _det(A),
        "det(A) + v'A⁻¹u": lambda A, u, v: _det(A) + _xp(v).sum(v * (_inverse(A) @ u)),
    },
)

sylvester = Claim(
    id="sylvester-determinant",
    title="det(I + UV) = det(I + VU)",
    source="Harville, Matrix Algebra From a Statistician's Perspective (1997), section 18.1",
    domain=Domain(U=reals("n k", *_TAME), V=reals("k n", *_TAME)),
    statement=Equal(
        left=lambda U, V: _det(_eye(U) + U @ V), right=lambda U, V: _det(_eye(V) + V @ U)
    ),
    mutants={
        "a minus": lambda U, V: _det(_eye(V) - V @ U),
        "without I": lambda U, V: _det(V @ U),
        "twice I": lambda U, V: _det(2 * _eye(V) + V @ U),
        "by the trace": lambda U, V: 1 + _trace(V @ U),
    },
)

determinant_of_product = Claim(
    id="determinant-of-product",
    title="det(AB) = det(A) det(B)",
    source=_COOKBOOK + "equation 21",
    domain=Domain(A=reals("n n", *_TAME), B=reals("n n", *_TAME)),
    statement=Equal(left=lambda A, B: _det(A @ B), right=lambda A, B: _det(A) * _det(B)),
    mutants={
        "the sum": lambda A, B: _det(A) + _det(B),
        "A's alone": lambda A, B: _det(A),
        "of the elementwise product": lambda A, B: _det(A * B),
        "of the sum": lambda A, B: _det(A + B),
    },
)


# --- products ---------------------------------------------------------------------------------

transposed_product = Claim(
    id="transpose-of-product",
    title="The transpose of ABC is C'B'A'",
    source=_COOKBOOK + "equation 4",
    domain=Domain(A=reals("n m"), B=reals("m k"), C=reals("k l")),
    statement=Equal(left=lambda A, B, C: (A @ B @ C).T, right=lambda A, B, C: C.T @ (B.T @ A.T)),
    mutants={
        "not transposed, its rows read as columns": lambda A, B, C: _xp(A).reshape(
            A @ B @ C, (C.shape[1], A.shape[0])
        ),
        "B forgotten its sign": lambda A, B, C: C.T @ (-B.T @ A.T),
        "the absolute values": lambda A, B, C: abs(C.T @ (B.T @ A.T)),
        "the average over k": lambda A, B, C: C.T @ (B.T @ A.T) / C.shape[0],
    },
)

cyclic_trace = Claim(
    id="cyclic-trace",
    title="tr(ABC) = tr(BCA)",
    source=_COOKBOOK + "equation 16",
    domain=Domain(A=reals("n n"), B=reals("n n"), C=reals("n n")),
    statement=Equal(
        left=lambda A, B, C: _trace(A @ B @ C), right=lambda A, B, C: _trace(B @ C @ A)
    ),
    mutants={
        "tr(ACB)": lambda A, B, C: _trace(A @ C @ B),
        "A transposed": lambda A, B, C: _trace(B @ C @ A.T),
        "the product of traces": lambda A, B, C: _trace(B @ C) * _trace(A),
        "the sum of all elements": lambda A, B, C: _xp(A).sum(B @ C @ A),
    },
)

square_of_sum = Claim(
    id="square-of-matrix-sum",
    title="(A + B)² = A² + AB + BA + B²",
    source="Horn and Johnson, Matrix Analysis, 2nd ed. (2013), section 0.2",
    domain=Domain(A=reals("n n"), B=reals("n n")),
    statement=Equal(
        left=lambda A, B: (A + B) @ (A + B),
        right=lambda A, B: A @ A + A @ B + B @ A + B @ B,
    ),
    mutants={
        "A² + 2AB + B², as if they commuted": lambda A, B: A @ A + 2 * (A @ B) + B @ B,
        "A² + B²": lambda A, B: A @ A + B @ B,
        "A² + BA + B²": lambda A, B: A @ A + B @ A + B @ B,
        "element by element": lambda A, B: (A + B) ** 2,
    },
)


# --- Hadamard, Kronecker and vec --------------------------------------------------------------

hadamard_scaling = Claim(
    id="hadamard-scaling",
    title="diag(a) B diag(c) = B∘(ac')",
    source="Horn and Johnson, Topics in Matrix Analysis (1991), section 5.1",
    domain=Domain(a=reals("n"), B=reals("n m"), c=reals("m")),
    statement=Equal(
        left=lambda a, B, c: (_eye(a) * a) @ B @ (_eye(c) * c),
        right=lambda a, B, c: B * _outer(a, c),
    ),
    mutants={
        "a alone": lambda a, B, c: B * a[:, None],
        "the sum a + c": lambda a, B, c: B * (a[:, None] + c),
        "divided by c": lambda a, B, c: B * a[:, None] / c,
        "B's squares": lambda a, B, c: B * B * _outer(a, c),
    },
)

hadamard_trace = Claim(
    id="hadamard-trace",
    title="x'(A∘B)y = tr(diag(x) A diag(y) B')",
    source="Horn and Johnson, Topics in Matrix Analysis (1991), lemma 5.1.5",
    domain=Domain(A=reals("n m"), B=reals("n m"), x=reals("n"), y=reals("m")),
    statement=Equal(
        left=lambda A, B, x, y: _xp(x).sum(x * ((A * B) @ y)),
        right=lambda A, B, x, y: _trace((_eye(x) * x) @ A @ (_eye(y) * y) @ B.T),
    ),
    mutants={
        "B's rows read as columns": lambda A, B, x, y: _trace(
            (_eye(x) * x) @ A @ (_eye(y) * y) @ _xp(B).reshape(B, (B.shape[1], B.shape[0]))
        ),
        "y forgotten": lambda A, B, x, y: _trace((_eye(x) * x) @ A @ B.T),
        "x forgotten": lambda A, B, x, y: _trace(A @ (_eye(y) * y) @ B.T),
        "the sum for the trace": lambda A, B, x, y: _xp(x).sum(
            (_eye(x) * x) @ A @ (_eye(y) * y) @ B.T
        ),
    },
)

hadamard_inner_product = Claim(
    id="hadamard-inner-product",
    title="The sum of A∘B is tr(A'B)",
    source="Horn and Johnson, Topics in Matrix Analysis (1991), section 5.1",
    domain=Domain(A=reals("n m"), B=reals("n m")),
    statement=Equal(left=lambda A, B: _xp(A).sum(A * B), right=lambda A, B: _trace(A.T @ B)),
    mutants={
        "the mean for the sum": lambda A, B: _trace(A.T @ B) / A.shape[0],
        "all elements": lambda A, B: _xp(A).sum(A.T @ B),
        "of A with itself": lambda A, B: _trace(A.T @ A),
        "the product of the sums": lambda A, B: _xp(A).sum(A) * _xp(B).sum(B),
    },
)


def _kron(A: Any, B: Any) -> Any:
    """A⊗B with its pairs of indices kept apart: element [i, k, j, l] is A[i,j] B[k,l]."""
    xp = _xp(A)
    return xp.permute_dims(xp.tensordot(A, B, axes=0), (0, 2, 1, 3))


kronecker_mixed_product = Claim(
    id="kronecker-mixed-product",
    title="(A⊗B)(C⊗D) = AC⊗BD, pairs of indices kept apart",
    source=_COOKBOOK + "equation 511",
    domain=Domain(A=reals("n m"), B=reals("p q"), C=reals("m k"), D=reals("q r")),
    statement=Equal(
        left=lambda A, B, C, D: _xp(A).tensordot(_kron(A, B), _kron(C, D), axes=2),
        right=lambda A, B, C, D: _kron(A @ C, B @ D),
    ),
    mutants={
        "-AC⊗BD": lambda A, B, C, D: _kron(-A @ C, B @ D),
        "the mean over m": lambda A, B, C, D: _kron(A @ C, B @ D) / A.shape[1],
        "the absolute values": lambda A, B, C, D: _kron(abs(A @ C), B @ D),
        "the mean over q": lambda A, B, C, D: _kron(A @ C, B @ D) / B.shape[1],
    },
)

vec_of_product = Claim(
    id="vec-of-product",
    title="vec(AXB) = (B'⊗A) vec X, pairs of indices kept apart",
    source=_COOKBOOK + "equation 520",
    domain=Domain(A=reals("n n"), X=reals("n m"), B=reals("m m")),
    statement=Equal(
        left=lambda A, X, B: (A @ X @ B).T,
        right=lambda A, X, B: _xp(A).tensordot(_kron(B.T, A), X.T, axes=2),
    ),
    mutants={
        "B⊗A": lambda A, X, B: _xp(A).tensordot(_kron(B, A), X.T, axes=2),
        "B'⊗A'": lambda A, X, B: _xp(A).tensordot(_kron(B.T, A.T), X.T, axes=2),
        "B⊗A'": lambda A, X, B: _xp(A).tensordot(_kron(B, A.T), X.T, axes=2),
        "the mean for the sum": lambda A, X, B: (
            _xp(A).tensordot(_kron(B.T, A), X.T, axes=2) / X.size
        ),
    },
)

kronecker_trace = Claim(
    id="kronecker-trace",
    title="tr(A⊗B) = tr(A) tr(B), pairs of indices kept apart",
    source=_COOKBOOK + "equation 515",
    domain=Domain(A=reals("n n"), B=reals("m m")),
    statement=Equal(
        left=lambda A, B: _xp(A).sum(_kron(A, B) * _kron(_eye(A), _eye(B))),
        right=lambda A, B: _trace(A) * _trace(B),
    ),
    mutants={
        "the sum": lambda A, B: _trace(A) + _trace(B),
        "A's alone": lambda A, B: _trace(A),
        "all elements": lambda A, B: _xp(A).sum(A) * _xp(B).sum(B),
        "the average": lambda A, B: _trace(A) * _trace(B) / A.shape[0],
    },
)


# --- softmax and sigmoid ----------------------------------------------------------------------

softmax_shift = Claim(
    id="softmax-shift-invariance",
    title="softmax(z + c) = softmax(z) for any number c",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), equation 6.32",
    domain=Domain(z=reals("n", *_TAME), c=reals("", *_TAME)),
    statement=Equal(
        left=lambda z, c: composites.softmax(z), right=lambda z, c: composites.softmax(z + c)
    ),
    mutants={
        "scaled for shifted": lambda z, c: composites.softmax(z * (1 + c)),
        "shifted afterwards": lambda z, c: composites.softmax(z) + c,
        "one percent more": lambda z, c: 1.01 * composites.softmax(z + c),
        "not normalised": lambda z, c: _xp(z).exp(z - _xp(z).max(z) + 0 * c),
    },
)

softmax_rows = Claim(
    id="softmax-rows-sum-to-one",
    title="The rows of a softmax sum to one",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.2.2.3",
    domain=Domain(Z=reals("n c+1")),
    statement=Equal(
        left=_ones,
        right=lambda Z: _xp(Z).sum(composites.softmax(Z), axis=1),
    ),
    mutants={
        "softmax down the columns": lambda Z: _xp(Z).sum(composites.softmax(Z, axis=0), axis=1),
        "of sigmoids": lambda Z: _xp(Z).sum(composites.sigmoid(Z), axis=1),
        "the mean for the sum": lambda Z: _xp(Z).mean(composites.softmax(Z), axis=1),
        "without the last": lambda Z: _xp(Z).sum(composites.softmax(Z)[:, :-1], axis=1),
    },
)

sigmoid_of_two = Claim(
    id="softmax-of-two-is-sigmoid",
    title="The first of softmax(a, b) is σ(a - b)",
    source="Bishop, Pattern Recognition and Machine Learning (2006), section 4.2",
    domain=Domain(a=reals("n", *_TAME), b=reals("n", *_TAME)),
    statement=Equal(
        left=lambda a, b: composites.softmax(_xp(a).stack([a, b], axis=-1))[:, 0],
        right=lambda a, b: composites.sigmoid(a - b),
    ),
    mutants={
        "σ(b - a)": lambda a, b: composites.sigmoid(b - a),
        "σ(a)": lambda a, b: composites.sigmoid(a) + 0 * b,
        "half of it": lambda a, b: composites.sigmoid((a - b) / 2),
        "of the sum": lambda a, b: composites.sigmoid(a + b),
    },
)

softplus_difference = Claim(
    id="softplus-difference",
    title="softplus(x) - softplus(-x) = x",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), equation 3.41",
    domain=Domain(x=reals("n")),
    statement=Equal(
        left=lambda x: x, right=lambda x: composites.softplus(x) - composites.softplus(-x)
    ),
    mutants={
        "the sum": lambda x: composites.softplus(x) + composites.softplus(-x),
        "relu's half": lambda x: composites.softplus(x),
        "the other way": lambda x: composites.softplus(-x) - composites.softplus(x),
        "relu for softplus": lambda x: composites.relu(x) - composites.softplus(-x),
    },
)


# --- means ------------------------------------------------------------------------------------

centering = Claim(
    id="centering-matrix",
    title="(I - 11'/n)X takes the mean off each column",
    source=_COOKBOOK + "section 10.2",
    domain=Domain(X=reals("n d")),
    statement=Equal(
        left=lambda X: X - _xp(X).mean(X, axis=0),
        right=lambda X: (_eye(X) - _outer(_ones(X), _ones(X)) / X.shape[0]) @ X,
    ),
    mutants={
        "1 for 1/n": lambda X: (_eye(X) - 1) @ X,
        "n + 1 for n": lambda X: (_eye(X) - 1 / (X.shape[0] + 1)) @ X,
        "a plus": lambda X: (_eye(X) + 1 / X.shape[0]) @ X,
        "d for n": lambda X: (_eye(X) - 1 / X.shape[1]) @ X,
    },
)

variance_identity = Claim(
    id="variance-as-difference",
    title="The mean of (x - mean)² is the mean of x² less the square of the mean",
    source="Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. (2002), section 1.9",
    domain=Domain(x=reals("n")),
    statement=Equal(
        left=lambda x: _xp(x).mean((x - _xp(x).mean(x)) ** 2),
        right=lambda x: _xp(x).mean(x**2) - _xp(x).mean(x) ** 2,
    ),
    mutants={
        "the sum for the mean": lambda x: _xp(x).sum(x**2) - _xp(x).mean(x) ** 2,
        "n + 1 for n": lambda x: _xp(x).sum(x**2) / (x.shape[0] + 1) - _xp(x).mean(x) ** 2,
        "the mean not squared": lambda x: _xp(x).mean(x**2) - _xp(x).mean(x),
        "a plus": lambda x: _xp(x).mean(x**2) + _xp(x).mean(x) ** 2,
    },
)
