#!/usr/bin/env bash
# Install dcac itself, from the checkout Snakemake was started in, without touching the pins.
set -eu
python -m pip install --no-deps --editable "$PWD"
