"""The dashboards: held to Grafana's published schema, to the linter's rules, and to the metrics that there are."""
