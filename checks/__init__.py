"""Check types, one file each; found by the entry point group ``paramedic.checks``."""
