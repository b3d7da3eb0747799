"""Losses: cross-entropy, logistic regression and squared errors, with their second derivatives."""

from typing import Any

from array_api_compat import array_namespace

from verimath import (
    Claim,
    Domain,
    Gradient,
    Hessian,
    binary,
    composites,
    numeric,
    positive,
    reals,
    simplex,
)

_BISHOP = "Bishop, Pattern Recognition and Machine Learning (2006), "


# --- softmax cross-entropy --------------------------------------------------------------------


def cross_entropy(z: Any, y: Any) -> Any:
    xp = array_namespace(z)
    losses = -xp.sum(y * composites.log_softmax(z), axis=-1)
    return xp.mean(losses)


def _p_minus_y(z: Any, y: Any) -> Any:
    return (composites.softmax(z) - y) / z.shape[0]


cross_entropy_gradient = Claim(
    id="cross-entropy-gradient",
    title="The gradient of the mean cross-entropy in the logits is (p - y)/n, p being softmax(z)",
    source=_BISHOP + "equation 4.109",
    domain=Domain(z=reals("n c"), y=simplex("n c")),
    statement=Gradient(of=cross_entropy, wrt="z", equals=_p_minus_y),
    assume=["the rows of y sum to one"],
    mutants={
        "1/n forgotten": lambda z, y: composites.softmax(z) - y,
        "divided by the number of elements": lambda z, y: _p_minus_y(z, y) / z.shape[1],
        "y - p": lambda z, y: -_p_minus_y(z, y),
        "softmax along the other axis": lambda z, y: (
            (composites.softmax(z, axis=0) - y) / z.shape[0]
        ),
        "y forgotten": lambda z, y: composites.softmax(z) / z.shape[0],
    },
)


def loss(X: Any, W: Any, y: Any) -> Any:
    return cross_entropy(X @ W, y)


def _weight_gradient(X: Any, W: Any, y: Any) -> Any:
    return X.T @ _p_minus_y(X @ W, y)


softmax_regression_gradient = Claim(
    id="softmax-regression-gradient",
    title="The gradient of softmax regression's mean cross-entropy in W is X'(p - y)/n",
    source=_BISHOP + "equation 4.109",
    domain=Domain(X=reals("n d", -8, 8), W=reals("d c", -8, 8), y=simplex("n c")),
    statement=Gradient(of=loss, wrt="W", equals=_weight_gradient),
    assume=["the rows of y sum to one"],
    mutants={
        "1/n forgotten": lambda X, W, y: X.shape[0] * _weight_gradient(X, W, y),
        "1/d for 1/n": lambda X, W, y: X.shape[0] / X.shape[1] * _weight_gradient(X, W, y),
        "y - p": lambda X, W, y: -_weight_gradient(X, W, y),
        "the logits' own": lambda X, W, y: X.T @ (X @ W - y) / X.shape[0],
    },
)


# --- logistic regression ----------------------------------------------------------------------


def logistic(X: Any, w: Any, y: Any) -> Any:
    z = X @ w
    return array_namespace(X).mean(composites.softplus(z) - y * z)


def _logistic_gradient(X: Any, w: Any, y: Any) -> Any:
    return X.T @ (composites.sigmoid(X @ w) - y) / X.shape[0]


def _row_by_row(X: Any, w: Any, y: Any) -> Any:
    total = 0 * w
    for row, target in zip(X, y, strict=True):
        total = total + (composites.sigmoid(row @ w) - target) * row
    return total / len(y)


