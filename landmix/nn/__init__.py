"""Networks: tensors in, tensors out; knows no rasters."""
