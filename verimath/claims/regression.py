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
