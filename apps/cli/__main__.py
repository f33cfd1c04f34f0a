"""`python -m apps.cli` is `hugginggpt`."""

from apps.cli.main import main

main(prog_name="hugginggpt")
