"""Networks: the multilayer perceptron that collapses."""

from typing import Any

import numpy as np

from verimath import Claim, Domain, Equal, numeric, reals

_DEPTHS = range(1, 7)


def _layer_by_layer(X: Any, *weights: Any) -> Any:
    layer = X
    for W in weights:
        layer = layer @ W
    return layer


def _one_matrix(X: Any, *weights: Any) -> Any:
    product = weights[-1]
    for W in reversed(weights[:-1]):
        product = W @ product
    return X @ product


def _with_einsum(X: Any, *weights: Any) -> Any:
    result = X
    for W in weights:
        result = np.einsum("ij,jk->ik", result, W)
    return result


def _collapse(depth: int) -> Claim:
    weights = {f"W{layer}": reals(f"d{layer - 1} d{layer}") for layer in range(1, depth + 1)}
    mutants: dict[str, Any] = {
        "one percent lost on the way": lambda X, *W: 0.99 * _one_matrix(X, *W)
    }
    if depth > 1:
        mutants["the last layer's weights shifted by one"] = lambda X, *W: _one_matrix(
            X, *W[:-1], W[-1] + 1
        )
    return Claim(
        id=f"mlp-collapse-{depth}",
        title=f"Without biases and activations an MLP of depth {depth} is one matrix product",
        source="lecture, L-72",
        domain=Domain(X=reals("n d0"), **weights),
        statement=Equal(left=_layer_by_layer, right=_one_matrix),
        routes=[numeric("by hand", _with_einsum)],
        mutants=mutants,
    )


mlp_collapse = [_collapse(depth) for depth in _DEPTHS]
