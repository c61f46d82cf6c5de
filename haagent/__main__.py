"""IO shell: `python -m haagent` is the `haagent` command."""

from haagent.cli import main

if __name__ == "__main__":
    main()
