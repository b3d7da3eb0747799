"""Attention: the gradients of sum(g attention(q, k, v)) in q, k and v."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from array_api_compat import array_namespace

from verimath import Claim, Domain, Gradient, composites, reals

from tests.corpus.case import right, wrong  # isort: skip


def _weighted(q, k, v, g):
    return array_namespace(q).sum(g * composites.attention(q, k, v))


def _weights(q, k):
    return composites.softmax(q @ k.T / q.shape[1] ** 0.5)


def _score_slope(q, k, v, g):
    p = _weights(q, k)
    dp = g @ v.T
    return p * (dp - array_namespace(q).sum(dp * p, axis=1, keepdims=True)) / q.shape[1] ** 0.5


def _claim(wrt, text, equals):
    return Claim(
        id=f"attention-{wrt}",
        title=f"The gradient of attention in {wrt} is {text}",
        source="Dao, Fu, Ermon, Rudra, Re, FlashAttention, 2022, appendix B.2",
        domain=Domain(
            q=reals("n d+1", -8, 8),
            k=reals("m+1 d+1", -8, 8),
            v=reals("m+1 d+1", -8, 8),
            g=reals("n d+1", -8, 8),
        ),
        statement=Gradient(of=_weighted, wrt=wrt, equals=equals),
    )


CLAIMS = [
    _claim("q", "dS k / sqrt(d)", lambda q, k, v, g: _score_slope(q, k, v, g) @ k),
    _claim("k", "dS' q / sqrt(d)", lambda q, k, v, g: _score_slope(q, k, v, g).T @ q),
    _claim("v", "P' g", lambda q, k, v, g: _weights(q, k).T @ g),
]


def _np_weights(q, k, scale=None):
    s = q @ k.T / (math.sqrt(q.shape[1]) if scale is None else scale)
    e = np.exp(s - s.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _dscore(q, k, v, g, *, scale=True, inner=True):
    p = _np_weights(q, k)
    dp = g @ v.T
    if inner:
        dp = dp - (dp * p).sum(axis=1, keepdims=True)
    return p * dp / (math.sqrt(q.shape[1]) if scale else 1)


def _flash_dscore(q, k, v, g):
    """The row sums from the output: D = sum(g o) in place of sum(dP P)."""
    p = _np_weights(q, k)
    delta = (g * (p @ v)).sum(axis=1, keepdims=True)
    return p * (g @ v.T - delta) / math.sqrt(q.shape[1])


def _blocked_dv(q, k, v, g):
    out = np.zeros_like(v)
    for i in range(0, len(q), 2):
        out += _np_weights(q[i : i + 2], k).T @ g[i : i + 2]
    return out


def _blocked_keys_dv(q, k, v, g):
    """Softmax in each block of four keys alone."""
    out = np.zeros_like(v)
    for j in range(0, len(k), 4):
        out[j : j + 4] = _np_weights(q, k[j : j + 4]).T @ g
    return out


def _einsum_dk(q, k, v, g):
    return np.einsum("nm,nd->md", _flash_dscore(q, k, v, g), q, optimize=True)


def _torch(q, k, v, g):
    return (g * F.scaled_dot_product_attention(q[None], k[None], v[None])[0]).sum()


def _by_hand(q, k, v, g):
    return (g * (torch.softmax(q @ k.T / math.sqrt(q.shape[1]), 1) @ v)).sum()


def _scaled_query(q, k, v, g):
    return (g * (torch.softmax((q * q.shape[1] ** -0.5) @ k.T, 1) @ v)).sum()


def _causal(q, k, v, g):
    o = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)
    return (g * o[0]).sum()


def _dropped(q, k, v, g):
    o = F.scaled_dot_product_attention(q[None], k[None], v[None], dropout_p=0.02)
    return (g * o[0]).sum()


def _wrong_axis(q, k, v, g):
    return (g * (torch.softmax(q @ k.T / math.sqrt(q.shape[1]), 0) @ v)).sum()


def _unscaled(q, k, v, g):
    return (g * (torch.softmax(q @ k.T, 1) @ v)).sum()


def _detached(q, k, v, g):
    p = torch.softmax(q @ k.T / math.sqrt(q.shape[1]), 1)
    return (
        (g * (p @ v)).sum() + (g * (p.detach() @ v)).sum() - (g * (p.detach() @ v)).sum().detach()
    )


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v):
        p = torch.softmax(q @ k.T / math.sqrt(q.shape[1]), 1)
        ctx.save_for_backward(q, k, v)
        return p @ v

    @staticmethod
    def backward(ctx, c):
        q, k, v = ctx.saved_tensors
        p = torch.softmax(q @ k.T / math.sqrt(q.shape[1]), 1)
        dp = c @ v.T
        ds = p * (dp - (dp * p).sum(1, keepdim=True)) / math.sqrt(q.shape[1])
        return ds @ k, ds.T @ q, p.T @ c


class _Swapped(_Attention):
    @staticmethod
    def backward(ctx, c):
        dq, dk, dv = _Attention.backward(ctx, c)
        return (dk, dq, dv) if dq.shape == dk.shape else (dq, dk, dv)


class _SingleScores(_Attention):
    @staticmethod
    def backward(ctx, c):
        q, k, v = ctx.saved_tensors
        p = torch.softmax((q.float() @ k.T.float()) / math.sqrt(q.shape[1]), 1).to(q.dtype)
        dp = c @ v.T
        ds = p * (dp - (dp * p).sum(1, keepdim=True)) / math.sqrt(q.shape[1])
        return ds @ k, ds.T @ q, p.T @ c


class _ContiguousOnly(_Attention):
    @staticmethod
    def backward(ctx, c):
        flat = torch.as_strided(c, c.shape, (c.shape[1], 1), c.storage_offset())
        return _Attention.backward(ctx, flat if c.stride(-1) != 0 else c)


def _of(function):
    return lambda q, k, v, g: (g * function.apply(q, k, v)).sum()


RIGHT = [
    right("attention-q", "torch", _torch, kind="autograd", bait="a fused kernel"),
    right("attention-q", "by hand", _by_hand, kind="autograd"),
    right("attention-q", "numpy", lambda q, k, v, g: _dscore(q, k, v, g) @ k),
    right(
        "attention-q",
        "flash",
        lambda q, k, v, g: _flash_dscore(q, k, v, g) @ k,
        bait="row sums from the output",
    ),
    right(
        "attention-q",
        "custom Function",
        _of(_Attention),
        kind="autograd",
        bait="recomputes P in backward",
    ),
    right("attention-k", "torch", _torch, kind="autograd", bait="a fused kernel"),
    right(
        "attention-k",
        "scaled query",
        _scaled_query,
        kind="autograd",
        bait="scales q, not the scores",
    ),
    right("attention-k", "einsum", _einsum_dk),
    right("attention-k", "custom Function", _of(_Attention), kind="autograd"),
    right("attention-v", "torch", _torch, kind="autograd", bait="a fused kernel"),
    right("attention-v", "blocks of queries", _blocked_dv, bait="adds up blocks"),
    right(
        "attention-v",
        "detached weights",
        lambda q, k, v, g: (
            g * (torch.softmax(q @ k.T / math.sqrt(q.shape[1]), 1).detach() @ v)
        ).sum(),
        kind="autograd",
        bait="P detached: it does not depend on v",
    ),
]

WRONG = [
    wrong(
        "attention-q",
        "no scale",
        lambda q, k, v, g: _dscore(q, k, v, g, scale=False) @ k,
        "the scale in backward",
    ),
    wrong(
        "attention-q",
        "no inner term",
        lambda q, k, v, g: _dscore(q, k, v, g, inner=False) @ k,
        "the softmax's row sums",
    ),
    wrong(
        "attention-q",
        "scale of m",
        lambda q, k, v, g: _dscore(q, k, v, g) @ k * math.sqrt(q.shape[1] / len(k)),
        "sqrt of the keys' number",
    ),
    wrong("attention-q", "causal", _causal, "a causal mask", kind="autograd"),
    wrong(
        "attention-q",
        "swapped",
        _of(_Swapped),
        "dq and dk swapped where their shapes are equal",
        kind="autograd",
    ),
    wrong("attention-q", "unscaled", _unscaled, "no scale at all", kind="autograd"),
    wrong("attention-q", "dropout", _dropped, "dropout left on", kind="autograd"),
    wrong(
        "attention-q",
        "contiguous",
        _of(_ContiguousOnly),
        "right for contiguous cotangents alone",
        kind="autograd",
    ),
    wrong(
        "attention-k",
        "no transpose",
        lambda q, k, v, g: (_dscore(q, k, v, g) if len(q) == len(k) else _dscore(q, k, v, g).T) @ q,
        "not transposed where n equals m",
    ),
    wrong(
        "attention-k",
        "single",
        _of(_SingleScores),
        "scores in float32 in backward",
        kind="autograd",
    ),
    wrong(
        "attention-k",
        "g for the rows",
        lambda q, k, v, g: _dscore(q, k, v, np.broadcast_to(g[:1], g.shape)).T @ q,
        "the first row of g for all",
    ),
    wrong("attention-k", "axis 0", _wrong_axis, "softmax over the queries", kind="autograd"),
    wrong(
        "attention-v",
        "P g",
        lambda q, k, v, g: (_np_weights(q, k) if len(q) == len(k) else _np_weights(q, k).T) @ g,
        "not transposed where n equals m",
    ),
    wrong(
        "attention-v",
        "blocks of keys",
        _blocked_keys_dv,
        "each block of four keys normalised alone",
    ),
    wrong("attention-v", "twice", _detached, "a term counted twice", kind="autograd"),
    wrong(
        "attention-v",
        "d for sqrt(d)",
        lambda q, k, v, g: _np_weights(q, k, q.shape[1]).T @ g,
        "scores over d",
    ),
    wrong(
        "attention-v",
        "last block",
        lambda q, k, v, g: _np_weights(q[: len(q) // 4 * 4 or 8], k).T @ g[: len(q) // 4 * 4 or 8],
        "the remainder after blocks of four queries dropped",
    ),
]
