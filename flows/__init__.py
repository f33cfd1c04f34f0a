"""One module per Prefect flow: the order of the stages and nothing else."""

from hugginggpt.environment import prepare

prepare()
