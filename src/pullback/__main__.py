"""`python -m pullback` is the command `pullback`."""

from pullback.cli.app import main

if __name__ == "__main__":
    main()
