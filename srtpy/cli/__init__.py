"""The command line: what `srtpy` and `python -m srtpy` run."""
