"""The Metrics tab: pick metrics, read them as charts or as tables."""

from runs.pages.tab import Part, Tab
from runs.pages.tabs.metrics.answers import csv, figure, rows_figure, typed, values
from runs.pages.tabs.metrics.picking import context, table_context, table_version

tab = Tab(
    title="Metrics",
    template="runs/tabs/metrics.html",
    context=context,
    parts={"table": Part("runs/tabs/metrics_table.html", table_context, table_version)},
    data={"figure": figure, "typed": typed, "rows": rows_figure, "values": values, "csv": csv},
    scripts=("js/charts.js", "js/metrics.js"),
)
