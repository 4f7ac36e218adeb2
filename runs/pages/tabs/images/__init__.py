"""placeholder"""

from runs.pages.tab import Tab

tab = Tab(title="Images", template="runs/tabs/images.html", context=lambda request, run: {})
