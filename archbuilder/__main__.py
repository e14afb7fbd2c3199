"""`python -m archbuilder`."""

from archbuilder.cli import main

if __name__ == "__main__":
    main()
