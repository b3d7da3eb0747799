"""Identities in a prime field: true ones are found at all sizes, no false one ever is."""

import re
from dataclasses import replace

import pytest
from array_api_compat import array_namespace as ns

from verimath import (
    Claim,
    Domain,
    Equal,
    Gradient,
    invertible,
    labels,
    orthogonal,
    positive,
    reals,
    simplex,
    spd,
    symmetric,
    triangular,
    unit_vectors,
)
from verimath import composites as c
from verimath import given as fixed
from verimath.proof.identity import Identity, at_sizes, for_all_sizes
from verimath.reference.prepare import prepare, rank_choices


def identity(statement, **inputs):
    claim = Claim(id="x", title="x", source="x", domain=Domain(**inputs), statement=statement)
    prepared = prepare(claim, dict(rank_choices(claim.domain)[0]))
    return Identity(
        left=prepared.reference.outputs,
        right=prepared.claimed.outputs,
        inputs=claim.domain.inputs,
        shapes={name: node.shape for name, node in prepared.primal.inputs.items()},
        allowed=prepared.allows,
    )


def equal(left, right, **inputs):
    return identity(Equal(left=left, right=right), **inputs)


def gradient(of, wrt, equals, **inputs):
    return identity(Gradient(of=of, wrt=wrt, equals=equals), **inputs)


def t(x):
    return ns(x).matrix_transpose(x)


def trace(x):
    return ns(x).linalg.trace(x)


def soft(z):
    e = ns(z).exp(z)
    return e / ns(z).sum(e, axis=-1, keepdims=True)


def standard(x, g, axis):
    """The gradient of sum(g standardize(x)) as the textbook has it."""
    xp = ns(x)
    off = x - xp.mean(x, axis=axis, keepdims=True)
    s = xp.sqrt(xp.mean(off**2, axis=axis, keepdims=True) + 1e-5)
    h = off / s
    mean = xp.mean(g, axis=axis, keepdims=True)
    return (g - mean - h * xp.mean(g * h, axis=axis, keepdims=True)) / s


def attended(Q, K, V, G):
    d = Q.shape[1]
    P = soft(Q @ t(K) / d**0.5)
    dP = G @ t(V)
    dS = P * (dP - ns(Q).sum(P * dP, axis=-1, keepdims=True))
    return dS @ K / d**0.5, t(dS) @ Q / d**0.5, t(P) @ G


def masked(X, W1, b, W2):
    xp = ns(X)
    h = X @ W1 + b
    ones = xp.ones_like(X @ W1 @ W2)
    return t(X) @ ((ones @ t(W2)) * xp.astype(h > 0, X.dtype))


DATA = {"X": reals("n d"), "w": reals("d"), "y": reals("n")}
ROWS = {"x": reals("n d"), "g": reals("n d")}
NETWORK = {"X": reals("n d"), "W1": reals("d h"), "b": reals("h"), "W2": reals("h o")}
HEAD = {"Q": reals("n d"), "K": reals("m d"), "V": reals("m e"), "G": reals("n e")}
LOGITS = {"z": reals("n k"), "y": simplex("n k")}


def mse(X, w, y):
    return ns(X).mean((X @ w - y) ** 2)


def bce(X, w, y):
    return c.binary_cross_entropy(X @ w, y)


def network(X, W1, b, W2):
    return ns(X).sum(c.relu(X @ W1 + b) @ W2)


def attention(Q, K, V, G):
    return ns(Q).sum(G * c.attention(Q, K, V))


def normed(axis):
    return lambda x, g: ns(x).sum(g * c.standardize(x, axis=axis))


