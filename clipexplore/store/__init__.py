"""Collections: read from what people bring, written so that nothing is lost, listed, repaired."""
