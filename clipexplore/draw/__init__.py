"""Drawing: pipelines of Stable Diffusion and Stable unCLIP, what they are given, walks, recipes and films."""
