"""One module per Prefect flow, with the order of its stages and nothing else."""

from hugginggpt.environment import prepare

prepare()
