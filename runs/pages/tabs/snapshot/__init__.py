"""placeholder"""

from runs.pages.tab import Tab

tab = Tab(title="Snapshot", template="runs/tabs/snapshot.html", context=lambda request, run: {})
