"""Cross entropy of integer labels: its gradient in the logits."""

import numpy as np
import torch
import torch.nn.functional as F
from array_api_compat import array_namespace

from verimath import Claim, Domain, Gradient, composites, labels, reals

from tests.corpus.case import right, wrong  # isort: skip


def _labelled(z, y):
    xp = array_namespace(z)
    picked = xp.take_along_axis(composites.log_softmax(z), y[:, None], axis=1)
    return -xp.sum(picked) / z.shape[0]


def _labelled_gradient(z, y):
    xp = array_namespace(z)
    hot = xp.astype(y[:, None] == xp.arange(z.shape[1]), z.dtype)
    return (composites.softmax(z) - hot) / z.shape[0]


CLAIMS = [
    Claim(
        id="cross-entropy-labels",
        title="The gradient of the cross entropy of integer labels is (softmax - one hot) / n",
        source="Goodfellow, Bengio, Courville, Deep Learning, 6.2.2.3",
        domain=Domain(z=reals("n c", -1000, 1000), y=labels("n", classes="c")),
        statement=Gradient(of=_labelled, wrt="z", equals=_labelled_gradient),
    )
]


def _softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _subtracted(z, y):
    p = _softmax(z)
    p[np.arange(len(y)), y] -= 1
    return p / len(y)


def _scattered(z, y):
    p = torch.softmax(z, 1)
    one = torch.full_like(p[:, :1], -1)
    return p.scatter_add(1, y[:, None], one) / len(y)


def _row_by_row(z, y):
    out = np.zeros_like(z)
    for i, label in enumerate(y):
        row = np.exp(z[i] - z[i].max())
        row /= row.sum()
        row[label] = -(row.sum() - row[label])
        out[i] = row / len(y)
    return out


def _in_columns(z, y):
    p = _softmax(z)
    p[:, y] -= 1
    return p / len(y)


def _early(z, y):
    p = _softmax(z)
    p[np.arange(len(y)), y] -= 1 / len(y)
    return p / len(y)


def _from_logits(z, y):
    p = z
    p -= z.max(axis=1, keepdims=True)
    np.exp(p, out=p)
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    return p / len(y)


def _counted(z, y):
    return (_softmax(z) - np.eye(int(y.max(initial=0)) + 1, dtype=z.dtype)[y]) / len(y)


def _flat(z, y):
    p = _softmax(z)
    p.ravel()[y * len(y) + np.arange(len(y))] -= 1
    return p / len(y)


def _only_the_label(z, y):
    p = _softmax(z)
    out = np.zeros_like(p)
    rows = np.arange(len(y))
    out[rows, y] = p[rows, y] - 1
    return out / len(y)


def _log_of_softmax(z, y):
    return -torch.log(torch.softmax(z, dim=1)).gather(1, y[:, None]).mean()


def _one_shift_for_all(z, y):
    top = z.max() if z.numel() else 0
    total = torch.log(torch.exp(z - top).sum(dim=1)) + top
    return (total - z.gather(1, y[:, None])[:, 0]).mean()


RIGHT = [
    right("cross-entropy-labels", "torch", F.cross_entropy, kind="autograd"),
    right(
        "cross-entropy-labels",
        "nll",
        lambda z, y: F.nll_loss(F.log_softmax(z, 1), y),
        kind="autograd",
    ),
    right(
        "cross-entropy-labels",
        "gathered",
        lambda z, y: (torch.logsumexp(z, 1) - z.gather(1, y[:, None])[:, 0]).mean(),
        kind="autograd",
    ),
    right(
        "cross-entropy-labels", "subtracted", _subtracted, bait="changes an array in place: its own"
    ),
    right("cross-entropy-labels", "scattered", _scattered, kind="torch"),
    right(
        "cross-entropy-labels", "row by row", _row_by_row, bait="minus the others' sum for p - 1"
    ),
    right(
        "cross-entropy-labels",
        "identity",
        lambda z, y: (_softmax(z) - np.eye(z.shape[1], dtype=z.dtype)[y]) / len(y),
    ),
]

WRONG = [
    wrong("cross-entropy-labels", "columns", _in_columns, "subtracts in every row"),
    wrong("cross-entropy-labels", "early", _early, "the label's one divided twice by n"),
    wrong(
        "cross-entropy-labels", "in the logits", _from_logits, "computes in the memory of its input"
    ),
    wrong("cross-entropy-labels", "counted", _counted, "as many classes as the labels show"),
    wrong("cross-entropy-labels", "flat", _flat, "flattened index in Fortran order"),
    wrong("cross-entropy-labels", "label alone", _only_the_label, "zero for the other classes"),
    wrong(
        "cross-entropy-labels",
        "off by one",
        lambda z, y: _subtracted(z, (y - 1) % z.shape[1]),
        "labels counted from one",
    ),
    wrong(
        "cross-entropy-labels",
        "ignores 0",
        lambda z, y: F.cross_entropy(z, y, ignore_index=0, reduction="sum") / max(len(y), 1),
        "class 0 taken for padding",
        kind="autograd",
    ),
    wrong(
        "cross-entropy-labels",
        "mean of the others",
        lambda z, y: F.cross_entropy(z, y, weight=1 / (1 + torch.arange(z.shape[1]).to(z))),
        "weighted classes",
        kind="autograd",
    ),
    wrong(
        "cross-entropy-labels",
        "no mean",
        lambda z, y: _subtracted(z, y) * len(y),
        "sum for mean",
    ),
    wrong(
        "cross-entropy-labels",
        "multi margin",
        F.multi_margin_loss,
        "another loss",
        kind="autograd",
    ),
    wrong(
        "cross-entropy-labels",
        "log of softmax",
        _log_of_softmax,
        "the logarithm of a probability that is zero",
        kind="autograd",
    ),
    wrong(
        "cross-entropy-labels",
        "one shift for all",
        _one_shift_for_all,
        "a row that is small beside another is lost",
        kind="autograd",
    ),
]
