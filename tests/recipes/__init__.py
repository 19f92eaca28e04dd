"""The recipes of CONTRIBUTING.md: each is followed here with a dummy, through the tables alone."""
