"""The models of every task kind, and where they can run."""
