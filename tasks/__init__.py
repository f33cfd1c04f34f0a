"""The stages as Prefect tasks: one module per stage, with its retries, caching and names."""

from hugginggpt.environment import prepare

prepare()
