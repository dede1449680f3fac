"""`python -m gateway.cli`: the command line without its entry point."""

from gateway.cli.main import main

main()
