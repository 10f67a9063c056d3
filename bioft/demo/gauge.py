"""A gauge for a cosine: the usual similarities of an index as curves, and a needle where the score is."""

import numpy as np

from bioft.demo.calibration import Calibration, Cosines

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

    legend = "".join(
        f'<div class="about"><span class="swatch" style="background:{colour};opacity:{opacity}"></span>{name}</div>'
        for name, _, colour, opacity in kinds
    )
    curves = "".join(
        f'<path d="{_outline(cosines, low)}" fill="{colour}" fill-opacity="{opacity}"/>'
        for _, cosines, colour, opacity in kinds
    )
    ticks = "".join(
        f'<text x="{x(tick):.1f}" y="{BASE + 22}" text-anchor="middle">{tick:g}</text>'
        f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{BASE}" y2="{BASE + 5}" stroke="currentColor"/>'
        for tick in np.arange(np.ceil(low * 4) / 4, 1.01, 0.25)
    )
    at = x(min(score, 1.0))
    return (
        f'{legend}<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Similarity {score:.3f} on a scale from '
        f'{low:.2f} to 1, above the distribution of the similarities of articles" font-size="15" fill="currentColor">'
        f'{curves}<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{BASE}" y2="{BASE}" stroke="currentColor"/>{ticks}'
        f'<g class="needle"><line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 10}" y2="{BASE}" '
        f'stroke="#dc2626" stroke-width="3"/><circle cx="{at:.1f}" cy="{TOP - 10}" r="7" fill="#dc2626"/></g></svg>'
    )


def _outline(cosines: Cosines, low: float) -> str:
    """Return the outline of a histogram whose highest bar fills the gauge."""
    counts, _ = np.histogram(cosines, BINS, (low, 1))
    step = (WIDTH - 2 * MARGIN) / BINS
    tops = BASE - (BASE - TOP) * counts / max(counts.max(), 1)
    points = [f"L{MARGIN + step * i:.1f},{y:.1f}L{MARGIN + step * (i + 1):.1f},{y:.1f}" for i, y in enumerate(tops)]
    return f"M{MARGIN},{BASE}{''.join(points)}L{WIDTH - MARGIN},{BASE}Z"
