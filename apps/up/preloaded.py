"""What the fork server imports, so that no fork has to."""

import gc
import signal

# What Prefect imports only when a flow runs.
import anyio._backends._asyncio
import fastapi
import graphviz
import PIL.Image
import prefect.engine
import prefect.flow_engine
import prefect.task_engine
import prefect.utilities.visualization

import flows.answer
import flows.evaluate
import flows.prune
import flows.queue
import flows.refresh
import flows.warm
import hugginggpt.catalog.catalog
import hugginggpt.preview
import hugginggpt.submission
import hugginggpt.trace.store  # noqa: F401
from hugginggpt.experts.registry import experts
from hugginggpt.settings import get_settings

experts()
PIL.Image.preinit()
if not get_settings().uses_embedded_controller:
    import openai

    openai.OpenAI  # noqa: B018 - its modules are imported when they are first used

# `down` asks every process of an `up` to stop. The fork server has to outlive its forks, to report how they ended.
signal.signal(signal.SIGTERM, signal.SIG_IGN)

# A collection of garbage would touch, and so copy, pages that all forks share.
gc.collect()
gc.freeze()
