"""`python -m bioft`: the same as the command `bioft`."""

from bioft.cli.main import main

main()
