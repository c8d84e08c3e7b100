"""Imports Pullback whole before pytest imports its rooms one by one for their examples.

Otherwise pytest binds the room `pullback.grad` over the function `pullback.grad`.
"""

import pullback  # noqa: F401  # importing it is what matters
