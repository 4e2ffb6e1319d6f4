"""What all pages share: the only place that imports streamlit. A page says `from clipexplore import ui` and uses these names."""

from .classes import class_bars, scores_download, warn_of_cuts
from .expressions import expression_box, lines_box, open_in, points_of, reversed_sum, stack
from .maps import layout_download, map_fields, pca_layout, region_hits, scatter, umap_layout
from .page import code, header, navigation, show_errors
from .paths import frame_strip, path_curves, path_download, path_map
from .results import distribution, download_row, gallery, result_bars, score_context
from .session import preset, space, warm_up
from .share import share_box
from .texts import PAGES, text
from .uploads import add_picture

__all__ = [
    "PAGES", "add_picture", "class_bars", "code", "distribution", "download_row", "expression_box", "frame_strip", "gallery", "header", "layout_download", "lines_box",
    "map_fields", "navigation", "open_in", "path_curves", "path_download", "path_map", "pca_layout", "points_of", "preset", "region_hits", "result_bars", "reversed_sum",
    "scatter", "score_context", "scores_download", "share_box", "show_errors", "space", "stack", "text", "umap_layout", "warm_up", "warn_of_cuts",
]  # fmt: skip
