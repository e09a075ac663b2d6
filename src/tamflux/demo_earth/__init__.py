"""The demo Earth: a synthetic planet on the real map and climate, in the providers' raw formats."""
