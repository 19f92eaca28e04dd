"""The demo's world: its time, its network, its switches and its story."""
