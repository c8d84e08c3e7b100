"""PyTorch's `torch.utils.data`: the names of `pullback.data` that it has, too."""

from pullback.data import ConcatDataset, DataLoader, Dataset, Subset, TensorDataset, random_split

__all__ = ["ConcatDataset", "DataLoader", "Dataset", "Subset", "TensorDataset", "random_split"]
