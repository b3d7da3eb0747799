"""Linear regression: its gradients, and the step that the lecture's training loop takes."""

from typing import Any

from array_api_compat import array_namespace

from verimath import Claim, Domain, Equal, Gradient, numeric, reals

_DOMAIN = Domain(X=reals("n d"), w=reals("d 1"), b=reals("1"), y=reals("n"))
_RATE = 0.03


def _residual(X: Any, w: Any, b: Any, y: Any) -> Any:
    prediction = X @ w + b
    return prediction - array_namespace(X).reshape(y, prediction.shape)


def loss(X: Any, w: Any, b: Any, y: Any) -> Any:
    r = _residual(X, w, b, y)
    return array_namespace(X).mean(r**2 / 2)


def _gradients(X: Any, w: Any, b: Any, y: Any) -> Any:
    r = _residual(X, w, b, y)
    n = X.shape[0]
    return X.T @ r / n, array_namespace(X).sum(r, axis=0) / n


def _row_by_row(X: Any, w: Any, b: Any, y: Any) -> Any:
    """One example at a time, as one would add them up by hand."""
    dw, db = 0 * w, 0 * b
    for row, target in zip(X, y, strict=True):
        error = row @ w + b - target
        dw = dw + row[:, None] * error
        db = db + error
    return dw / len(y), db / len(y)


linear_regression = Claim(
    id="linear-regression-gradients",
    title="Mean half squared error has gradients Xᵀr/n in w and mean(r) in b, r being Xw + b - y",
    source="lecture, L-51 and L-52",
    domain=_DOMAIN,
    statement=Gradient(of=loss, wrt=("w", "b"), equals=_gradients),
    routes=[numeric("by hand", _row_by_row)],
    mutants={
        "1/n forgotten": lambda X, w, b, y: tuple(g * X.shape[0] for g in _gradients(X, w, b, y)),
        "the bias forgotten": lambda X, w, b, y: _gradients(X, w, 0 * b, y),
        "1/d for 1/n": lambda X, w, b, y: tuple(
            g * X.shape[0] / X.shape[1] for g in _gradients(X, w, b, y)
        ),
    },
)


def _sgd_step(X: Any, w: Any, b: Any, y: Any) -> Any:
    """One step of stochastic gradient descent on the mean loss."""
    return tuple(p - _RATE * g for p, g in zip((w, b), _gradients(X, w, b, y), strict=True))


def _mean_backward_step(X: Any, w: Any, b: Any, y: Any) -> Any:
    """What `l.mean().backward()` and a division by the batch size do."""
    n = X.shape[0]
    return tuple(p - _RATE * g / n for p, g in zip((w, b), _gradients(X, w, b, y), strict=True))


def _sum_backward_step(X: Any, w: Any, b: Any, y: Any) -> Any:
    """What `l.sum().backward()` and a division by the batch size do."""
    r = _residual(X, w, b, y)
    summed = (X.T @ r, array_namespace(X).sum(r, axis=0))
    n = X.shape[0]
    return tuple(p - _RATE * g / n for p, g in zip((w, b), summed, strict=True))


def _training_code(reduction: str) -> Any:
    """The lecture's lines in torch, with the loss reduced by `mean` or `sum`."""

    def step(X: Any, w: Any, b: Any, y: Any) -> Any:
        import torch

        w, b = w.detach().clone().requires_grad_(), b.detach().clone().requires_grad_()
        prediction = X @ w + b
        losses = (prediction - y.reshape(prediction.shape)) ** 2 / 2
        getattr(losses, reduction)().backward()
        with torch.no_grad():
            for parameter in (w, b):
                parameter -= _RATE * parameter.grad / X.shape[0]
        return w.detach(), b.detach()

    return step


_train_with_mean = _training_code("mean")
_train_with_sum = _training_code("sum")

sum_backward_sgd = Claim(
    id="sum-backward-sgd-step",
    title="l.sum().backward() and a division by the batch size make an SGD step at the rate 0.03",
    source="lecture, L-53, repaired",
    domain=_DOMAIN,
    statement=Equal(left=_sum_backward_step, right=_sgd_step),
    routes=[numeric("training code", _train_with_sum, library="torch")],
    mutants={
        "divided by the batch size twice": _mean_backward_step,
        "the step taken uphill": lambda X, w, b, y: tuple(
            2 * p - q for p, q in zip((w, b), _sgd_step(X, w, b, y), strict=True)
        ),
    },
)

