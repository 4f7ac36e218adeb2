"""The Child Runs tab: the runs below this one, as deep as they go, with their metrics and arguments."""

from runs.pages.tab import Part, Tab
from runs.pages.tabs.children.answers import figure
from runs.pages.tabs.children.family import context, table_context, table_version

tab = Tab(
    title="Child Runs",
    template="runs/tabs/children.html",
    context=context,
    parts={"table": Part("runs/tabs/children_table.html", table_context, table_version)},
    data={"figure": figure},
    scripts=("js/charts.js",),
)
