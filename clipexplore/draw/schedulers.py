"""How noise is taken away step by step: the way that suits a model best, and two older ones that experiments were
made with.

Source: Lu et al. 2022, "DPM-Solver++"; Liu et al. 2022, "Pseudo Numerical Methods for Diffusion Models on Manifolds"
(PNDM); Song et al. 2021, "Denoising Diffusion Implicit Models"; Luo et al. 2023, "LCM-LoRA".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clipexplore.errors import InputError
from clipexplore.language import _

if TYPE_CHECKING:
    from diffusers import SchedulerMixin

OWN = "own"
SCHEDULERS = (OWN, "pndm", "ddim")
_NAMES = {OWN: "DPM++ 2M", "pndm": "PLMS", "ddim": "DDIM"}


def own_scheduler(config: dict, few_steps: bool = False) -> SchedulerMixin:
    """What a model is best used with: DPM-Solver++ for the noise that `config` describes, or what a few-step LoRA was
    trained for.
    """
    from diffusers import DPMSolverMultistepScheduler, LCMScheduler

    if few_steps:
        return LCMScheduler.from_config(config)
    return DPMSolverMultistepScheduler.from_config(
        config, algorithm_type="dpmsolver++", solver_order=2, lambda_min_clipped=-5.1, variance_type=None
    )


def chosen_scheduler(own: SchedulerMixin, name: str, possible: Sequence[str] = SCHEDULERS) -> SchedulerMixin:
    """The scheduler of that name for a model whose own is `own`; a new one, but for that itself.

    Raises
    ------
    InputError
        For a name that is not among the `possible` ones, and for any but its own where a model draws in few steps.
    """
    if name not in possible:
        raise InputError(
            _("scheduler is {name!r} and has to be one of {known}; change it.").format(
                name=name, known=", ".join(possible)
            )
        )
    if name == OWN:
        return own
    from diffusers import DDIMScheduler, LCMScheduler, PNDMScheduler

    if isinstance(own, LCMScheduler):
        raise InputError(
            _(
                "This model draws in a few steps, which works with its own scheduler only; choose {own} instead of "
                "{name}."
            ).format(own=OWN, name=name)
        )
    return (
        PNDMScheduler.from_config(own.config, skip_prk_steps=True)
        if name == "pndm"
        else DDIMScheduler.from_config(own.config)
    )


def common_name(name: str, few_steps: bool = False) -> str:
    """What AUTOMATIC1111's web interface calls the scheduler of that name."""
    return "LCM" if few_steps else _NAMES[name]
