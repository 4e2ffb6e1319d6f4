"""Models: the catalogue, their weights on this machine, and what embeds with them."""
