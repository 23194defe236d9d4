"""Figures and pages: numbers in, SVG, PNG and self-contained HTML out."""
