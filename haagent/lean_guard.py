"""IO shell: starts the guard without what it has no use for: its memory is locked, so all of it counts.

msgspec takes typing_extensions where it finds it, and goes without: 5 MB.
"""

import sys


def main() -> None:
    """Run `haagent.guard`."""
    sys.modules["typing_extensions"] = None  # type: ignore[assignment] # an import of it fails
    from haagent.guard import main as guard

    guard()


if __name__ == "__main__":
    main()
