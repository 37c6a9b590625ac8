"""The results as text and as a plot."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.measure import Sample

Results = Mapping[str, Mapping[str, Sequence[Sample]]]
"""Load -> contestant -> one sample a round."""

BUDGET = {
    "tail": ("entry and its side of a hop", 120 + 30),
    "head": ("decide, reserve, and its sides of two hops", 60 + 60),
    "model-proxy": ("provider call, usage, journal, and its side of a hop", 150 + 30),
    "control": ("auth, limits, ledger, secrets", 100),
}
BUDGET_OF_OBSERVATION = 60
"""Metrics, logs and sampled traces are spent within the stages, so they are added to the sum only."""
STAGE_OF = dict.fromkeys(("auth-service", "rate-limiter", "billing", "secrets-service"), "control") | {
    "tail": "tail",
    "head": "head",
    "model-proxy": "model-proxy",
}


def median(samples: Sequence[Sample], of: Callable[[Sample], float]) -> float:
    return statistics.median(of(sample) for sample in samples)


def table(results: Results) -> str:
    """One table a load; the ratio is of requests per second to each peer, taken round by round."""
    lines = []
    for load, contestants in results.items():
        lines += [f"## {load}", ""]
        lines += ["| | req/s | CPU µs/req | p50 ms | p99 ms | RSS MB | errors |", "|---|---:|---:|---:|---:|---:|---:|"]
        for name, samples in contestants.items():
            lines.append(
                f"| {name} | {median(samples, lambda s: s.requests_per_second):,.0f} "
                f"| {median(samples, lambda s: s.cpu):,.0f} | {median(samples, lambda s: s.p50):.1f} "
                f"| {median(samples, lambda s: s.p99):.1f} | {median(samples, lambda s: s.rss):,.0f} "
                f"| {sum(sample.errors for sample in samples)} |"
            )
        lines.append("")
    return "\n".join(lines)


def ratios(results: Results) -> str:
    """Ours against each peer: requests per second (higher is better) and CPU per request (lower is better)."""
    ours, peers = ("standalone", "three hops, mTLS"), ("LiteLLM", "Portkey", "nginx")
    lines = ["## Ratios, the median over rounds of ours / peer", ""]
    lines += ["| load | ours | " + " | ".join(f"{peer}: req/s, CPU" for peer in peers) + " |", "|---|---|---|---|---|"]
    for load, contestants in results.items():
        for own in (name for name in ours if name in contestants):
            cells = []
            for peer in peers:
                if peer not in contestants:
                    cells.append("-")
                    continue
                pairs = list(zip(contestants[own], contestants[peer], strict=True))
                speed = statistics.median(a.requests_per_second / (b.requests_per_second or 1) for a, b in pairs)
                cpu = statistics.median(a.cpu / (b.cpu or 1) for a, b in pairs)
                cells.append(f"{speed:.2f}x, {cpu:.2f}x")
            lines.append(f"| {load} | {own} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def stores(results: Results, pairs: Sequence[tuple[str, str]]) -> str:
    """What PostgreSQL and Redis cost: ``pairs`` are the names with the embedded stores and with those."""
    lines = ["## PostgreSQL and Redis in the path, against the embedded stores, the median over rounds", ""]
    lines += ["| load | ours | req/s | CPU | p50 added ms | p99 added ms |", "|---|---|---:|---:|---:|---:|"]
    for load, contestants in results.items():
        for embedded, served in pairs:
            if embedded not in contestants or served not in contestants:
                continue
            rounds = list(zip(contestants[embedded], contestants[served], strict=True))
            lines.append(
                f"| {load} | {embedded} "
                f"| {statistics.median(b.requests_per_second / (a.requests_per_second or 1) for a, b in rounds):.2f}x "
                f"| {statistics.median(b.cpu / (a.cpu or 1) for a, b in rounds):.2f}x "
                f"| {statistics.median(b.p50 - a.p50 for a, b in rounds):+.1f} "
                f"| {statistics.median(b.p99 - a.p99 for a, b in rounds):+.1f} |"
            )
    return "\n".join([*lines, ""])


def stages(samples: Sequence[Sample]) -> str:
    """CPU per stage of the three-hop path against the budget, buffered, 64 connections."""
    spent: dict[str, list[float]] = {}
    for sample in samples:
        sums: dict[str, float] = {}
        for process, cpu in sample.cpu_by_process.items():
            if process in STAGE_OF:
                sums[STAGE_OF[process]] = sums.get(STAGE_OF[process], 0.0) + cpu
        for stage, cpu in sums.items():
            spent.setdefault(stage, []).append(cpu)
    lines = ["## CPU per stage against the budget (three hops, buffered, c=64)", ""]
    lines += ["| stage | what | CPU µs/req | budget |", "|---|---|---:|---:|"]
    for stage, (what, budget) in BUDGET.items():
        lines.append(f"| {stage} | {what} | {statistics.median(spent.get(stage, [0.0])):.0f} | {budget} |")
    total = sum(statistics.median(values) for values in spent.values())
    whole = sum(budget for _, budget in BUDGET.values()) + BUDGET_OF_OBSERVATION
    lines.append(f"| sum | with metrics, logs and sampled traces | {total:.0f} | {whole} |")
    return "\n".join([*lines, ""])


def plot(results: Results, path: Path) -> None:
    """Requests per second and CPU per request, a bar for each contestant, a group for each load."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    loads = list(results)
    names = list(dict.fromkeys(name for contestants in results.values() for name in contestants))
    colours = dict(
        zip(names, ("#2f6fde", "#1d3f80", "#7fb0ff", "#4a78b8", "#d9734e", "#5a9b6b", "#9a9a9a"), strict=False)
    )
    figure, axes = plt.subplots(1, 2, figsize=(13, 5.2), constrained_layout=True)
    panels: list[tuple[str, Callable[[Sample], float]]] = [
        ("requests per second (log)", lambda sample: sample.requests_per_second),
        ("CPU µs per request, all processes (log)", lambda sample: sample.cpu),
    ]
    for axis, (title, of) in zip(axes, panels, strict=True):
        width = 0.8 / len(names)
        for index, name in enumerate(names):
            heights = [median(results[load][name], of) if name in results[load] else 0 for load in loads]
            axis.bar(
                [place + index * width for place in range(len(loads))], heights, width, label=name, color=colours[name]
            )
        axis.set_yscale("log")
        axis.set_title(title, loc="left", fontsize=11)
        axis.set_xticks([place + 0.4 - width / 2 for place in range(len(loads))], loads, fontsize=9)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", alpha=0.25)
        axis.set_axisbelow(True)
    axes[0].legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)
