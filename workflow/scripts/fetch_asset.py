"""Fetch one asset of the registry; with fetch_dataset.py the only place of the workflow that uses the network."""

import logging
from pathlib import Path

from syncvoice.asset_sources import fetch
from syncvoice.assets import read_registry

logging.basicConfig(filename=snakemake.log[0], level=logging.INFO)
name = snakemake.wildcards.asset
fetch(name, read_registry(snakemake.input.registry)[name], Path(snakemake.output[0]))
