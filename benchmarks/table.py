"""The table as Markdown: figures, ratios against the peer, and whether the aim is met."""

from __future__ import annotations

from benchmarks.rows import ROWS, Options, Row
from benchmarks.servers import Mlflow


def number(value: float | None) -> str:
    """Three significant digits, thousands separated."""
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def times_better(row: Row, ours: float | None, peers: float | None) -> float | None:
    """How many times better ours is; None where either is missing."""
    if not ours or not peers:
        return None
    return ours / peers if row.more_is_better else peers / ours


def verdict(row: Row, ours: float | None, ratio: float | None) -> str:
    """The aim and whether it is met."""
    if row.most is not None:
        sign = "≥" if row.more_is_better else "≤"
        aim = f"{sign} {number(row.most)} {row.unit}"
        met = None if ours is None else (ours >= row.most if row.more_is_better else ours <= row.most)
    elif row.aim is not None:
        aim = f"≥ {row.aim:g}x"
        met = None if ratio is None else ratio >= row.aim
    else:
        return ""
    return aim if met is None else f"{aim}: {'met' if met else 'MISSED'}"


def render(results: dict[str, dict[str, float]], options: Options, notes: list[str], about: str) -> str:
    """Markdown; the ratio is Atelier on PostgreSQL (SQLite where that was not run) against MLflow on PostgreSQL."""
    peer = next((results[name] for name in ("mlflow-postgres", "mlflow-sqlite") if results.get(name)), {})
    ours = next((results[name] for name in ("atelier-postgres", "atelier-sqlite") if results.get(name)), {})
    lines = [about, ""]
    if Mlflow.python.exists() and peer:
        versions = sorted(Mlflow.python.parent.parent.glob("lib/python*/site-packages/mlflow-*.dist-info"))
        lines += [
            f"Peer: {versions[0].name.removesuffix('.dist-info').replace('-', ' ') if versions else 'mlflow'}.",
            "",
        ]
    lines += [*notes, ""] if notes else []
    names = list(results)
    lines.append("| work | unit | " + " | ".join(names) + " | times better | aim |")
    lines.append("|---|---|" + "---:|" * (len(names) + 1) + "---|")
    for row in ROWS:
        if not any(row.key in found for found in results.values()):
            continue
        title = row.title.format(
            small=options.small, large=options.large, points=options.points, tenth=options.points // 10
        )
        mine, theirs = ours.get(row.key), peer.get(row.key)
        ratio = times_better(row, mine, theirs)
        cells = [number(results[name].get(row.key)) for name in names]
        shown = f"{number(ratio)}x" if ratio else ""
        lines.append(f"| {title} | {row.unit} | " + " | ".join(cells) + f" | {shown} | {verdict(row, mine, ratio)} |")
    return "\n".join(lines) + "\n"
