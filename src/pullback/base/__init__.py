"""Dtypes, shapes, trees, errors and settings: the ground that every room stands on."""
