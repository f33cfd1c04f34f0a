"""The small planner's training: data, fine-tuning, export. Not part of the wheel."""
