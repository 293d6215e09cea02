"""The control API: how people and programs on this machine speak to the running agent."""
