"""`landmix predict` from a checkout: python scripts/predict.py [override ...]."""

import sys

from landmix.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["predict", *sys.argv[1:]]))
