"""What is known of a model: its card, its measured figures, its files, and whether it is on this machine."""
