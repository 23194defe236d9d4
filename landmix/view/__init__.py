"""A finished map on a page of this machine: tiles, pixels and areas, and the page that shows them."""
