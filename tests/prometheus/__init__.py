"""A real Prometheus: it scrapes real sidecars, keeps what they tell, and answers what dashboards ask."""
