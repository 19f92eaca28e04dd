"""The main job under fire: killed, frozen, starved, cut off from power, and with a clock that jumps."""
