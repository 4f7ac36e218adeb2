"""The Outputs + Logs tab: a tree of files, logs that follow, previews that run nothing."""

from runs.pages.tab import Part, Tab
from runs.pages.tabs.outputs.answers import raw, zipped
from runs.pages.tabs.outputs.logs import tail_context, tail_version
from runs.pages.tabs.outputs.reading import context

tab = Tab(
    title="Outputs + Logs",
    template="runs/tabs/outputs.html",
    context=context,
    parts={"tail": Part("runs/tabs/outputs_tail.html", tail_context, tail_version)},
    data={"raw": raw, "zip": zipped},
    scripts=("js/logs.js",),
)
