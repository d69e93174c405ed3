"""PETS: probabilistic ensembles with trajectory sampling."""
