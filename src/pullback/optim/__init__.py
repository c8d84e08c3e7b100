"""Optimisers and learning-rate schedules, under PyTorch's names."""

from pullback.optim import lr_scheduler
from pullback.optim.adadelta import Adadelta
from pullback.optim.adagrad import Adagrad
from pullback.optim.adam import Adam, AdamW
from pullback.optim.adamax import Adamax
from pullback.optim.asgd import ASGD
from pullback.optim.lion import Lion
from pullback.optim.muon import Muon
from pullback.optim.nadam import NAdam
from pullback.optim.optimizer import Optimizer
from pullback.optim.radam import RAdam
from pullback.optim.rmsprop import RMSprop
from pullback.optim.sgd import SGD
from pullback.optim.sparse_adam import SparseAdam

__all__ = [
    "ASGD", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "Muon", "NAdam", "Optimizer", "RAdam",
    "RMSprop", "SparseAdam",
    "lr_scheduler",
]  # fmt: skip
