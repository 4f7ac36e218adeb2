"""The only door to plotly: numbers in, figure out.

A figure is plotly.js's JSON ({"data": […], "layout": {…}}) built as plain dictionaries: constructing graph objects costs
tens of milliseconds a figure and imports a hundred modules, and the browser draws the same from the dictionary.
``checked`` hands one to plotly's own validation, which the tests do for every figure we make. Colours, fonts and grids
are the page's (static/js/charts.js adds them from the stylesheet's tokens), so figures hold no theme.
"""

from runs.charts.figure import Figure, checked, dumps, figure
from runs.charts.lines import Curve, bars, lines, points, smooth
from runs.charts.parallel import parallel_coordinates
from runs.charts.tables import table_chart
from runs.charts.typed import (
    VIEWS,
    accuracy_table,
    calibration,
    confusion_matrix,
    cumulative_gains,
    lift,
    precision_recall,
    predictions,
    residuals,
    roc,
    typed_figure,
)

__all__ = [
    "VIEWS",
    "Curve",
    "Figure",
    "accuracy_table",
    "bars",
    "calibration",
    "checked",
    "confusion_matrix",
    "cumulative_gains",
    "dumps",
    "figure",
    "lift",
    "lines",
    "parallel_coordinates",
    "points",
    "precision_recall",
    "predictions",
    "residuals",
    "roc",
    "smooth",
    "table_chart",
    "typed_figure",
]
