"""How long a drawing takes on this machine: by the pace at which its drawer drew last."""

from __future__ import annotations

from dataclasses import dataclass

from clipexplore.draw.drawer import Drawer

_paces: dict[str, float] = {}  # seconds of one pass, by the name of a drawer


@dataclass(frozen=True)
class Effort:
    """What a drawing asks of a machine.

    Attributes
    ----------
    drawer
        The name of what draws.
    passes
        How often pictures go through the drawing model, all together.
    """

    drawer: str
    passes: float

    @classmethod
    def of(cls, drawer: Drawer, pictures: float, steps: float | None = None, guidance: float | None = None) -> Effort:
        """That of so many pictures: one pass a step, two with guidance, and as much as a step to decode each; in the
        drawer's own steps and guidance where none are given.
        """
        steps = steps or drawer.settings["num_inference_steps"]
        guidance = guidance or drawer.settings["guidance_scale"]
        return cls(drawer.name, pictures * (steps + 1) * (2 if guidance > 1 else 1))

    @property
    def seconds(self) -> float | None:
        """How long it takes; None before the drawer has drawn anything in this process."""
        pace = _paces.get(self.drawer)
        return None if pace is None else pace * self.passes

    def takes(self, seconds: float) -> None:
        """Notes how long it takes, as far as that shows."""
        _paces[self.drawer] = seconds / self.passes
