"""Whole worlds in virtual time: months of payments, probes, payers and events, through the shipped fold and `decide`."""
