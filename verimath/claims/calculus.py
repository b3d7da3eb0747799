"""Calculus: chain rules, norms, quadratic forms, softmax; gradients, Jacobians and Hessians."""

from typing import Any

from array_api_compat import array_namespace

from verimath import Claim, Domain, Gradient, Hessian, Jacobian, composites, nonzero, numeric, reals

_COOKBOOK = "Petersen and Pedersen, The Matrix Cookbook (2012), "


def _eye(x: Any, n: Any) -> Any:
    """The identity beside x: same library, dtype and device."""
    return array_namespace(x).eye(n, dtype=x.dtype, device=x.device)


def _outer(a: Any, b: Any) -> Any:
    return array_namespace(a).linalg.outer(a, b)


# --- the chain rule through an affine map -----------------------------------------------------

_SLOPES = {
    "sin": lambda xp, z: xp.cos(z),
    "exp": lambda xp, z: xp.exp(z),
    "tanh": lambda xp, z: 1 - xp.tanh(z) ** 2,
}


def _chain_rule(name: str) -> Claim:
    """The gradient of the sum of f(W x + b) for one elementwise function."""
    slope = _SLOPES[name]

    def total(W: Any, x: Any, b: Any) -> Any:
        xp = array_namespace(x)
        z = W @ x + b
        y = getattr(xp, name)(z)
        return xp.sum(y)

    def gradients(W: Any, x: Any, b: Any) -> Any:
        g = slope(array_namespace(x), W @ x + b)
        return _outer(g, x), W.T @ g, g

    def without_inner(W: Any, x: Any, b: Any) -> Any:
        g = slope(array_namespace(x), W @ x + b)
        ones = array_namespace(x).ones_like(g)
        return _outer(g, x), W.T @ ones, g

    def at_the_value(W: Any, x: Any, b: Any) -> Any:
        xp = array_namespace(x)
        return gradients(W, x, b - (W @ x + b) + getattr(xp, name)(W @ x + b))

    return Claim(
        id=f"chain-rule-{name}-affine",
        title=f"The gradients of the sum of {name}(Wx + b) are gx', W'g and g, g the slopes there",
        source="Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.5.2",
        domain=Domain(W=reals("m n"), x=reals("n"), b=reals("m")),
        statement=Gradient(of=total, wrt=("W", "x", "b"), equals=gradients),
        mutants={
            "the slope left out in x": without_inner,
            "the slope at the value": at_the_value,
            "the slope at Wx, without b": lambda W, x, b: gradients(W, x, 0 * b),
            "x for W'g": lambda W, x, b: (*gradients(W, x, b)[:1], x, gradients(W, x, b)[2]),
        },
    )


chain_rules = [_chain_rule(name) for name in _SLOPES]


# --- norms ------------------------------------------------------------------------------------


def length(x: Any) -> Any:
    xp = array_namespace(x)
    return xp.sqrt(xp.sum(x**2))


norm_gradient = Claim(
    id="norm-gradient",
    title="The gradient of the length of x is x/‖x‖",
    source=_COOKBOOK + "equation 129",
    domain=Domain(x=nonzero("n")),
    statement=Gradient(of=length, wrt="x", equals=lambda x: x / length(x)),
    assume=["x is not zero"],
    mutants={
        "the length forgotten": lambda x: x,
        "the squared length's": lambda x: 2 * x,
        "divided by the square": lambda x: x / length(x) ** 2,
        "by the largest element": lambda x: x / array_namespace(x).max(abs(x)),
    },
)


def direction(x: Any) -> Any:
    return x / length(x)


def _projection(x: Any) -> Any:
    u = direction(x)
    return (_eye(x, x.shape[0]) - _outer(u, u)) / length(x)


normalisation_jacobian = Claim(
    id="normalisation-jacobian",
    title="The Jacobian of u = x/‖x‖ is (I - uu')/‖x‖",
    source=_COOKBOOK + "equation 130",
    domain=Domain(x=nonzero("n+1")),
    statement=Jacobian(of=direction, wrt="x", equals=_projection),
    assume=["x is not zero"],
    mutants={
        "the length held fixed": lambda x: _eye(x, x.shape[0]) / length(x),
        "x for u": lambda x: (_eye(x, x.shape[0]) - _outer(x, x)) / length(x),
        "the length forgotten": lambda x: _projection(x) * length(x),
        "a plus": lambda x: 2 * _eye(x, x.shape[0]) / length(x) - _projection(x),
    },
)


# --- quadratic forms --------------------------------------------------------------------------


def form(x: Any, A: Any) -> Any:
    return array_namespace(x).sum(x * (A @ x))


quadratic_form_gradient = Claim(
    id="quadratic-form-gradient",
    title="The gradient of x'Ax is (A + A')x",
    source=_COOKBOOK + "equation 81",
    domain=Domain(x=reals("n"), A=reals("n n")),
    statement=Gradient(of=form, wrt="x", equals=lambda x, A: (A + A.T) @ x),
    mutants={
        "2Ax, for A that is not symmetric": lambda x, A: 2 * (A @ x),
        "Ax": lambda x, A: A @ x,
        "A'x": lambda x, A: A.T @ x,
        "(A - A')x": lambda x, A: (A - A.T) @ x,
    },
)

quadratic_form_hessian = Claim(
    id="quadratic-form-hessian",
    title="The Hessian of x'Ax is A + A'",
    source=_COOKBOOK + "equation 98",
    domain=Domain(x=reals("n"), A=reals("n n")),
    statement=Hessian(of=form, wrt="x", equals=lambda x, A: A + A.T),
    mutants={
        "2A, for A that is not symmetric": lambda x, A: 2 * A,
        "A": lambda x, A: A,
        "half of it": lambda x, A: (A + A.T) / 2,
        "A'A": lambda x, A: A.T @ A,
    },
)


