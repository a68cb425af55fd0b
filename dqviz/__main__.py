"""`python -m dqviz`."""

import sys

from dqviz.cli import main

if __name__ == "__main__":
    sys.exit(main())
