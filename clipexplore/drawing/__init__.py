"""What Stable Diffusion and Stable unCLIP need around the renderer: pipelines, latents, walks, recipes, films."""
