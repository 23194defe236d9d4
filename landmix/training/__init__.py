"""Fitting networks to labelled pixels: splits, the Lightning task, checkpoints to go on from."""
