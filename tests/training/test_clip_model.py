"""The bundled CLIP before training: no character ends a text, and sides and words can be told apart."""

import pytest
import torch

from clipexplore.training import captions


@pytest.fixture
def clip_model(train_clip):
    from clipexplore.training import clip_model

    return clip_model


class TestTokenizer:
    TEXTS = [
        "7",
        "ü",
        "🎩",
        "\x00",
        "\x01\x7f",
        "lion\x07s",
        "Zażółć gęślą",
        "中文",
        "𝕏",
        "",
        "  ",
        "e\u0301",
        "\u200b",
        "’s",
        "@#%",
        "a" * 40,
        "42nd",
        "ALL CAPS",
    ]

    @pytest.mark.parametrize("text", TEXTS, ids=ascii)
    def test_a_text_ends_once_and_at_its_end(self, tokenizer, text):
        """A byte without a token would become the end token, and all behind it would not count."""
        ids = tokenizer(text)["input_ids"]
        assert ids[0] == tokenizer.bos_token_id and ids[-1] == tokenizer.eos_token_id
        assert ids.count(tokenizer.eos_token_id) == 1 and ids.count(tokenizer.bos_token_id) == 1

    def test_no_character_ends_a_text(self, tokenizer):
        """Every byte that UTF-8 knows, alone, at the start, in the middle and at the end of a word."""
        characters = [
            chr(code) for code in (*range(0x800), *range(0x800, 0x110000, 0x3FF)) if not 0xD800 <= code < 0xE000
        ]
        for text in (
            word for character in characters for word in (character, f"{character}x", f"x{character}x", f"x{character}")
        ):
            assert tokenizer(text)["input_ids"].count(tokenizer.eos_token_id) == 1, ascii(text)

    def test_a_saved_one_is_the_same(self, tokenizer, clip_model, tmp_path):
        from transformers import CLIPTokenizer

        tokenizer.save_pretrained(tmp_path)
        again = CLIPTokenizer.from_pretrained(tmp_path)
        texts = [*self.TEXTS, *captions.vocabulary()[::20], "A red LION  in the jungle!"]
        assert again(texts)["input_ids"] == tokenizer(texts)["input_ids"]
        assert again.model_max_length == clip_model.CONTEXT and again.pad_token_id == again.eos_token_id

    def test_case_does_not_matter(self, tokenizer):
        assert (
            tokenizer("A Red Lion")["input_ids"]
            == tokenizer("a red lion")["input_ids"]
            != tokenizer("a red fox")["input_ids"]
        )

    def test_it_is_as_large_as_it_should_be(self, tokenizer, clip_model):
        # some bytes end words in the world as well
        assert clip_model.VOCABULARY - 256 < len(tokenizer) <= clip_model.VOCABULARY


class TestToldApart:
    def test_columns(self, clip_model):
        """Every patch of a column moves alike, each column its own way, and the class token stays."""
        side = clip_model.PICTURE_SIZE // clip_model.PATCH_SIZE
        positions = torch.zeros(1 + side**2, 32)
        clip_model.tell_columns_apart(positions, 1.5)
        grid = positions[1:].view(side, side, 32)
        assert not positions[0].any() and (grid == grid[:1]).all()
        torch.testing.assert_close(grid.norm(dim=-1), torch.full((side, side), 1.5))
        assert torch.cdist(grid[0], grid[0])[~torch.eye(side, dtype=torch.bool)].min() > 0.5

    def test_words(self, clip_model):
        """Two words move away from where they were, in opposite directions, and no other moves."""
        before = torch.randn(6, 32, generator=torch.Generator().manual_seed(1))
        after = before.clone()
        clip_model.tell_words_apart(after, 2, 4)
        moved = after - before
        torch.testing.assert_close(moved[2], -moved[4])
        torch.testing.assert_close(moved[2].norm(), torch.tensor(1.0))
        assert not moved[[0, 1, 3, 5]].any()
