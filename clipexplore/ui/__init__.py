"""What all pages share: the only place that imports streamlit. A page says `from clipexplore import ui` and uses these names."""

from .classes import class_bars, scores_download, warn_of_cuts
from .clouds import CLOUDS, cloud_code, cloud_of, say_gap
from .components import fingerprint, kept_by_projection, plane, solvers, spectrum, walk
from .drawn_points import draw_points, draw_toggle, hits_as_points, sum_as_points
from .expressions import expression_box, lines_box, open_in, points_of, reversed_sum, stack
from .facets import facet_box, find
from .figures import say_figures
from .filters import filter_box, say_kept
from .gap import gap_lab
from .grids import concept, grid_metrics, grid_of, show_dimensions, show_direction, show_grid
from .inside import look_inside
from .judging import judged, judged_accuracies, judged_classes, judged_mistakes, judged_trust, label_fields
from .lexicon import answered, asked, corpus_box, kindred, lexicon, matrices, say_lexicon, three_columns
from .logs import visitor
from .making import new_collection
from .maps import fit_settings, layout_code, layout_download, own_layout, pca_layout, say_trust, umap_layout
from .markdown import escape
from .models import model_card, ready
from .names import check_names
from .page import code, header, navigation, show_errors
from .pairs import (
    append_picture,
    drawn_pairs,
    match_download,
    match_lengths,
    match_matrix,
    match_metrics,
    match_training,
    own_pairs,
    swapped,
)
from .paths import frame_strip, nearest, path_curves, path_download, path_view
from .pixels import chosen_row, compare, draw_components, pixel_space, rebuild, rebuild_in_clip
from .regions import chosen_by, near_hits, say_neighbours
from .results import distribution, download_row, gallery, result_bars, score_context
from .session import begin_run, preset, space, warm_up
from .shades import color_box, draw_map
from .share import share_box
from .shelf import say_missing, show_shelf
from .status import show_lanes, show_machine
from .texts import PAGES, text
from .uploads import add_picture, held_uploads
from .walk_files import walk_download
from .walks import Route, drawing_code, drawn_strip, drawn_walk, walk_draw_settings
from .where import where_judged, where_maps, window_vectors

__all__ = [
    "CLOUDS", "PAGES", "Route", "drawing_code", "drawn_strip", "drawn_walk", "hits_as_points", "nearest", "sum_as_points", "walk_download", "walk_draw_settings", "add_picture", "append_picture", "begin_run", "answered", "asked", "check_names", "chosen_by", "chosen_row", "class_bars", "cloud_code", "cloud_of", "code", "color_box", "compare", "concept", "corpus_box",
    "distribution", "download_row", "draw_components", "draw_map", "draw_points", "draw_toggle", "drawn_pairs", "escape", "expression_box", "facet_box", "filter_box", "find", "fingerprint", "fit_settings", "frame_strip", "gallery", "gap_lab",
    "grid_metrics", "grid_of", "header", "held_uploads", "judged", "judged_accuracies", "judged_classes", "judged_mistakes", "judged_trust", "kept_by_projection", "kindred",
    "label_fields", "look_inside", "layout_code", "layout_download", "lexicon", "lines_box", "match_download", "match_lengths", "match_matrix", "match_metrics", "match_training", "matrices", "model_card",
    "navigation", "new_collection", "near_hits", "open_in", "own_layout", "own_pairs", "path_curves", "path_download", "path_view", "pca_layout", "pixel_space", "plane", "points_of", "preset",
    "ready", "rebuild", "rebuild_in_clip", "result_bars", "reversed_sum", "say_figures", "say_gap", "say_kept", "say_lexicon", "say_missing", "say_neighbours", "say_trust", "score_context",
    "scores_download", "share_box", "show_dimensions", "show_direction", "show_errors", "show_grid", "show_lanes", "show_machine", "show_shelf", "solvers", "space", "spectrum", "stack", "swapped", "text",
    "three_columns", "umap_layout", "visitor", "walk", "warm_up", "warn_of_cuts", "where_judged", "where_maps", "window_vectors",
]  # fmt: skip