logistic_gradient = Claim(
    id="logistic-gradient",
    title="The gradient of logistic regression's mean loss is X'(σ(Xw) - y)/n",
    source=_BISHOP + "equation 4.91",
    domain=Domain(X=reals("n d", -8, 8), w=reals("d", -8, 8), y=binary("n")),
    statement=Gradient(of=logistic, wrt="w", equals=_logistic_gradient),
    routes=[numeric("by hand", _row_by_row)],
    mutants={
        "1/n forgotten": lambda X, w, y: X.shape[0] * _logistic_gradient(X, w, y),
        "y - σ": lambda X, w, y: -_logistic_gradient(X, w, y),
        "the slope of the squared error": lambda X, w, y: (
            X.T
            @ (
                (composites.sigmoid(X @ w) - y)
                * composites.sigmoid(X @ w)
                * (1 - composites.sigmoid(X @ w))
            )
            / X.shape[0]
        ),
        "σ forgotten": lambda X, w, y: X.T @ (X @ w - y) / X.shape[0],
    },
)


def _logistic_hessian(X: Any, w: Any, y: Any) -> Any:
    s = composites.sigmoid(X @ w)
    return X.T @ ((s * (1 - s))[:, None] * X) / X.shape[0]


def _with_slopes(slope: Any) -> Any:
    """The Hessian with something else for σ(1 - σ)."""

    def hessian(X: Any, w: Any, y: Any) -> Any:
        s = composites.sigmoid(X @ w)
        return X.T @ (slope(s)[:, None] * X) / X.shape[0]

    return hessian


logistic_hessian = Claim(
    id="logistic-hessian",
    title="The Hessian of logistic regression's mean loss is X' diag(σ(1 - σ)) X/n",
    source=_BISHOP + "equation 4.97",
    domain=Domain(X=reals("n d", -8, 8), w=reals("d", -8, 8), y=binary("n")),
    statement=Hessian(of=logistic, wrt="w", equals=_logistic_hessian),
    mutants={
        "1/n forgotten": lambda X, w, y: X.shape[0] * _logistic_hessian(X, w, y),
        "X'X/n": _with_slopes(lambda s: 0 * s + 1),
        "σ for σ(1 - σ)": _with_slopes(lambda s: s),
        "a quarter, as at zero": _with_slopes(lambda s: 0 * s + 0.25),
    },
)


# --- squared error ----------------------------------------------------------------------------


def mean_square(X: Any, w: Any, y: Any) -> Any:
    return array_namespace(X).mean((X @ w - y) ** 2)


mean_squared_hessian = Claim(
    id="mean-squared-error-hessian",
    title="The Hessian of linear regression's mean squared error is 2X'X/n",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), section 5.1.4",
    domain=Domain(X=reals("n d"), w=reals("d"), y=reals("n")),
    statement=Hessian(of=mean_square, wrt="w", equals=lambda X, w, y: 2 * (X.T @ X) / X.shape[0]),
    mutants={
        "the factor 2 forgotten": lambda X, w, y: X.T @ X / X.shape[0],
        "the sum for the mean": lambda X, w, y: 2 * (X.T @ X),
        "n - 1 for n": lambda X, w, y: 2 * (X.T @ X) / (X.shape[0] + 1),
        "1/d for 1/n": lambda X, w, y: 2 * (X.T @ X) / X.shape[1],
    },
)


def ridge(X: Any, w: Any, y: Any, c: Any) -> Any:
    xp = array_namespace(X)
    return (xp.sum((X @ w - y) ** 2) + c * xp.sum(w**2)) / 2


ridge_gradient = Claim(
    id="ridge-gradient",
    title="The gradient of half of ‖Xw - y‖² + c‖w‖² is X'(Xw - y) + cw",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), section 7.1.1",
    domain=Domain(X=reals("n d"), w=reals("d"), y=reals("n"), c=positive("")),
    statement=Gradient(of=ridge, wrt="w", equals=lambda X, w, y, c: X.T @ (X @ w - y) + c * w),
    mutants={
        "the penalty forgotten": lambda X, w, y, c: X.T @ (X @ w - y),
        "the penalty's factor 2": lambda X, w, y, c: X.T @ (X @ w - y) + 2 * c * w,
        "c alone": lambda X, w, y, c: X.T @ (X @ w - y) + c,
        "the penalty's sign": lambda X, w, y, c: X.T @ (X @ w - y) - c * w,
    },
)
