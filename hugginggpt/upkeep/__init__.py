"""What the scheduled flows do: prune, keep records, load models ahead of time."""
