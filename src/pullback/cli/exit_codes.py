"""What the command leaves with, beside 0 when all went well."""

FAILED = 1  # an error of ours; or for `pullback gradcheck`, a gradient that is wrong
WRONG_USE = 2  # something that the user gave was wrong
INTERRUPTED = 130  # Ctrl-C, as shells have it
