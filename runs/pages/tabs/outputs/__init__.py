"""placeholder"""

from runs.pages.tab import Tab

tab = Tab(title="Outputs + Logs", template="runs/tabs/outputs.html", context=lambda request, run: {})
