"""The Snapshot tab: the folder as it was submitted, and what differs from another run's."""

from runs.pages.tab import Tab
from runs.pages.tabs.snapshot.answers import file, packed
from runs.pages.tabs.snapshot.source import context

tab = Tab(title="Snapshot", template="runs/tabs/snapshot.html", context=context, data={"file": file, "zip": packed})
