"""One plain function a verb; the command line only calls them."""
