"""Running tasks on a standing Dask cluster of expert workers; without one, tasks run in threads of the flow's process.

The models stay loaded in the workers, so they outlive the flow runs. `hugginggpt.cluster.resources` says what a worker
declares and what a task asks for.
"""
