"""Layers of networks: what a cotangent of their results is pulled back to, by hand."""

from typing import Any

from array_api_compat import array_namespace

from verimath import Claim, Domain, Gradient, composites, reals

_EPS = 1e-5


def _sum(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    return array_namespace(x).sum(x, axis=axis, keepdims=keepdims)


def _mean(x: Any, axis: int) -> Any:
    return array_namespace(x).mean(x, axis=axis, keepdims=True)


# --- affine layers and ReLU -------------------------------------------------------------------


def affine(X: Any, W: Any, b: Any, C: Any) -> Any:
    Y = X @ W + b
    return _sum(C * Y)


def _affine_gradients(X: Any, W: Any, b: Any, C: Any) -> Any:
    return C @ W.T, X.T @ C, _sum(C, 0)


affine_layer = Claim(
    id="affine-layer-gradients",
    title="The cotangent C of Y = XW + b is pulled back to CW', X'C and the column sums of C",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.5.6",
    domain=Domain(X=reals("n d"), W=reals("d o"), b=reals("o"), C=reals("n o")),
    statement=Gradient(of=affine, wrt=("X", "W", "b"), equals=_affine_gradients),
    mutants={
        "W not transposed, its rows read as columns": lambda X, W, b, C: (
            C @ array_namespace(W).reshape(W, (W.shape[1], W.shape[0])),
            *_affine_gradients(X, W, b, C)[1:],
        ),
        "the mean for the sum in b": lambda X, W, b, C: (
            *_affine_gradients(X, W, b, C)[:2],
            _sum(C, 0) / C.shape[0],
        ),
        "the bias alone gets all of C": lambda X, W, b, C: (
            *_affine_gradients(X, W, b, C)[:2],
            _sum(C) + 0 * b,
        ),
        "C of the first row": lambda X, W, b, C: (
            *_affine_gradients(X, W, b, C)[:2],
            C[0, :],
        ),
    },
)


def two_layers(X: Any, W1: Any, b1: Any, W2: Any, b2: Any, C: Any) -> Any:
    Z = X @ W1 + b1
    H = composites.relu(Z)
    return _sum(C * (H @ W2 + b2))


def _gate(Z: Any) -> Any:
    xp = array_namespace(Z)
    return xp.astype(Z > 0, Z.dtype)


def _two_layer_gradients(X: Any, W1: Any, b1: Any, W2: Any, b2: Any, C: Any) -> Any:
    Z = X @ W1 + b1
    D = (C @ W2.T) * _gate(Z)
    return X.T @ D, _sum(D, 0), composites.relu(Z).T @ C, _sum(C, 0)


def _with_gate(gate: Any) -> Any:
    """The gradients with something else for the gate."""

    def gradients(X: Any, W1: Any, b1: Any, W2: Any, b2: Any, C: Any) -> Any:
        Z = X @ W1 + b1
        D = (C @ W2.T) * gate(Z)
        return X.T @ D, _sum(D, 0), composites.relu(Z).T @ C, _sum(C, 0)

    return gradients


def _without_bias(*inputs: Any) -> Any:
    X, W1, b1, W2, b2, C = inputs
    return _two_layer_gradients(X, W1, 0 * b1, W2, b2, C)


two_layer_relu = Claim(
    id="two-layer-relu-gradients",
    title="relu(XW₁ + b₁)W₂ + b₂ has gradients X'D, 1'D, H'C, 1'C with D = CW₂' where Z > 0",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.5.6",
    domain=Domain(
        X=reals("n d"),
        W1=reals("d h"),
        b1=reals("h"),
        W2=reals("h o"),
        b2=reals("o"),
        C=reals("n o"),
    ),
    statement=Gradient(of=two_layers, wrt=("W1", "b1", "W2", "b2"), equals=_two_layer_gradients),
    assume=["off the kinks; at a kink, for one choice of the subgradient"],
    mutants={
        "the gate forgotten": _with_gate(lambda Z: 0 * Z + 1),
        "relu for the gate": _with_gate(composites.relu),
        "the gate of the other side": _with_gate(lambda Z: 1 - _gate(Z)),
        "the gate without b₁": _without_bias,
    },
)


# --- normalisation ----------------------------------------------------------------------------


def _normalised(X: Any, axis: int) -> tuple[Any, Any]:
    """(X - mean)/σ along an axis, and σ = sqrt(variance + ε)."""
    off = X - _mean(X, axis)
    spread = array_namespace(X).sqrt(_mean(off**2, axis) + _EPS)
    return off / spread, spread


def _pulled_back(D: Any, X: Any, axis: int) -> Any:
    """(D - mean(D) - N mean(DN))/σ for N = (X - mean)/σ."""
    N, spread = _normalised(X, axis)
    return (D - _mean(D, axis) - N * _mean(D * N, axis)) / spread


def layer_normed(X: Any, gain: Any, shift: Any, C: Any) -> Any:
    E = X - _mean(X, -1)
    s = array_namespace(X).sqrt(_mean(E**2, -1) + _EPS)
    N = E / s
    Y = N * gain + shift
    return _sum(C * Y)


def _layer_norm_gradients(X: Any, gain: Any, shift: Any, C: Any) -> Any:
    N, _ = _normalised(X, -1)
    return _pulled_back(C * gain, X, -1), _sum(C * N, 0), _sum(C, 0)


def batch_normed(X: Any, gain: Any, shift: Any, C: Any) -> Any:
    E = X - _mean(X, 0)
    s = array_namespace(X).sqrt(_mean(E**2, 0) + _EPS)
    N = E / s
    Y = N * gain + shift
    return _sum(C * Y)


def _batch_norm_gradients(X: Any, gain: Any, shift: Any, C: Any) -> Any:
    N, _ = _normalised(X, 0)
    return _pulled_back(C * gain, X, 0), _sum(C * N, 0), _sum(C, 0)


def _norm_mutants(axis: int) -> dict[str, Any]:
    def wrong(of_inputs: Any) -> Any:
        def gradients(X: Any, gain: Any, shift: Any, C: Any) -> Any:
            N, spread = _normalised(X, axis)
            return of_inputs(C * gain, N, spread), _sum(C * N, 0), _sum(C, 0)

        return gradients

    def in_the_gain(X: Any, gain: Any, shift: Any, C: Any) -> Any:
        return _pulled_back(C * gain, X, axis), _sum(C * X, 0), _sum(C, 0)

    return {
        "the statistics held fixed": wrong(lambda D, N, s: D / s),
        "the variance held fixed": wrong(lambda D, N, s: (D - _mean(D, axis)) / s),
        "the mean held fixed": wrong(lambda D, N, s: (D - N * _mean(D * N, axis)) / s),
        "σ forgotten": wrong(lambda D, N, s: D - _mean(D, axis) - N * _mean(D * N, axis)),
        "the gain's, of what is not normalised": in_the_gain,
    }


_TAME = -8, 8

layer_norm = Claim(
    id="layer-norm-gradients",
    title="Layer norm pulls D = C∘gain back to (D - mean(D) - N∘mean(D∘N))/σ along each row",
    source="Ba, Kiros and Hinton, Layer Normalization (2016), section 3",
    domain=Domain(
        X=reals("n d+1", *_TAME),
        gain=reals("d+1", *_TAME),
        shift=reals("d+1", *_TAME),
        C=reals("n d+1", *_TAME),
    ),
    statement=Gradient(of=layer_normed, wrt=("X", "gain", "shift"), equals=_layer_norm_gradients),
    mutants=_norm_mutants(-1),
)

batch_norm = Claim(
    id="batch-norm-gradients",
    title="Batch norm pulls D = C∘gain back to (D - mean(D) - N∘mean(D∘N))/σ down each column",
    source="Ioffe and Szegedy, Batch Normalization (2015), section 3",
    domain=Domain(
        X=reals("n+1 d", *_TAME),
        gain=reals("d", *_TAME),
        shift=reals("d", *_TAME),
        C=reals("n+1 d", *_TAME),
    ),
    statement=Gradient(of=batch_normed, wrt=("X", "gain", "shift"), equals=_batch_norm_gradients),
    mutants=_norm_mutants(0),
)


# --- attention --------------------------------------------------------------------------------


def attention(Q: Any, K: Any, V: Any, C: Any) -> Any:
    S = Q @ K.T / Q.shape[1] ** 0.5
    P = composites.softmax(S)
    Y = P @ V
    return _sum(C * Y)


def _weights(Q: Any, K: Any) -> Any:
    return composites.softmax(Q @ K.T / Q.shape[1] ** 0.5)


def _attention_gradients(Q: Any, K: Any, V: Any, C: Any) -> Any:
    P = _weights(Q, K)
    D = C @ V.T
    S = P * (D - _sum(P * D, 1, keepdims=True)) / Q.shape[1] ** 0.5
    return S @ K, S.T @ Q, P.T @ C


def _wrong_attention(scores: Any) -> Any:
    """The gradients with something else for the cotangent of the scores."""

    def gradients(Q: Any, K: Any, V: Any, C: Any) -> Any:
        P = _weights(Q, K)
        S = scores(P, C @ V.T, Q.shape[1])
        return S @ K, S.T @ Q, P.T @ C

    return gradients


attention_gradients = Claim(
    id="attention-gradients",
    title="Attention's gradients are SK, S'Q and P'C with S = P∘(D - (P∘D)1)/√d and D = CV'",
    source="Dao, Fu, Ermon, Rudra and Ré, FlashAttention (2022), appendix B.2",
    domain=Domain(
        Q=reals("n d+1", *_TAME),
        K=reals("m+1 d+1", *_TAME),
        V=reals("m+1 e", *_TAME),
        C=reals("n e", *_TAME),
    ),
    statement=Gradient(of=attention, wrt=("Q", "K", "V"), equals=_attention_gradients),
    mutants={
        "√d forgotten": _wrong_attention(lambda P, D, d: P * (D - _sum(P * D, 1, keepdims=True))),
        "d for √d": _wrong_attention(lambda P, D, d: P * (D - _sum(P * D, 1, keepdims=True)) / d),
        "softmax's Jacobian as if diagonal": _wrong_attention(lambda P, D, d: P * D / d**0.5),
        "the mean over the keys": _wrong_attention(lambda P, D, d: P * (D - _mean(D, 1)) / d**0.5),
        "the sum over the queries": _wrong_attention(
            lambda P, D, d: P * (D - _sum(P * D, 0, keepdims=True)) / d**0.5
        ),
    },
)
