"""Look inside without changing the result: so far, the gradient checker."""
