"""What a plugin sees, and how kinds are found."""
