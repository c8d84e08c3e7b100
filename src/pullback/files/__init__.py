"""Weights and checkpoints on disk: safetensors, npz and npy. Pickle is never read nor written."""
