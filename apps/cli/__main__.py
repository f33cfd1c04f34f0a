"""`python -m apps.cli` is `hugginggpt`."""

from apps.cli import main

main(prog_name="hugginggpt")