def half_square(A: Any, x: Any, b: Any) -> Any:
    r = A @ x - b
    return array_namespace(x).sum(r**2) / 2


least_squares_gradient = Claim(
    id="least-squares-gradient",
    title="The gradient of half of ‖Ax - b‖² is A'(Ax - b)",
    source=_COOKBOOK + "equation 84",
    domain=Domain(A=reals("m n"), x=reals("n"), b=reals("m")),
    statement=Gradient(of=half_square, wrt="x", equals=lambda A, x, b: A.T @ (A @ x - b)),
    mutants={
        "b forgotten": lambda A, x, b: A.T @ (A @ x),
        "A'b forgotten its transpose": lambda A, x, b: A.T @ (A @ x + b),
        "the factor of the square": lambda A, x, b: 2 * (A.T @ (A @ x - b)),
        "the mean for the sum": lambda A, x, b: A.T @ (A @ x - b) / A.shape[0],
    },
)

least_squares_hessian = Claim(
    id="least-squares-hessian",
    title="The Hessian of half of ‖Ax - b‖² is A'A",
    source=_COOKBOOK + "equation 98",
    domain=Domain(A=reals("m n"), x=reals("n"), b=reals("m")),
    statement=Hessian(of=half_square, wrt="x", equals=lambda A, x, b: A.T @ A),
    mutants={
        "AA'": lambda A, x, b: A @ A.T,
        "twice": lambda A, x, b: 2 * (A.T @ A),
        "the mean for the sum": lambda A, x, b: A.T @ A / A.shape[0],
        "the diagonal alone": lambda A, x, b: _eye(x, x.shape[0]) * (A.T @ A),
    },
)


# --- elementwise functions and softmax --------------------------------------------------------

elementwise_jacobian = Claim(
    id="elementwise-jacobian",
    title="The Jacobian of an elementwise function is diagonal: that of tanh is diag(1 - tanh²)",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.5.2",
    domain=Domain(x=reals("n")),
    statement=Jacobian(
        of=lambda x: array_namespace(x).tanh(x),
        wrt="x",
        equals=lambda x: _eye(x, x.shape[0]) * (1 - array_namespace(x).tanh(x) ** 2),
    ),
    mutants={
        "a full matrix": lambda x: _outer(0 * x + 1, 1 - array_namespace(x).tanh(x) ** 2),
        "the value": lambda x: _eye(x, x.shape[0]) * array_namespace(x).tanh(x),
        "1 + tanh²": lambda x: _eye(x, x.shape[0]) * (1 + array_namespace(x).tanh(x) ** 2),
        "the identity": lambda x: _eye(x, x.shape[0]) + 0 * x,
    },
)


def _softmax_slopes(z: Any) -> Any:
    p = composites.softmax(z)
    return _eye(z, z.shape[0]) * p - _outer(p, p)


def _with_loops(z: Any) -> Any:
    p = composites.softmax(z)
    n = z.shape[0]
    rows = [[p[i] * ((i == j) - p[j]) for j in range(n)] for i in range(n)]
    xp = array_namespace(z)
    return xp.asarray(rows, dtype=z.dtype).reshape((n, n))


_SOFTMAX_MUTANTS = {
    "the outer product forgotten": lambda z: _eye(z, z.shape[0]) * composites.softmax(z),
    "a plus": lambda z: 2 * _eye(z, z.shape[0]) * composites.softmax(z) - _softmax_slopes(z),
    "ones for the diagonal": lambda z: _eye(z, z.shape[0]) - _outer(*[composites.softmax(z)] * 2),
    "the diagonal alone": lambda z: _eye(z, z.shape[0]) * _softmax_slopes(z),
}

softmax_jacobian = Claim(
    id="softmax-jacobian",
    title="The Jacobian of p = softmax(z) is diag(p) - pp'",
    source="Bishop, Pattern Recognition and Machine Learning (2006), equation 4.106",
    domain=Domain(z=reals("n")),
    statement=Jacobian(of=lambda z: composites.softmax(z), wrt="z", equals=_softmax_slopes),
    routes=[numeric("by loops", _with_loops)],
    mutants=_SOFTMAX_MUTANTS,
)

logsumexp_gradient = Claim(
    id="logsumexp-gradient",
    title="The gradient of the logarithm of the sum of exponentials is softmax",
    source="Boyd and Vandenberghe, Convex Optimization (2004), section 3.1.5",
    domain=Domain(z=reals("n", -8, 8)),
    statement=Gradient(
        of=lambda z: composites.logsumexp(z), wrt="z", equals=lambda z: composites.softmax(z)
    ),
    mutants={
        "a constant share": lambda z: 0 * z + 1 / z.shape[0],
        "log softmax": lambda z: composites.log_softmax(z),
        "sigmoid": lambda z: composites.sigmoid(z),
        "the largest alone": lambda z: array_namespace(z).where(
            z == array_namespace(z).max(z), 0 * z + 1, 0 * z
        ),
    },
)

logsumexp_hessian = Claim(
    id="logsumexp-hessian",
    title="The Hessian of the logarithm of the sum of exponentials is diag(p) - pp'",
    source="Boyd and Vandenberghe, Convex Optimization (2004), section 3.1.5",
    domain=Domain(z=reals("n", -8, 8)),
    statement=Hessian(of=lambda z: composites.logsumexp(z), wrt="z", equals=_softmax_slopes),
    mutants=_SOFTMAX_MUTANTS,
)
