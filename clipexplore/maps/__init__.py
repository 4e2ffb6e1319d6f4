"""Maps beyond PCA: UMAP, its reference, how far to trust it, and groups with names."""
