"""What the pages teach, as functions on arrays: classifying, matching, concepts, directions, words."""
