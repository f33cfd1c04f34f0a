"""The command line: `main.py` lists its commands, each in a module of its own."""
