"""The Images tab: what log_image sent, newest first, one after another when a name was logged many times."""

from runs.pages.tab import Tab
from runs.pages.tabs.images.gallery import context

tab = Tab(title="Images", template="runs/tabs/images.html", context=context, scripts=("js/images.js",))
