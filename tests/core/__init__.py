"""The core, by tables and seeds: no clock, no I/O, no mocks."""
