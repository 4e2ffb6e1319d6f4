"""What people bring, read as one stream of entries: `recognise.open_source` says what a path is."""
