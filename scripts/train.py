"""`landmix train` from a checkout: python scripts/train.py [override ...]."""

import sys

from landmix.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
