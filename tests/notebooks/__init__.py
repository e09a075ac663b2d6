"""The notebooks of docs/notebooks, executed on the results of a run: `make notebooks`."""
