"""Where do facts come from? One file per source, which turns what it sees into observations and does nothing else."""
