from fixtures_drawing import adapted, adapter, kandinsky, tiny_kandinsky, wide_clip  # noqa: F401