TRUE = {
    "linear regression": lambda: gradient(
        mse, "w", lambda X, w, y: 2 * t(X) @ (X @ w - y) / X.shape[0], **DATA
    ),
    "cross-entropy": lambda: gradient(
        c.cross_entropy, "z", lambda z, y: (soft(z) - y) / z.shape[0], **LOGITS
    ),
    "logistic": lambda: gradient(
        bce, "w", lambda X, w, y: t(X) @ (c.sigmoid(X @ w) - y) / X.shape[0], **DATA
    ),
    "logistic by tanh": lambda: gradient(
        bce, "w", lambda X, w, y: t(X) @ ((1 + ns(X).tanh(X @ w / 2)) / 2 - y) / X.shape[0], **DATA
    ),
    "relu network": lambda: gradient(network, "W1", masked, **NETWORK),
    "layer norm": lambda: gradient(normed(-1), "x", lambda x, g: standard(x, g, -1), **ROWS),
    "batch norm": lambda: gradient(normed(0), "x", lambda x, g: standard(x, g, 0), **ROWS),
    "attention": lambda: gradient(attention, ("Q", "K", "V"), attended, **HEAD),
    "norm": lambda: gradient(c.norm, "x", lambda x: x / c.norm(x), x=reals("n")),
    "shift": lambda: equal(
        lambda z, s: soft(z + s), lambda z, s: soft(z), z=reals("n k"), s=reals("n 1")
    ),
    "rows sum to one": lambda: equal(
        lambda z: ns(z).sum(soft(z), axis=-1), lambda z: ns(z).ones_like(z[:, 0]), z=reals("n k")
    ),
    "log of softmax": lambda: equal(lambda z: ns(z).log(soft(z)), c.log_softmax, z=reals("n k")),
    "quadratic form": lambda: gradient(
        lambda A, x: x @ A @ x, "x", lambda A, x: 2 * A @ x, A=symmetric(), x=reals("n")
    ),
    "quadratic form, spd": lambda: gradient(
        lambda A, x: x @ A @ x, "x", lambda A, x: 2 * A @ x, A=spd(), x=reals("n")
    ),
    "cyclic trace": lambda: equal(
        lambda A, B: trace(A @ B), lambda A, B: trace(B @ A), A=reals("n m"), B=reals("m n")
    ),
    "angles": lambda: equal(
        lambda x, y: ns(x).cos(x + y),
        lambda x, y: ns(x).cos(x) * ns(x).cos(y) - ns(x).sin(x) * ns(x).sin(y),
        x=reals("n"),
        y=reals("n"),
    ),
    "absolute value": lambda: gradient(
        lambda x: ns(x).sum(abs(x)), "x", lambda x: ns(x).sign(3 * x), x=reals("n")
    ),
    "root of a square": lambda: equal(lambda x: ns(x).sqrt(x**2), abs, x=reals("n")),
    "root of a product": lambda: equal(
        lambda x, y: ns(x).sqrt(x * y),
        lambda x, y: ns(x).sqrt(x) * ns(x).sqrt(y),
        x=positive("n"),
        y=positive("n"),
    ),
    "root by its square": lambda: equal(
        lambda x: ns(x).sqrt(ns(x).sum(x)) ** 2 * ns(x).sqrt(x) * ns(x).sqrt(x),
        lambda x: ns(x).sum(x) * x,
        x=positive("n"),
    ),
    "exp of log": lambda: equal(
        lambda x: ns(x).exp(2 * ns(x).log(ns(x).sum(x)) - ns(x).log(x)),
        lambda x: ns(x).sum(x) ** 2 / x,
        x=positive("n"),
    ),
    "unbiased variance": lambda: equal(
        lambda x: ns(x).var(x, correction=1),
        lambda x: (ns(x).sum(x * x) - x.shape[0] * ns(x).mean(x) ** 2) / (x.shape[0] - 1),
        x=reals("n"),
    ),
}


@pytest.mark.parametrize("name", TRUE)
def test_true_identities_hold_at_all_sizes(name):
    known = for_all_sizes(TRUE[name]())
    assert known.equal, known.reason
    assert known.bounds is not None
    assert known.failure_bits >= 40


def test_structure_is_named_only_where_it_is_needed():
    assert for_all_sizes(TRUE["cross-entropy"]()).hypotheses == ("rows sum to one: y",)
    assert for_all_sizes(TRUE["quadratic form"]()).hypotheses == ("symmetric: A",)
    either = gradient(
        lambda A, x: x @ A @ x, "x", lambda A, x: (A + t(A)) @ x, A=symmetric(), x=reals("n")
    )
    assert for_all_sizes(either).hypotheses == ()


