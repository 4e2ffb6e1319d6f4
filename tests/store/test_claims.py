"""Ready-made vectors are compared with what the model they are said to be of makes of the same."""

import numpy as np
import pytest
from fixtures_imports import Toy, jpeg

from clipexplore import Space
from clipexplore.__main__ import main
from clipexplore.errors import InputError
from clipexplore.models import catalog
from clipexplore.store.claims import cosines, ready_made
from clipexplore.store.recognise import open_source

TEXTS = [f"text number {n}" for n in range(40)]


def made(path, vectors, **columns):
    np.savez(path, text_vectors=vectors, **columns)
    return open_source(path)


def test_the_vectors_of_captions_are_made_again(tmp_path):
    source, toy = made(tmp_path / "v.npz", Toy().embed_texts(TEXTS) * 7, caption=TEXTS), Toy()
    assert cosines(source, lambda: toy) == {"captions": pytest.approx(1)} and toy.texts == 16
    alone = made(tmp_path / "a.npz", Toy().embed_texts(TEXTS))
    assert cosines(alone, lambda: pytest.fail("there is nothing to embed")) == {}


def test_the_vectors_of_pictures_beside_are_made_again(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet

    from clipexplore.images import open_picture

    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(number))
    vectors = Toy().embed_images([open_picture(jpeg(number)) for number in range(5)])
    table = pa.table({"file": [f"{n}.jpg" for n in range(5)], "vector": vectors.tolist()})
    pyarrow.parquet.write_table(table, tmp_path / "v.parquet")
    toy = Toy()
    assert cosines(open_source(tmp_path / "v.parquet"), lambda: toy) == {"pictures": pytest.approx(1)}


def test_those_of_another_model_are_refused(tmp_path, home, capsys):
    texts = ["lion", "a red car", "snow", "penguin", "a man with a hat", "guitar"]
    vectors = Space.open().embed_texts(texts)
    for turned, ends in ((0, 0), (1, 2)):
        made(tmp_path / f"{turned}.npz", np.roll(vectors, turned, axis=1), caption=texts)
        assert main(["index", str(tmp_path / f"{turned}.npz"), "--name", f"it{turned}", "--model", "emoji"]) == ends
    said = capsys.readouterr().err
    assert "no vectors of the model emoji: what it makes of the same captions has a cosine of" in said
    assert main(["index", str(tmp_path / "1.npz"), "--name", "it", "--model", "unnamed"]) == 0


def test_no_model_claims_nothing_and_another_size_is_refused(tmp_path):
    source = made(tmp_path / "v.npz", Toy().embed_texts(TEXTS), caption=TEXTS)
    assert ready_made(catalog.get("unnamed"), source, Toy) == "unnamed"
    with pytest.raises(InputError, match="16 dimensions and those of the model emoji 512"):
        ready_made(catalog.get("emoji"), source, Toy)
