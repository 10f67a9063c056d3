"""The command line: each command calls one function of the package and prints what it returns."""
