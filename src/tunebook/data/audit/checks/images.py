"""Sizes, modes and file formats of the images. Broken files stop a run before the audit, so there are none here."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from tunebook.data.audit.check_result import Bars, CheckResult, Histogram, Table, histogram
from tunebook.data.audit.context import AuditContext
from tunebook.data.audit.thumbnails import Thumbnails

MOST = 8
ELONGATED = 3.0


def check(context: AuditContext) -> CheckResult | str:
    """How images differ before the processor brings them to one size."""
    if context.image_role is None:
        return "there are no images"
    images = {split: context.images(split) for split in context.splits}
    sizes = np.concatenate([one.sizes for one in images.values()])
    modes = Counter(mode for one in images.values() for mode in one.modes)
    formats = Counter(kind for one in images.values() for kind in one.formats)
    low, middle, high = sizes.min(axis=0), np.median(sizes, axis=0).astype(int), sizes.max(axis=0)
    if (low == high).all():
        words = f"all {low[0]} x {low[1]} pixels"
    else:
        words = f"{low[0]} x {low[1]} to {high[0]} x {high[1]} pixels, median {middle[0]} x {middle[1]}"
    words += f"; mode {_listed(modes)}" + (f"; {_listed(formats)}" if len(formats) > 1 else "")
    sampled = {split: len(one.at) for split, one in images.items() if len(one.at) < len(context.splits[split])}
    words += f"; {', '.join(f'{count:,} of {split}' for split, count in sampled.items())} looked at" if sampled else ""
    long = int((sizes.max(axis=1) > ELONGATED * sizes.min(axis=1)).sum())
    words += f"; {long:,} are more than {ELONGATED:g} times as long as wide" if long else ""
    flat = {split: int((np.ptp(one.pixels, axis=(1, 2, 3)) == 0).sum()) for split, one in images.items()}
    words += f"; {sum(flat.values()):,} of one colour only" if any(flat.values()) else ""
    return CheckResult(
        words=words,
        level="note" if len(modes) > 1 or long or any(flat.values()) else "fine",
        numbers={
            "broken": 0,
            "sampled": {split: len(one.at) for split, one in images.items()},
            "width": _spread(sizes[:, 0]),
            "height": _spread(sizes[:, 1]),
            "modes": dict(modes),
            "formats": dict(formats),
            "elongated": long,
            "one_colour": flat,
        },
        tables=[_table(images)],
        plots=_plots(images, sizes),
    )


def _listed(counts: Counter[str]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())


def _spread(values: np.ndarray) -> dict[str, Any]:
    return {"least": int(values.min()), "median": float(np.median(values)), "most": int(values.max())}


def _table(images: dict[str, Thumbnails]) -> Table:
    rows: list[list[str | int | float]] = []
    for split, one in images.items():
        kinds = Counter(zip(map(tuple, one.sizes.tolist()), one.modes, one.formats, strict=True))
        for (size, mode, kind), count in kinds.most_common(MOST):
            rows.append([split, f"{size[0]} x {size[1]}", mode, kind, count])
    title = f"The most frequent kinds, at most {MOST} a split"
    return Table(title, ["split", "pixels", "mode", "format", "images"], rows)


def _plots(images: dict[str, Thumbnails], sizes: np.ndarray) -> list[Bars | Histogram]:
    shades = np.linspace(0, 1, 26)
    brightness = {split: one.pixels.mean(axis=(1, 2, 3)) for split, one in images.items()}
    plots: list[Bars | Histogram] = [histogram("Mean brightness", shades, brightness, "from black (0) to white (1)")]
    if (sizes.min(axis=0) != sizes.max(axis=0)).any():
        sides = {split: np.sqrt(one.sizes.prod(axis=1)) for split, one in images.items()}
        every = np.concatenate(list(sides.values()))
        edges = np.linspace(every.min(), every.max() + 1, 31)
        plots.insert(0, histogram("Size", edges, sides, "pixels a side (root of width x height)"))
    return plots
