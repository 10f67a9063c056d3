"""A gauge for a cosine: the usual similarities of an index as curves, and a needle where the score is."""

import numpy as np

from bioft.demo.calibration import Calibration, Cosines
from bioft.storage.pages import html

WIDTH, HEIGHT, BASE, TOP, MARGIN = 480, 150, 118, 22, 20
BINS = 60


def to_html(score: float, calibration: Calibration) -> str:
    """Return the gauge as a legend and SVG; it needs nothing from elsewhere and takes the colours of the page."""
    kinds = [("Random pairs", calibration.random, "currentColor", 0.28)]
    kinds += [("Pairs that share a specific MeSH heading", calibration.related, "var(--color-accent)", 0.5)]
    kinds = [kind for kind in kinds if len(kind[1])]
    low = min(0.0, score, *(float(cosines[0]) for _, cosines, _, _ in kinds))

    def x(cosine: float) -> float:
        return MARGIN + (WIDTH - 2 * MARGIN) * (cosine - low) / (1 - low)

    return html(
        __package__,
        "gauge.html.j2",
        curves=[
            {"name": name, "outline": _outline(cosines, low), "colour": colour, "opacity": opacity}
            for name, cosines, colour, opacity in kinds
        ],
        ticks=[(tick, f"{x(tick):.1f}") for tick in np.arange(np.ceil(low * 4) / 4, 1.01, 0.25)],
        at=f"{x(min(score, 1.0)):.1f}",
        score=score,
        low=low,
        width=WIDTH,
        height=HEIGHT,
        base=BASE,
        top=TOP,
        margin=MARGIN,
    )


def _outline(cosines: Cosines, low: float) -> str:
    """Return the outline of a histogram whose highest bar fills the gauge."""
    counts, _ = np.histogram(cosines, BINS, (low, 1))
    step = (WIDTH - 2 * MARGIN) / BINS
    tops = BASE - (BASE - TOP) * counts / max(counts.max(), 1)
    points = [f"L{MARGIN + step * i:.1f},{y:.1f}L{MARGIN + step * (i + 1):.1f},{y:.1f}" for i, y in enumerate(tops)]
    return f"M{MARGIN},{BASE}{''.join(points)}L{WIDTH - MARGIN},{BASE}Z"
