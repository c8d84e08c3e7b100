"""Data sets, readers of files, splits, batches, and the encoding of tables."""
