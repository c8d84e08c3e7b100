"""How Python becomes a program: tensors, the functions on them, random streams, tracing."""
