"""`python -m dqviz`."""

import sys

from dqviz.cli import main
from dqviz.heap import keep_freed_memory

if __name__ == "__main__":
    keep_freed_memory()
    sys.exit(main())
