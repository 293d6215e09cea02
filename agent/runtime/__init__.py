"""All input and output of the daemon."""
