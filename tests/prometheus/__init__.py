"""A real Prometheus scrapes real sidecars and evaluates the dashboards' queries."""
