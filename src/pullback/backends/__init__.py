"""Run a program: each backend is one table keyed by op. `compile` turns a Python function into a program first."""
