"""The Processing script for QGIS, and what installs it."""
