"""Fetch one data set by its card; with fetch_asset.py the only place of the workflow that uses the network."""

import logging
from pathlib import Path

from syncvoice.datasets.card import archives_of, read_card
from syncvoice.download import check_disk, fetch_dataset, published_digests
from syncvoice.files import write_json

logging.basicConfig(filename=snakemake.log[0], level=logging.INFO)
card = read_card(snakemake.input.card).cards[snakemake.wildcards.dataset]
folder = Path(snakemake.params.folder)
check_disk(folder, card.archive_bytes or 0)
archives = archives_of(card)
if card.download.checksums:
    archives = published_digests(card.download.checksums, archives)
write_json(snakemake.output[0], fetch_dataset(archives, folder))
