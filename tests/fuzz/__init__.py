"""Damaged input for every reader of raw files: `make fuzz`.

A reader (in `era5`, `modis`, `land`, `towers`, `sites`) is a small valid input, what the project
makes of it, the range of every number, and faults of content. `damage` damages bytes, `trial`
judges one input, `batches` runs many in child processes: an abort of a library costs one input.
"""
