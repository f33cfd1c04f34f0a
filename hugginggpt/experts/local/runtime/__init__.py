"""What the local experts share: loading, downloading, generating, and what families of models have in common."""
