"""The fork server, asked over its standard input: a program that `forked` starts gets no other descriptor."""

import os
import sys

from apps.up.fork_server import main

if __name__ == "__main__":
    requests = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv[1:] = ["--requests", str(requests)]
    main()
