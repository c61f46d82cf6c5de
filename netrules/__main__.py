"""IO shell: `python -m netrules`."""

from netrules.cli import main

main()
