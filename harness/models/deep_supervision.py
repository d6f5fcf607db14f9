"""Weights of the losses of a network that gives logits at several depths."""


def deep_supervision_weights(outputs: int) -> tuple[float, ...]:
    """Return the weight of each output, finest first: 1, 1/2, 1/4 ... over their sum.

    Args:
        outputs: Number of outputs, at least 1.

    Returns:
        As many positive numbers, which sum to one.

    References:
        Isensee et al.: nnU-Net, Nature Methods 2021 (deep supervision halves with the resolution).
    """
    weights = [0.5**depth for depth in range(outputs)]
    return tuple(weight / sum(weights) for weight in weights)
