"""A Dask cluster of expert workers: its address, what its workers declare, and what its scheduler knows about them."""
