"""The entry points: the command line, and the processes that `hugginggpt up` runs."""
