"""Custom `torch.autograd.Function`s that several tests use; those here are right in every mode."""

import torch


class MeanSquare(torch.autograd.Function):
    """mean(2 (x + 1)^2)."""

    @staticmethod
    def forward(x):
        return (2 * (x + 1) ** 2).mean()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * 4 / x.numel() * (x + 1)

    @staticmethod
    def jvp(ctx, tangent):
        (x,) = ctx.saved_tensors
        return (4 / x.numel() * (x + 1) * tangent).sum()


class SumOfSquares(torch.autograd.Function):
    """The sum of squares."""

    @staticmethod
    def forward(x):
        return (x**2).sum()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * 2 * x

    @staticmethod
    def jvp(ctx, tangent):
        (x,) = ctx.saved_tensors
        return (2 * x * tangent).sum()


class WithoutJvp(torch.autograd.Function):
    """The sum of squares without a forward mode."""

    @staticmethod
    def forward(x):
        return (x**2).sum()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * 2 * x


class Squares(torch.autograd.Function):
    """Every element squared; what it is summed with decides on the cotangent it gets."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x**2

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * 2 * x
