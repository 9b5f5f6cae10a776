"""`knock`, and `python -m knock`."""

from knock.cli import main

if __name__ == "__main__":
    main()
