"""`python -m moodlens`: the command line."""

from moodlens.cli.main import main

main()
