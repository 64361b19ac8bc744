"""The picture: CPU seconds per million records, on a logarithmic scale, as SVG."""

import math
from html import escape

COLOURS = {"floor": "#9aa5b1", "sluicebox": "#0b7285", "collector": "#e67700", "rotel": "#862e9c"}
WIDTH, LEFT, ROW, GAP = 860, 210, 16, 12


def plot(result: dict) -> str:
    rows = result["rows"]
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault((row["case"], row["records"]), []).append(row)
    values = [row["cpu_s_per_million"]["median"] for row in rows] or [1]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)

    def x(value: float) -> float:
        return LEFT + (math.log10(value) - low) / (high - low) * (WIDTH - LEFT - 70)

    height = 60 + sum(len(group) * ROW + GAP for group in groups.values())
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        '<text x="10" y="20" font-size="15">CPU seconds per million records (logarithmic; less is better)</text>',
    ]
    for power in range(low, high + 1):
        at = x(10**power)
        out.append(f'<line x1="{at:.1f}" y1="32" x2="{at:.1f}" y2="{height - 22}" stroke="#dee2e6"/>')
        out.append(f'<text x="{at:.1f}" y="{height - 6}" text-anchor="middle" fill="#495057">{10**power:g}</text>')
    y = 40
    for (case, records), group in groups.items():
        middle = y + len(group) * ROW / 2 + 4
        out.append(f'<text x="{LEFT - 8}" y="{middle:.0f}" text-anchor="end">{escape(case)}, {records}</text>')
        for row in group:
            spread = row["cpu_s_per_million"]
            end, colour = x(spread["median"]), COLOURS.get(row["side"], "#495057")
            out.append(
                f'<rect x="{LEFT}" y="{y}" width="{max(end - LEFT, 1):.1f}" height="{ROW - 3}" fill="{colour}">'
                f"<title>{row['side']}: {spread['min']:.2f}–{spread['max']:.2f}</title></rect>"
            )
            out.append(f'<text x="{end + 4:.1f}" y="{y + 11}">{row["side"]} {spread["median"]:.2f}</text>')
            y += ROW
        y += GAP
    return "\n".join([*out, "</svg>"]) + "\n"