FALSE = {
    "1/d for 1/n": lambda: gradient(
        mse, "w", lambda X, w, y: 2 * t(X) @ (X @ w - y) / X.shape[1], **DATA
    ),
    "sum for mean": lambda: gradient(mse, "w", lambda X, w, y: 2 * t(X) @ (X @ w - y), **DATA),
    "n - 1 for n": lambda: gradient(
        mse, "w", lambda X, w, y: 2 * t(X) @ (X @ w - y) / (X.shape[0] - 1), **DATA
    ),
    "sign": lambda: gradient(
        c.cross_entropy, "z", lambda z, y: (y - soft(z)) / z.shape[0], **LOGITS
    ),
    "rows that don't sum to one": lambda: gradient(
        c.cross_entropy,
        "z",
        lambda z, y: (soft(z) - y) / z.shape[0],
        z=reals("n k"),
        y=reals("n k"),
    ),
    "not symmetric": lambda: gradient(
        lambda A, x: x @ A @ x, "x", lambda A, x: 2 * A @ x, A=reals("n n"), x=reals("n")
    ),
    "only for square": lambda: equal(
        lambda A: trace(t(A) @ A) / A.shape[0],
        lambda A: trace(A @ t(A)) / A.shape[1],
        A=reals("n m"),
    ),
    "mask transposed": lambda: gradient(
        lambda X: ns(X).sum(c.relu(X) @ X),
        "X",
        lambda X: (
            (ns(X).astype(t(X) > 0, X.dtype)) * ns(X).sum(X, axis=1)
            + ns(X).sum(c.relu(X), axis=0)[:, None]
        ),
        X=reals("n n"),
    ),
    "absolute value dropped": lambda: equal(lambda x: ns(x).sqrt(x**2), lambda x: x, x=reals("n")),
    "sign of a root": lambda: equal(
        lambda x: ns(x).sqrt(x), lambda x: -ns(x).sqrt(x), x=positive("n")
    ),
    "exp of a sum": lambda: equal(
        lambda x: ns(x).exp(ns(x).sum(x)), lambda x: ns(x).sum(ns(x).exp(x)), x=reals("n")
    ),
    "max is the mean": lambda: equal(lambda x: ns(x).max(x), lambda x: ns(x).mean(x), x=reals("n")),
    "the first is the largest": lambda: equal(lambda x: ns(x).max(x), lambda x: x[0], x=reals("n")),
    "determinant one": lambda: equal(
        lambda Q: ns(Q).linalg.det(Q), lambda Q: ns(Q).linalg.det(Q) ** 2, Q=orthogonal()
    ),
    # Found by the attack: an unknown and its power were mixed up.
    "half an exponent": lambda: equal(
        lambda x: ns(x).log(1 + ns(x).exp(x / 2)), lambda x: ns(x).log(1 + ns(x).exp(x)), x=reals()
    ),
    "n is n squared": lambda: equal(
        lambda x: ns(x).sum(x) * x.shape[0], lambda x: ns(x).sum(x) * x.shape[0] ** 2, x=reals("n")
    ),
    "half the sign": lambda: gradient(
        lambda x: ns(x).sum(abs(x)), "x", lambda x: ns(x).sign(x) / 2, x=reals("n")
    ),
    "the opposite step": lambda: gradient(
        lambda x: ns(x).sum(abs(x)), "x", lambda x: ns(x).sign(-3 * x), x=reals("n")
    ),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", FALSE)
def test_false_ones_never_do(name, seed):
    one = FALSE[name]()
    assert not for_all_sizes(one, seed=seed).equal
    small = [{n: 2 + k for k, n in enumerate(one.names)}, dict.fromkeys(one.names, 3)]
    bindings = [b for b in small if one.allowed(b)]
    known = at_sizes(one, bindings, seed=seed)
    assert not known.equal
    assert known.where in bindings
    assert re.search("the two sides differ at .* in a prime field", known.reason)


@pytest.mark.parametrize("seed", range(5))
def test_no_number_of_a_formula_is_taken_for_zero(seed):
    """A fixed prime could be written into a formula."""
    from verimath.arithmetic.residues import prime_for

    for prime in (2**61 - 1, 2**62 - 57, prime_for(f"{seed}/0")):
        large, small = divmod(prime, 2**40)
        one = equal(
            lambda x, large=large, small=small: x * (large * 2**40 + small),
            lambda x: 0 * x,
            x=reals("n"),
        )
        assert not for_all_sizes(one, seed=seed).equal


SMALL_ONLY = {
    # sum over permutations of sign times traces of cycles: 0 for n < m
    2: lambda A: trace(A) ** 2 - trace(A @ A),
    3: lambda A: trace(A) ** 3 - 3 * trace(A) * trace(A @ A) + 2 * trace(A @ A @ A),
    4: lambda A: (
        trace(A) ** 4
        - 6 * trace(A) ** 2 * trace(A @ A)
        + 3 * trace(A @ A) ** 2
        + 8 * trace(A) * trace(A @ A @ A)
        - 6 * trace(A @ A @ A @ A)
    ),
}


@pytest.mark.parametrize("wrap", ["plain", "exp", "mean", "root"])
@pytest.mark.parametrize("m", SMALL_ONLY)
def test_true_up_to_one_size_below_the_bound_and_false_at_it(m, wrap):
    def left(A):
        xp = ns(A)
        B = {
            "plain": lambda: A,
            "exp": lambda: xp.exp(A),
            "mean": lambda: A / A.shape[0] ** 2,
            "root": lambda: xp.sqrt(A),
        }[wrap]()
        return SMALL_ONLY[m](B)

    def zero(A):
        return 0 * trace(A)

    one = equal(left, zero, A=positive("n n") if wrap == "root" else reals("n n"))
    for n in range(1, m):
        assert at_sizes(one, [{"n": n}]).equal
    assert not at_sizes(one, [{"n": m}]).equal
    assert not for_all_sizes(one).equal


@pytest.mark.parametrize("m", [1, 2, 3])
def test_a_polynomial_in_the_size_that_vanishes_at_the_first_sizes(m):
    """c (1 - n) (2 - n) ... : nothing is summed, and only the size tells."""

    def left(x):
        product = ns(x).sum(x) * 0 + 1
        for k in range(1, m + 1):
            product = product * (x.shape[0] - k)
        return product

    one = equal(left, lambda x: 0 * ns(x).sum(x), x=reals("n"))
    for n in range(1, m + 1):
        assert at_sizes(one, [{"n": n}]).equal
    assert not for_all_sizes(one).equal


def test_sums_under_roots_are_counted():
    """The same with w^2 for the trace, w = sqrt(tr A): unknown roots know no traces, others do."""

    def left(A):
        w = ns(A).sqrt(trace(A))
        s, t2, t3 = w * w, trace(A @ A), trace(A @ A @ A)
        return s * (w * w) * (w * w) - 3 * s * t2 + 2 * t3

    one = equal(left, lambda A: 0 * trace(A), A=positive("n n"))
    for n in (1, 2):
        assert at_sizes(one, [{"n": n}]).equal
    assert not at_sizes(one, [{"n": 3}]).equal
    assert not for_all_sizes(one).equal


def test_cayley_and_hamilton_with_free_indices():
    """A^2 - tr(A) A + det(A) I, with det by traces: zero for n <= 2 alone, element by element."""

    def left(A):
        xp = ns(A)
        determinant = (trace(A) ** 2 - trace(A @ A)) / 2
        return A @ A - trace(A) * A + determinant * xp.eye(A.shape[0])

    one = equal(left, lambda A: 0 * A, A=reals("n n"))
    assert at_sizes(one, [{"n": 2}]).equal
    assert not for_all_sizes(one).equal


def test_gram_determinants_vanish_below_their_order():
    def left(x, y, z):
        rows = [x, y, z]
        g = [[ns(x).sum(a * b) for b in rows] for a in rows]
        return (
            g[0][0] * (g[1][1] * g[2][2] - g[1][2] * g[2][1])
            - g[0][1] * (g[1][0] * g[2][2] - g[1][2] * g[2][0])
            + g[0][2] * (g[1][0] * g[2][1] - g[1][1] * g[2][0])
        )

    vectors = {name: reals("n") for name in "xyz"}
    one = equal(left, lambda x, y, z: 0 * ns(x).sum(x), **vectors)
    assert at_sizes(one, [{"n": 1}, {"n": 2}]).equal
    assert not for_all_sizes(one).equal


def test_arguments_that_agree_only_at_size_one_are_told_apart():
    """Sines of sum(x) and sum(x^2) / sum(x) are one unknown at n = 1 only."""
    one = equal(
        lambda x: ns(x).sin(ns(x).sum(x)),
        lambda x: ns(x).sin(ns(x).sum(x**2) / ns(x).sum(x)),
        x=positive("n"),
    )
    assert at_sizes(one, [{"n": 1}]).equal
    assert not for_all_sizes(one).equal
    roots = equal(
        lambda x: ns(x).sqrt(ns(x).sum(x) ** 2 + 1),
        lambda x: ns(x).sqrt(ns(x).sum(x * x) + 1),
        x=reals("n"),
    )
    assert at_sizes(roots, [{"n": 1}]).equal
    assert not for_all_sizes(roots).equal


def test_logarithms_of_exponentials_of_sums_count_their_sums():
    one = equal(
        lambda x: ns(x).log(ns(x).exp(ns(x).sum(x))) / ns(x).sum(x),
        lambda x: ns(x).exp(ns(x).log(ns(x).sum(x**2))) / ns(x).sum(x) ** 2,
        x=positive("n"),
    )
    assert at_sizes(one, [{"n": 1}]).equal
    assert not for_all_sizes(one).equal


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (
            lambda: equal(lambda A: ns(A).linalg.inv(A) @ A, lambda A: 0 * A, A=invertible()),
            "inverted",
        ),
        (
            lambda: equal(lambda x: ns(x).cumulative_sum(x), lambda x: x * 1, x=reals("n")),
            "sums run along",
        ),
        (
            lambda: equal(lambda x: ns(x).prod(x), lambda x: ns(x).sum(x), x=reals("n")),
            "multiplied",
        ),
        (lambda: equal(lambda x: x[1:], lambda x: x[:-1], x=reals("n")), "n"),
        (
            lambda: equal(
                lambda A: ns(A).sum(A / ns(A).sum(A, axis=1, keepdims=True)),
                lambda A: ns(A).sum(A) * 0 + A.shape[0],
                A=reals("n n"),
            ),
            "different sums as denominators",
        ),
        (lambda: equal(lambda x: ns(x).tril(x), lambda x: x * 1, x=reals("n n")), "position"),
        (lambda: equal(lambda x: x * 1, lambda x: 2 * x / 2, x=reals("2*n")), "size 2\\*n"),
    ],
)
def test_no_bound_and_why(one, reason):
    known = for_all_sizes(one())
    assert not known.equal
    assert re.search(reason, known.reason), known.reason


