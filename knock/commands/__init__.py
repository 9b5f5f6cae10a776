"""The commands of `knock`, a module for each word of the command line.

Each has `HELP`, its line in `knock --help`; `add_arguments`, which adds its words to a parser; and
`run`, which does it and returns an exit code. A module imports what its command needs within `run`,
so that `knock --help` reads all of them and still answers at once.
"""
