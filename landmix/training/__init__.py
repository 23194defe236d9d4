"""Fitting networks to labelled pixels: splits, the Lightning task, checkpoints to go on from."""

import logging
import warnings

# Lightning talks about its hardware, hints and loaders; landmix says itself what a user needs to know. Both must be
# set before Lightning is imported.
warnings.filterwarnings("ignore", module=r"lightning\..*")
for _name in ("lightning.pytorch", "lightning.fabric"):
    for _part in ("", ".utilities.rank_zero", ".utilities.seed"):
        logging.getLogger(_name + _part).setLevel(logging.ERROR)
