"""A fuzzer: hostile input to everything that reads what others wrote.

    python -m tests.fuzz --cases 10000 --seed 1
    python -m tests.fuzz --seed 1 --only media --case 17

Each area (`AREAS` in `areas.py`) makes cases out of a seed and a number: a call of this project, and what goes into
it. A case is good when the call gives a value that keeps its promises, or raises one of the project's own errors that
its docstring names. Everything else is a finding: another exception, a broken promise, a message that UTF-8 cannot
hold, a process that dies, more than a second of processor time, more than 500 MB of memory.

Cases run in processes that are kept, so the time is that of the call alone, threads and child processes included, and
the memory is the most that the whole process held meanwhile, everything imported included.
"""
