"""Faults of machines on the whole chain: ``cd tests && python -m faults [--kills 50] [--seed 1]``.

Each case disturbs a run of the real workflow on a coarse planet, gives the same command again until
it ends, and compares every result with that of an undisturbed run.
"""
