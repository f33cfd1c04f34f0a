"""What the fork server imports, so that no fork has to."""

import gc
import signal

import flows.answer
import flows.evaluate
import flows.prune
import flows.queue
import flows.refresh
import flows.warm  # noqa: F401

# `down` asks every process of an `up` to stop. The fork server has to outlive its forks, to report how they ended.
signal.signal(signal.SIGTERM, signal.SIG_IGN)

# A collection of garbage would touch, and so copy, pages that all forks share.
gc.collect()
gc.freeze()
