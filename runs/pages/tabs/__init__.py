"""The tabs in the order in which they stand. A new one: copy a folder, edit it, add its line here."""

from runs.pages.tab import Tab
from runs.pages.tabs.children import tab as children
from runs.pages.tabs.details import tab as details
from runs.pages.tabs.explanations import tab as explanations
from runs.pages.tabs.fairness import tab as fairness
from runs.pages.tabs.images import tab as images
from runs.pages.tabs.metrics import tab as metrics
from runs.pages.tabs.outputs import tab as outputs
from runs.pages.tabs.snapshot import tab as snapshot

TABS: dict[str, Tab] = {
    "details": details,
    "metrics": metrics,
    "images": images,
    "children": children,
    "outputs": outputs,
    "snapshot": snapshot,
    "explanations": explanations,
    "fairness": fairness,
}
