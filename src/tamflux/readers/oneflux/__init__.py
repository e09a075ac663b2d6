"""Reader of flux-tower files in ONEFlux layout: file names, archives, tables, metadata."""
