"""Fault injection: kill, freeze, full disk, power cut, and clock jumps."""
