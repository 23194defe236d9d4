"""Plain classifiers that a network has to beat."""
