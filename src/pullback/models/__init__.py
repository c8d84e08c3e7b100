"""Whole networks, made from a description."""