def test_given_sizes_only():
    inverse = equal(
        lambda A: ns(A).linalg.inv(A) @ A, lambda A: 0 * A + ns(A).eye(A.shape[0]), A=invertible()
    )
    assert at_sizes(inverse, [{"n": 1}, {"n": 3}]).equal
    lower = equal(lambda L: ns(L).tril(L), lambda L: L * 1, L=triangular("n n"))
    known = at_sizes(lower, [{"n": 3}])
    assert known.equal
    assert known.hypotheses == ("lower triangular: L",)
    turned = equal(lambda Q: Q @ t(Q), lambda Q: 0 * Q + ns(Q).eye(Q.shape[0]), Q=orthogonal())
    assert at_sizes(turned, [{"n": 2}, {"n": 3}]).hypotheses == ("orthogonal: Q",)
    unit = equal(lambda u: ns(u).sum(u * u), lambda u: 0 * ns(u).sum(u) + 1, u=unit_vectors("n"))
    assert for_all_sizes(unit).equal


def test_every_choice_of_labels_is_looked_at():
    def picked(x, k):
        return ns(x).sum(ns(x).take(x, k, axis=0))

    def all_of_them(x, k):
        return ns(x).sum(x)

    domain = {"x": reals("c"), "k": labels("1", classes="c")}
    assert at_sizes(equal(picked, all_of_them, **domain), [{"c": 1}]).equal
    assert not at_sizes(equal(picked, all_of_them, **domain), [{"c": 2}]).equal
    same = equal(picked, lambda x, k: ns(x).take(x, k, axis=0)[0], **domain)
    known = at_sizes(same, [{"c": 3}])
    assert known.equal
    assert len(known.bindings) == 3


