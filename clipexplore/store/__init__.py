"""Collections: made of sources so that nothing is lost, embedded, listed, repaired, written out.

database, items, stored
    One SQLite file, each a class on top of the one before: what is said of a collection and its transactions; its items
    and pictures; their vectors and maps.
published
    The same as files that never change, which ship and which others read.
mapped, texts
    What both hold: matrices in mapped files, and columns of texts in Arrow's memory.
collection, absent, opening
    What every page explores, whichever of the two it lies in; what it says of what it lacks; and how a model sees it.
importing, embedding
    New items from a source; vectors for what has none.
shelves, kept, bin, calendar
    Which collections there are and whose; pictures that links name; what was thrown away, and since when.
repair, export, commands
    Damage, and earlier versions; files for other tools; the command line.
"""
