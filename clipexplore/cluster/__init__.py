"""Beyond one machine: what stands behind the same calls on a Ray cluster. Ray itself does all of the distributing."""
