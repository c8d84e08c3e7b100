"""The native backend: a whole step as machine code, through LLVM and our own copy of OpenBLAS, on native threads."""
