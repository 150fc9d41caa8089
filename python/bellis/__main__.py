"""`python -m bellis`: the command."""

from ._command import main

main()
