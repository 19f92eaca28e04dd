"""The rules, evaluated by promtool, and checked against the exported metrics."""
