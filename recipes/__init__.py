"""Settings for `curate run`: `curate init --recipe NAME`."""
