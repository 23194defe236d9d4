"""`landmix evaluate` from a checkout: python scripts/evaluate.py [override ...]."""

import sys

from landmix.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
