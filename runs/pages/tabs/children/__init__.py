"""placeholder"""

from runs.pages.tab import Tab

tab = Tab(title="Child Runs", template="runs/tabs/children.html", context=lambda request, run: {})
