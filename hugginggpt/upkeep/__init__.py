"""What the scheduled flows do: delete what nobody needs, and load models before they are needed."""
