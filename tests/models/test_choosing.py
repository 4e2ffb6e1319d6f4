"""What of a repository is fetched: safetensors before `.bin`, one precision for all parts, and nothing that can hold code if it need not be."""

import pytest

from clipexplore.models.choosing import choose


@pytest.mark.parametrize(
    ("kind", "names", "chosen"),
    [
        ("clip", "config.json model.safetensors pytorch_model.bin flax_model.msgpack sub/model.safetensors", "config.json model.safetensors"),
        ("clip", "config.json pytorch_model.bin merges.txt README.md", "config.json pytorch_model.bin merges.txt"),
        ("clip", "config.json README.md", ""),
        ("lora", "pytorch_lora_weights.safetensors README.md", "pytorch_lora_weights.safetensors"),
        ("pipeline", "model_index.json v1-5.safetensors unet/config.json unet/diffusion_pytorch_model.safetensors unet/diffusion_pytorch_model.non_ema.safetensors "
                     "unet/diffusion_pytorch_model.fp16.safetensors unet/diffusion_pytorch_model.fp16.bin vae/config.json vae/diffusion_pytorch_model.fp16.safetensors "
                     "vae/diffusion_pytorch_model.safetensors tokenizer/merges.txt",
         "model_index.json unet/config.json unet/diffusion_pytorch_model.fp16.safetensors vae/config.json vae/diffusion_pytorch_model.fp16.safetensors tokenizer/merges.txt"),
        ("pipeline", "model_index.json unet/diffusion_pytorch_model.fp16.safetensors unet/diffusion_pytorch_model.safetensors vae/diffusion_pytorch_model.bin vae/diffusion_pytorch_model.fp16.bin",
         "model_index.json unet/diffusion_pytorch_model.fp16.safetensors vae/diffusion_pytorch_model.fp16.bin"),
        ("pipeline", "model_index.json unet/diffusion_pytorch_model.fp16.safetensors unet/diffusion_pytorch_model.safetensors text_encoder/model.safetensors",
         "model_index.json unet/diffusion_pytorch_model.safetensors text_encoder/model.safetensors"),
        ("pipeline", "model_index.json unet/diffusion_pytorch_model-00001-of-00002.safetensors unet/diffusion_pytorch_model-00002-of-00002.safetensors "
                     "unet/diffusion_pytorch_model.safetensors.index.json",
         "model_index.json unet/diffusion_pytorch_model-00001-of-00002.safetensors unet/diffusion_pytorch_model-00002-of-00002.safetensors "
         "unet/diffusion_pytorch_model.safetensors.index.json"),
    ],
)  # fmt: skip
def test_what_of_a_repository_is_fetched(kind, names, chosen):
    assert choose(names.split(), kind) == set(chosen.split())
