"""What all pages share, and the only place that imports streamlit; a page uses these names as `ui.name`."""

from .apart import apart_as_points, show_curve, show_remainder, show_stability, show_sum, sum_box
from .browser import keep_window
from .calls import call, code, code_lines
from .classify import class_bars, classes_for, where_judged, where_maps, windows_of
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
from .drawing import draw_points, draw_toggle, hits_as_points, sum_as_points
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
from .journey import afresh_button, end_page, say_missing, say_refused
from .judged import judged_accuracies, judged_classes, judged_mistakes, judged_trust, label_box
from .lessons import lesson_list, show_lesson
from .making import new_collection
from .maps import draw_map, fit_settings, laid_out, layout_download, plane_settings, say_neighbours, say_trust
from .markdown import escape
from .match import (
    match_download,
    match_matrices,
    match_matrix,
    match_metrics,
    match_training,
    meaningful,
    open_hardest,
    own_scale,
    say_scale,
    show_gap,
)
from .models import model_box, model_card, ready
from .names import check_names
from .page import doors, header, navigation, pages, say_figures, show_errors
from .pixels import compare, pixels_here, show_components, show_rebuilt, show_rebuilt_in_clip
from .player import drawn_strip, frame_strip, path_curves, path_download, path_view, show_evenness, walk_download
from .properties import show_apart, show_dimensions, show_direction, show_grid
from .results import can_judge, distribution, download_row, matches, nearest_bars, say_search, score_context
from .room import follow, follow_box, teachers_page
from .serving import around_the_app, warm_up
from .session import access, begin_run, folders, preset, space, speak, visitor
from .shades import color_box
from .share import share_box
from .shelf import show_items, show_shelf
from .status import operator_box, show_cluster, show_lanes, show_machine
from .titles import described
from .two import disagreement_map, other_box, show_agreement, show_both, show_ranking
from .uploads import add_picture
from .walks import drawn_walk, note_places, places_box, walk_draw_settings, walk_drawing
from .widgets import choice, language_box, number, row, select, several, slider, text_line, toggle
from .words import corpus_box, lexicon, say_lexicon, show_corner, show_kindred, show_nearest
