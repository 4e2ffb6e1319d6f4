"""A walk through the space: stops, a path through them, what lies nearest along the way, and every frame as a picture.

What one learns: slerp and lerp; that the straight way leaves the sphere on which all embeddings lie; and that a point
of the space can be drawn (traberph/CLIP-Interpolation compares the two curves; Ramesh et al. 2022 draw from
embeddings).
"""

import streamlit as st

from clipexplore import ui
from clipexplore.explore.interpolate import walk
from clipexplore.language import _

ui.header(
    lead=_("Walk from one point to another, and see what lies along the way."),
    why=_(
        "**slerp** walks along the sphere at constant speed; **lerp** takes the straight line through it, so its "
        "points are shorter than 1 and it passes the middle faster. Every frame shows its nearest picture and caption, "
        "and how far it still is from each stop."
    )
    + "\n\n"
    + _(
        "**even** walks by what is drawn. A decoder holds on to one picture for long and turns it into the next within "
        "a few frames. So a coarse pass is drawn and embedded again; its length *L*, in angles between drawings, says "
        "where frames of equal steps lie, which are drawn next, and those of all are kept whose steps are most alike: "
        "half as many frames more. **What can mislead.** Even steps of CLIP’s vector need not look even, and a change "
        "that comes all at once stays one step. Source: Guenter and Parent 1990 (arc length)."
    ),
    formula=r"\operatorname{slerp}(a, b; t) = \frac{\sin((1-t)\,\Omega)}{\sin \Omega}\,a + "
    r"\frac{\sin(t\,\Omega)}{\sin \Omega}\,b, \qquad \cos \Omega = a \cdot b, \qquad "
    r"t_k = L^{-1}\Bigl(\tfrac{k}{n-1}\,L(1)\Bigr)",
    attempt=_("Give a third stop on a line of its own, or start at a picture: `@lion-jungle-07`."),
)
left, right = st.columns([3, 2])
with left:
    lines = ui.lines_box(
        "stops",
        _("Stops, one per line"),
        least=2,
        most=8,
        help=_("Each line is an expression: a text, an `@id`, or a sum."),
    )
with right:
    frames = ui.slider("frames", _("Frames"), 2, 240, help=_("How many points in all, the stops included."))
    with st.container(horizontal=True):
        curve = ui.choice(
            "curve",
            _("Path"),
            ["slerp", "lerp", "both", "even"],
            help=_(
                "**slerp** follows the sphere, **lerp** the straight line. **both** draws them side by side; charts "
                "and table then show slerp. A decoder takes only the direction of a point, so in the joint space both "
                "cross the same arc, lerp faster in the middle; between token states they differ."
            )
            + " "
            + _("**even** follows the sphere too, at places where what is drawn changes evenly."),
        )
        easing = ui.choice(
            "easing",
            _("Easing"),
            ["linear", "smooth"],
            help=_("**smooth** leaves each stop slowly and comes to the next slowly."),
        )
    drawn_how = st.popover(_("How it is drawn"), icon=":material/brush:")
    with drawn_how:
        settings = ui.walk_draw_settings()

points = ui.points_of(lines or [])
if len(points) >= 2:
    stops = [str(point.expression) for point in points]
    route = {"stops": stops, "frames": max(frames, len(stops)), "curve": curve, "easing": easing}
    with drawn_how:
        places = ui.places_box(curve, stops, route["frames"], settings)
    if curve == "even":
        route["places"] = places
    way = ui.call(walk, **route)
    along = way.in_time("way")
    drawing = ui.walk_drawing(route, points, settings) if len(points) == len(lines or []) else None
    tracks = ui.drawn_walk(drawing) if drawing else None
    if drawing and tracks:
        ui.note_places(drawing.result, tracks)
    if along:
        ui.show_film(along, tracks)
    if drawing and tracks and settings:
        ui.show_drawn_frames(tracks, drawing.result)
        ui.show_evenness(tracks, drawing.result)
        ui.walk_download(tracks, route, drawing.result, settings)
    if along:
        with st.expander(_("Nearest pictures along the way"), icon=":material/photo_library:", expanded=not tracks):
            ui.show_nearest_frames(along)
        ui.show_curves(along)
        ui.path_download(along)
    ui.open_in(ui.change_of(points))
    ui.code(*[each for each in (way, drawing) if each])
