"""TAMFlux: global upscaling of tower carbon fluxes with task-aware modulation."""

from importlib.metadata import version

__version__ = version("tamflux")
