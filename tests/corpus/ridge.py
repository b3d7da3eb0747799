"""Ridge regression: the gradient of |Xw - y|^2 / n + |w|^2 / 10."""

import numpy as np
from array_api_compat import array_namespace

from verimath import Claim, Domain, Gradient, reals

from tests.corpus.case import right, wrong  # isort: skip


def _loss(X, w, y):
    xp = array_namespace(X)
    return xp.sum((X @ w - y) ** 2) / X.shape[0] + xp.sum(w**2) / 10


CLAIMS = [
    Claim(
        id="ridge",
        title="The gradient of a ridge regression",
        source="Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, 3.4.1",
        domain=Domain(X=reals("n d"), w=reals("d"), y=reals("n")),
        statement=Gradient(
            of=_loss, wrt="w", equals=lambda X, w, y: 2 / X.shape[0] * (X.T @ (X @ w - y)) + w / 5
        ),
    )
]


def _row_by_row(X, w, y):
    total = np.zeros_like(w)
    for x, target in zip(X, y, strict=True):
        total += 2 * (x @ w - target) * x
    return total / X.dtype.type(len(X)) + w / 5


RIGHT = [
    right("ridge", "row by row", _row_by_row, bait="another order of summation"),
    right(
        "ridge",
        "torch autograd",
        lambda X, w, y: ((X @ w - y) ** 2).sum() / len(X) + w.square().sum() / 10,
        kind="autograd",
    ),
]

WRONG = [
    wrong(
        "ridge",
        "w / 10",
        lambda X, w, y: 2 / len(X) * (X.T @ (X @ w - y)) + w / 10,
        "the penalty's factor 2 forgotten",
    ),
    wrong(
        "ridge",
        "divided by d",
        lambda X, w, y: 2 / X.shape[1] * (X.T @ (X @ w - y)) + w / 5,
        "divided by the features",
    ),
    wrong(
        "ridge",
        "detached",
        lambda X, w, y: ((X @ w.detach() - y) ** 2).mean() + w.square().sum() / 10,
        "the data term detached",
        kind="autograd",
    ),
]
