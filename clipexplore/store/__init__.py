"""Collections: made of sources so that nothing is lost, embedded, listed, repaired, written out."""
