"""``python -m manyfit``."""

import sys

from manyfit.cli import main

if __name__ == "__main__":
    sys.exit(main())
