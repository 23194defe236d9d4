"""landmix: land-cover maps from many-band satellite scenes and a few labelled polygons."""
__version__ = "0.1.0"
