"""What the local experts share: downloading, loading and running models."""
