"""Data sets, readers of files, splits, batches, and the encoding of tables."""

from pullback.data.collate import default_collate, default_convert
from pullback.data.datasets import ConcatDataset, Dataset, IterableDataset, Subset, TensorDataset
from pullback.data.embedded import Digits, austen, digits
from pullback.data.encoder import CategoryFeature, NumberFeature, TableEncoder
from pullback.data.idx import read_idx
from pullback.data.images import ImageFolder, MissingPillow, read_image
from pullback.data.loader import DataLoader
from pullback.data.npz import read_npz
from pullback.data.partition import random_partition, stratified_partition
from pullback.data.readers import READERS, Reader, reader_for
from pullback.data.samplers import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from pullback.data.schema import ColumnType, Schema
from pullback.data.source import MissingFile
from pullback.data.splits import random_split, stratified_split
from pullback.data.standardize import StandardScaler
from pullback.data.table import Column, Table, read_csv, table_from_rows
from pullback.data.targets import ClassTarget, NumberTarget, infer_task
from pullback.data.text import TextWindows, Vocabulary, split_by_position

__all__ = [
    "READERS",
    "BatchSampler",
    "CategoryFeature",
    "ClassTarget",
    "Column",
    "ColumnType",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "Digits",
    "ImageFolder",
    "IterableDataset",
    "MissingFile",
    "MissingPillow",
    "NumberFeature",
    "NumberTarget",
    "RandomSampler",
    "Reader",
    "Sampler",
    "Schema",
    "SequentialSampler",
    "StandardScaler",
    "Subset",
    "SubsetRandomSampler",
    "Table",
    "TableEncoder",
    "TensorDataset",
    "TextWindows",
    "Vocabulary",
    "WeightedRandomSampler",
    "austen",
    "default_collate",
    "default_convert",
    "digits",
    "infer_task",
    "random_partition",
    "random_split",
    "read_csv",
    "read_idx",
    "read_image",
    "read_npz",
    "reader_for",
    "split_by_position",
    "stratified_partition",
    "stratified_split",
    "table_from_rows",
]
