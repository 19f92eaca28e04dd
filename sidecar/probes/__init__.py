"""Where do observations come from? One file per source, which makes observations of input and nothing else."""
