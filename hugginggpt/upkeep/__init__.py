"""What keeps an installation in order: delete what nobody needs, and load models before they are needed."""
