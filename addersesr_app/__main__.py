"""Entry point of `addersesr` and of `python -m addersesr_app`."""

from __future__ import annotations

import sys

from addersesr_app.cli import main as command_line


def main() -> int:
    """Run the command line on this process's arguments and give its exit status."""
    return command_line(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
