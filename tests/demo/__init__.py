"""The demo: its world (time, network, switches, story), and the pages that a visitor sees."""
