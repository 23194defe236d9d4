"""What computes a network: back-ends behind one Protocol; knows no rasters."""
