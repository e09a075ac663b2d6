"""A review of what the project runs on and of its own code: `make audit`."""
