"""Satellite products as they are delivered; each is described by a YAML file beside this one."""
