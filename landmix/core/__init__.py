"""Windows, tilings, bands, legends and scalings: values without files, rasters or networks."""
