"""PCA you can take apart: spectrum, components as directions, fingerprints, and what a projection keeps.

What one learns: PCA is the best linear autoencoder, what a component means, and that the first joint component is the
modality gap.
Sources: Eckart and Young 1936; Liang et al., arXiv 2203.02053; Halko, Martinsson and Tropp 2011.
"""

from clipexplore import ui
from clipexplore.explore import components
from clipexplore.language import _

ui.header(
    lead=_(
        "Principal components you can take apart: what they keep, what each one means, and how a point is made of them."
    ),
    why=_(
        "PCA turns the axes of the space so that the first points where the cloud varies most, the second where most "
        "of the rest varies, and so on. Keeping the first k is the best any linear method can do: no other matrix of "
        "rank k is nearer to the data, and what is lost is the sum of the squares that were left out "
        "(Eckart–Young–Mirsky). A point's coordinates z are its **fingerprint**: x is the mean plus the sum of zᵢ vᵢ."
    ),
    formula=r"\lVert X - X_k \rVert_F^2 = \sum_{i>k} \sigma_i^2, \qquad x \approx \bar x + \sum_{i \le k} z_i v_i",
    attempt=_(
        "Choose **both**: pictures and captions together. Their first component is the gap between the two; walk along "
        "it."
    ),
)
with ui.row():
    of = ui.choice("of", _("Cloud"), components.clouds(ui.space()))
    center = ui.toggle(
        "center",
        _("Centre"),
        help=_(
            "Takes the mean away first. Without it the first component points at the mean, which all CLIP vectors "
            "share."
        ),
    )
    standardize = ui.toggle(
        "standardize",
        _("Standardise"),
        help=_("Divides every dimension by its standard deviation, so that all count the same."),
    )
part = ui.choice(
    "part",
    _("What to look at"),
    ["spectrum", "plane", "walk", "fingerprint", "distances", "solvers"],
    label_visibility="collapsed",
)
given = {"of": of, "center": center, "standardize": standardize}
cloud = components.cloud(ui.space(), **given)
ui.say_cloud(cloud)

if part in ("spectrum", "distances", "solvers"):
    rank = ui.slider("rank", _("Components kept, k"), 1, 100, width=320)
if part == "spectrum":
    call = ui.call(components.spectrum, **given, rank=rank)
    ui.show_spectrum(call.result, of, rank)
elif part == "distances":
    call = ui.call(components.distances, **given, rank=rank)
    ui.show_kept(call.result, rank)
elif part == "solvers":
    call = ui.call(components.solvers, **given, rank=rank)
    if race := call.awaited("solvers"):
        ui.show_race(race, cloud, rank)
elif part == "plane":
    axes = ui.axes_box()
    lines = ui.lines_box(
        "points",
        _("Your points, one a line"),
        least=0,
        most=24,
        help=_("Each line is an expression; it is shown on the map as a diamond."),
    )
    call = ui.call(components.plane, **given, axes=axes, points=ui.points_of(lines or []))
    ui.show_plane(call.result, of)
elif part == "walk":
    component = ui.slider("component", _("Component"), 1, 50, width=320)
    call = ui.call(components.walk, **given, component=component)
    ui.show_walk(call.result, component)
elif point := ui.expression_box():
    call = ui.call(components.fingerprint, q=point, **given)
    ui.show_fingerprint(call.result)
    ui.open_in(point)
else:
    call = None
if call:
    ui.code(call)
