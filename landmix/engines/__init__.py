"""What computes a network: back-ends behind one Protocol; knows no rasters."""

import os

# oneDNN, and torch's layer above it, keep what they compiled for the last 1024 sizes of tile, some hundred megabytes;
# they read this when they are first asked for anything
for _name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
    os.environ.setdefault(_name, "96")
