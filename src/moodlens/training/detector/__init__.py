"""Training of the `moodlens` face detector: scenes, network, targets, loop, mining, export."""
