"""How good a map is: confusion matrices and the figures that follow from them."""
