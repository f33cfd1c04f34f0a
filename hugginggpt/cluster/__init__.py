"""A Dask cluster of expert workers: where it is, what its workers declare, and what its scheduler knows of them."""
