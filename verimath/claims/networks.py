"""Networks: the multilayer perceptron, with matrix products, and without activations."""

from typing import Any

import numpy as np
from array_api_compat import array_namespace

from verimath import Claim, Domain, Equal, composites, numeric, reals

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


def _with_sums(X: Any, *weights: Any) -> Any:
    result = X
    for W in weights:
        # numpy's einsum of float16 leaves sums of no terms as they were in memory.
        result = np.sum(result[:, :, None] * W[None, :, :], axis=1)
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
        routes=[numeric("by hand", _with_sums)],
        mutants=mutants,
    )


mlp_collapse = [_collapse(depth) for depth in _DEPTHS]


# --- matrix products, not elementwise ones ----------------------------------------------------


def _network(X: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    return composites.relu(X @ W1 + b1) @ W2 + b2


def _bordered(X: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    """The biases as one row more of the weights, which a column of ones multiplies."""
    xp = array_namespace(X)
    one = xp.ones((X.shape[0], 1), dtype=X.dtype, device=X.device)
    H = composites.relu(xp.concat([X, one], axis=1) @ xp.concat([W1, b1[None, :]], axis=0))
    return xp.concat([H, one], axis=1) @ xp.concat([W2, b2[None, :]], axis=0)


relu_network = Claim(
    id="relu-network-as-matrix-products",
    title="The layers of a network are matrix products, the biases one row more of the weights",
    source="lecture, L-71, repaired",
    domain=Domain(X=reals("n d"), W1=reals("d h"), b1=reals("h"), W2=reals("h o"), b2=reals("o")),
    statement=Equal(left=_network, right=_bordered),
    mutants={
        "no activation": lambda X, W1, b1, W2, b2: (X @ W1 + b1) @ W2 + b2,
        "activated twice": lambda X, W1, b1, W2, b2: composites.relu(_network(X, W1, b1, W2, b2)),
        "the bias after the activation": lambda X, W1, b1, W2, b2: (
            (composites.relu(X @ W1) + b1) @ W2 + b2
        ),
        "the mean for the sum": lambda X, W1, b1, W2, b2: (
            composites.relu(X @ W1 + b1) @ W2 / W2.shape[0] + b2
        ),
    },
)

elementwise_network = Claim(
    id="relu-network-elementwise",
    title="The layers of a network are elementwise products, written X * W₁",
    source="lecture, L-71",
    domain=Domain(X=reals("n n"), W1=reals("n n"), b1=reals("n"), W2=reals("n n"), b2=reals("n")),
    statement=Equal(
        left=_network,
        right=lambda X, W1, b1, W2, b2: composites.relu(X * W1 + b1) * W2 + b2,
    ),
    expected="refuted",
    repaired="relu-network-as-matrix-products",
)
