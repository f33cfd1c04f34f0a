"""The work of the scheduled flows: deleting what nothing needs any more, and loading models before they are needed."""