def test_ignored_labels_are_looked_at_too():
    def counted(x, k):
        return ns(x).astype(k >= 0, x.dtype) * x

    one = equal(
        counted,
        lambda x, k: 1 * x,
        x=reals("1"),
        k=labels("1", classes=2, ignore_index=-1),
    )
    assert not at_sizes(one, [{}]).equal
    every = equal(counted, lambda x, k: 1 * x, x=reals("1"), k=labels("1", classes=2))
    assert at_sizes(every, [{}]).equal


def test_an_index_by_real_numbers_is_not_expressible():
    def picked(x):
        xp = ns(x)
        first = xp.where(x[:1] > 0, xp.arange(1), xp.arange(1) + 1)
        return xp.take(x, first, axis=0)

    one = equal(picked, lambda x: x[1:], x=reals("2"))
    known = at_sizes(one, [{}])
    assert not known.equal


def test_the_same_seed_draws_the_same():
    one = TRUE["attention"]()
    assert for_all_sizes(one, seed=4).failure_bits == for_all_sizes(one, seed=4).failure_bits


def test_large_grids_end_with_a_count():
    weights = {f"W{k}": reals(f"d{k} d{k + 1}") for k in range(14)}

    def left(*W):
        product = W[0]
        for one in W[1:]:
            product = product @ one
        return product

    def right(*W):
        product = W[-1]
        for one in reversed(W[:-1]):
            product = one @ product
        return product

    known = for_all_sizes(equal(left, right, **weights))
    assert not known.equal
    assert "combinations of sizes" in known.reason


