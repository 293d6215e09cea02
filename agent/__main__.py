"""`python -m agent` is the `paramedic` command."""

from agent.cli.main import main

main()
