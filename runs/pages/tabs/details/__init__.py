"""The Details tab: what the run is, how far it is, what it was given, what it left."""

from runs.pages.tab import Part, Tab
from runs.pages.tabs.details.answers import definition, whole
from runs.pages.tabs.details.facts import context, status_context, status_version

tab = Tab(
    title="Details",
    template="runs/tabs/details.html",
    context=context,
    parts={"status": Part("runs/tabs/details_status.html", status_context, status_version)},
    data={"json": whole, "definition": definition},
)