def test_given_numbers_are_what_their_decimals_say():
    one = equal(
        lambda A, x: A @ x,
        lambda A, x: 0.1 * x[:1] - x[1:] / 3,
        A=fixed([[0.1, -1 / 3]]),
        x=reals("2"),
    )
    assert at_sizes(one, [{}]).equal
    other = replace(one, inputs={**one.inputs, "A": fixed([[0.1, -0.3333]])})
    assert not at_sizes(other, [{}]).equal
    irrational = replace(one, inputs={**one.inputs, "A": fixed([[0.1, 3.141592653589793]])})
    known = at_sizes(irrational, [{}])
    assert not known.equal
    assert "can't express the given number pi" in known.reason


def test_bits_are_those_of_all_points_that_were_looked_at():
    """60 bits a point, less log2 of the degrees and of pairs of arguments: 2 e + 2 m^2 e."""
    one = equal(lambda x, y: x + y, lambda x, y: y + x, x=reals("1"), y=reals("1"))
    assert at_sizes(one, [{}]).failure_bits == 60
    twice = equal(lambda x: x**2**24, lambda x: (x**2) ** 2**23, x=reals("1"))
    assert at_sizes(twice, [{}]).failure_bits == pytest.approx(2 * (60 - 24), abs=4)


@pytest.mark.parametrize(
    ("exponent", "reason"),
    [
        (2**55, "a failure probability of 2\\^-[0-9]+ and no less"),
        (2**61, "the degrees are so high that nothing would be shown"),
    ],
)
def test_degrees_may_be_too_high(exponent, reason):
    one = equal(
        lambda x, y: (x + y) ** exponent,
        lambda x, y: (y + x) ** exponent,
        x=reals("1"),
        y=reals("1"),
    )
    assert one.left != one.right
    for known in (at_sizes(one, [{}]), for_all_sizes(one)):
        assert not known.equal
        assert re.search(reason, known.reason), known.reason


def test_many_choices_of_labels_are_counted():
    def picked(x, k, j):
        return ns(x).sum(ns(x).take(x, k, axis=0)) + ns(x).sum(ns(x).take(x, j, axis=0))

    def at(k, j):
        one = equal(
            picked,
            lambda x, k, j: picked(x, j, k),
            x=reals("n"),
            k=labels(k, classes="n"),
            j=labels(j, classes="n"),
        )
        return at_sizes(one, [{"n": 2}])

    assert len(at("3", "3").bindings) == 64
    assert at("n", "1").equal
    known = at("3", "n+2")
    assert not known.equal
    assert known.reason == "16 choices of labels for j"
