"""Damaged input for every reader of raw files: `make fuzz`.

A reader (`grids.py`, `tables.py`) is a small valid input, what the project makes of it, the range
of every number, and faults that a person makes. `damage.py` damages bytes. `trial.py` judges one
input, `batches.py` runs many in child processes, which an abort or a hang of a library ends alone.
"""
