"""A program as readable Python: `source`, `eject`; and as a table."""
