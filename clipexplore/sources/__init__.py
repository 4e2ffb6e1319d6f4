"""What people bring, read as one stream of entries. It knows nothing of collections.

`recognise.open_source(path)` asks readers, in the order of two tables, what a file or a tree of files is. Each gives a
`Source` of `Entry` (`entries`), or None where it is something else.

files, archives, buckets
    Trees of named files: a folder, a ZIP or tar, an address.
rows, captions, json_stream, columns, arrays
    What is in one file: tables, JSON, Parquet and Arrow, numbers.
folders, descriptions, named_pictures
    Pictures, with what stands beside and in them, or as tables name them.
coco, fiftyone, takeout, clip_retrieval, img2dataset, embedded_pictures
    What one tool writes.
vector_files, written_vectors
    Vectors that are there already.
preview, remedies
    A look before an import, and what to do with what is not read.
"""
