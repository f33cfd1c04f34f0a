"""The HTTP service of `up`, and its client, by which the command line has its work done without importing Prefect."""
