"""placeholder"""

from runs.pages.tab import Tab

tab = Tab(title="Metrics", template="runs/tabs/metrics.html", context=lambda request, run: {})