mean_backward_sgd = Claim(
    id="mean-backward-sgd-step",
    title="l.mean().backward() and a division by the batch size make an SGD step at the rate 0.03",
    source="lecture, L-53",
    domain=_DOMAIN,
    statement=Equal(left=_mean_backward_step, right=_sgd_step),
    routes=[numeric("training code", _train_with_mean, library="torch")],
    expected="refuted",
    repaired="sum-backward-sgd-step",
)


# --- the lecture's second listing -------------------------------------------------------------


def _library_step(X: Any, w: Any, b: Any, y: Any) -> Any:
    """How far the library's listing goes: squared errors summed, no half, no division."""
    r = _residual(X, w, b, y)
    return 2 * _RATE * (X.T @ r), 2 * _RATE * array_namespace(X).sum(r, axis=0)


def _hand_written_step(X: Any, w: Any, b: Any, y: Any) -> Any:
    """How far the first listing goes: the mean of half squares, divided by the batch size again."""
    return tuple(_RATE * g / X.shape[0] for g in _gradients(X, w, b, y))


def _library_code(X: Any, w: Any, b: Any, y: Any) -> Any:
    """The library's listing, with the shape of y mended: where its optimiser goes."""
    import torch

    w, b = w.detach().clone().requires_grad_(), b.detach().clone().requires_grad_()
    prediction = X @ w + b
    torch.nn.MSELoss(reduction="sum")(prediction, y.reshape(prediction.shape)).backward()
    return tuple(_RATE * p.grad for p in (w, b))


def _scaled_step(factor: Any) -> Any:
    def step(X: Any, w: Any, b: Any, y: Any) -> Any:
        return tuple(factor(X) * s for s in _hand_written_step(X, w, b, y))

    return step


two_listings = Claim(
    id="library-step-factor",
    title="A step of the library's listing is 2B² times that of the hand-written one",
    source="lecture, L-54, repaired",
    domain=_DOMAIN,
    statement=Equal(left=_library_step, right=_scaled_step(lambda X: 2 * X.shape[0] ** 2)),
    routes=[numeric("training code", _library_code, library="torch")],
    mutants={
        "2B": _scaled_step(lambda X: 2 * X.shape[0]),
        "B²": _scaled_step(lambda X: X.shape[0] ** 2),
        "2B³": _scaled_step(lambda X: 2 * X.shape[0] ** 3),
        "-2B²": _scaled_step(lambda X: -2 * X.shape[0] ** 2),
    },
)

same_training = Claim(
    id="library-step-the-same",
    title="The library's listing and the hand-written one take the same steps",
    source="lecture, L-54",
    domain=_DOMAIN,
    statement=Equal(left=_library_step, right=_hand_written_step),
    routes=[numeric("training code", _library_code, library="torch")],
    expected="refuted",
    repaired="library-step-factor",
)


def _printed_by_library(X: Any, w: Any, b: Any, y: Any) -> Any:
    return array_namespace(X).sum(_residual(X, w, b, y) ** 2)


printed_losses = Claim(
    id="printed-loss-factor",
    title="The loss that the library's listing prints is 2N times the hand-written one's",
    source="lecture, L-58, repaired",
    domain=_DOMAIN,
    statement=Equal(
        left=_printed_by_library, right=lambda X, w, b, y: 2 * X.shape[0] * loss(X, w, b, y)
    ),
    mutants={
        "2": lambda X, w, b, y: 2 * loss(X, w, b, y),
        "N": lambda X, w, b, y: X.shape[0] * loss(X, w, b, y),
        "2d": lambda X, w, b, y: 2 * X.shape[1] * loss(X, w, b, y),
        "2(N - 1)": lambda X, w, b, y: 2 * (X.shape[0] - 1) * loss(X, w, b, y),
    },
)

same_losses = Claim(
    id="printed-loss-comparable",
    title="The losses that the two listings print are the same number",
    source="lecture, L-58",
    domain=_DOMAIN,
    statement=Equal(left=_printed_by_library, right=loss),
    expected="refuted",
    repaired="printed-loss-factor",
)
