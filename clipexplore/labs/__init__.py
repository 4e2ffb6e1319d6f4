"""What the pages teach, as functions on arrays: classifying, matching, components, directions, words."""
