"""What all pages share, and the only place that imports streamlit; a page uses these names as `ui.name`.

`say_…` is a sentence, `show_…` a chart, a table or pictures, `…_box` and `…_settings` are widgets, `…_download` files.
"""

from .apart import apart_as_points, show_curve, show_remainder, show_stability, show_sum, sum_box
from .browser import keep_window
from .calls import call, code
from .classify import classes_for, show_classes, show_where, show_where_judged, windows_of
from .components import (
    axes_box,
    say_cloud,
    show_fingerprint,
    show_kept,
    show_plane,
    show_race,
    show_spectrum,
    show_walk,
)
from .concepts import (
    concepts_ready,
    say_concepts,
    show_cards,
    show_concept,
    show_judged,
    show_turned,
    turn_box,
    turned_as_points,
)
from .drawing import draw_toggle
from .drawn_points import draw_points, hits_as_points, sum_as_points
from .expressions import (
    change_of,
    complete,
    expression_box,
    lines_box,
    open_in,
    points_of,
    reversed_sum,
    surprise_button,
)
from .filters import facet_box, filter_box, say_kept
from .gallery import chosen_bar, gallery, picture_view
from .gap import show_gap
from .journey import afresh_button, end_page, go_where_sent, say_refused
from .judged import label_box, show_accuracies, show_calibration, show_confusion, show_mistakes
from .lessons import lesson_list, show_lesson
from .making import new_collection
from .maps import fit_settings, laid_out, layout_download, plane_settings, say_neighbours, say_trust, show_map
from .markdown import escape
from .match import (
    matrices_of,
    meaningful,
    open_hardest,
    own_scale,
    pairs_download,
    say_scale,
    show_loss,
    show_pairs,
    show_training,
)
from .models import collection_box, model_box, ready
from .names import check_names, names_box
from .page import header, navigation, say_figures, show_doors, show_errors
from .pixels import pixels_here, show_components, show_rebuilt, show_rebuilt_in_clip, show_spectra
from .player import (
    path_download,
    show_curves,
    show_drawn_frames,
    show_evenness,
    show_film,
    show_nearest_frames,
    walk_download,
)
from .properties import show_apart, show_dimensions, show_direction, show_grid
from .results import can_judge, download_row, nearest_bars, say_context, say_search, show_distribution, show_matches
from .room import follow_box, teachers_page
from .serving import around_the_app, warm_up
from .session import begin_run, is_pupil, preset, space, speak
from .shades import color_box
from .share import share_box
from .shelf import show_items, show_shelf
from .status import operator_box, show_cluster, show_lanes, show_machine
from .two import other_box, show_agreement, show_both, show_disagreement, show_ranking
from .uploads import add_picture
from .walks import drawn_walk, note_places, places_box, walk_draw_settings, walk_drawing
from .widgets import choice, language_box, number, row, select, slider, text_line, toggle
from .words import corpus_box, lexicon, say_lexicon, show_corner, show_kindred, show_nearest
