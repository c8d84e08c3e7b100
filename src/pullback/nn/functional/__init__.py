"""Layers, activations and losses as functions, under PyTorch's names."""

from pullback.nn.functional.dropout import dropout
from pullback.nn.functional.linear import linear
from pullback.nn.functional.loss import cross_entropy, mse_loss
from pullback.tensor.pointwise import relu, sigmoid, tanh
from pullback.tensor.reduction import log_softmax, softmax

__all__ = ["cross_entropy", "dropout", "linear", "log_softmax", "mse_loss", "relu", "sigmoid", "softmax", "tanh"]
