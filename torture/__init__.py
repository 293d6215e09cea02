"""`make torture`: a real agent is killed, cut off, starved and lied to; then its record is held against the world."""
