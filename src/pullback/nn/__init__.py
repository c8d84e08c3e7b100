"""Layers, losses and the modules that hold them, under PyTorch's names."""

from pullback.nn import functional, init
from pullback.nn.activation import ReLU, Sigmoid, Tanh
from pullback.nn.containers import Sequential
from pullback.nn.dropout import Dropout
from pullback.nn.linear import Linear
from pullback.nn.loss import CrossEntropyLoss, MSELoss
from pullback.nn.module import Module
from pullback.nn.parameter import Parameter
from pullback.nn.reshaping import Flatten

__all__ = sorted(name for name in dir() if not name.startswith("_"))
