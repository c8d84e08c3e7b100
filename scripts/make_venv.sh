#!/bin/sh
# Makes the virtual environment in the folder $1 with Python 3.11 or newer: $PYTHON where it is set, else the
# first such interpreter on the PATH.
set -eu
folder=$1

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

refuse() {
    echo "Pullback needs Python 3.11 or newer; $1." >&2
    echo "Install one (python.org, or your system's packages), or name it: make setup PYTHON=/path/to/python3" >&2
    exit 1
}

describe() { "$1" -c 'import sys; print("Python %d.%d.%d" % sys.version_info[:3])' 2>/dev/null || echo "nothing that runs"; }

if [ -n "${PYTHON:-}" ]; then
    is_new_enough "$PYTHON" || refuse "$PYTHON is $(describe "$PYTHON")"
else
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if is_new_enough "$candidate"; then PYTHON=$candidate; break; fi
    done
    [ -n "${PYTHON:-}" ] || refuse "python3 here is $(describe python3)"
fi

echo "Making $folder with $(describe "$PYTHON") ($(command -v "$PYTHON"))"
if ! "$PYTHON" -m venv "$folder"; then
    rm -rf "$folder"
    echo "Python's venv module could not make $folder (see above; Debian and Ubuntu keep it in python3-venv)." >&2
    exit 1
fi
