"""The `paramedic` command. What only asks a running agent imports nothing heavy: it answers at once."""
