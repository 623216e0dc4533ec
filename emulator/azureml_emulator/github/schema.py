"""GitHub's description of its API (openapi.yml) as a table of routes, and as checks of bodies."""

from importlib.resources import files

from azureml_emulator.openapi import Description

DESCRIPTION = Description.read((files("azureml_emulator.github") / "openapi.yml").read_bytes())
