"""Clouds of points on few axes: principal components, UMAP and its reference, how far to trust them, and groups."""
