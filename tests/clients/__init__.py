"""The clients' own tests, run as they are."""
