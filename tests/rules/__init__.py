"""The rules: tried with Prometheus' own tool, and held to the metrics that there are."""
