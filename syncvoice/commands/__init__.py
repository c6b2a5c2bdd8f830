"""The command line, one thin module per command: arguments in, one call, exit status out."""
