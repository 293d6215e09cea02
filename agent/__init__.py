"""paramedic: a first responder for servers."""
