"""IO shell: `python -m sipcore` is the `sipcore` command."""

from sipcore.cli import main

if __name__ == "__main__":
    main()
