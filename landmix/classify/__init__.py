"""Putting a network over a raster: plan, read, compute, write, finish."""
