"""The targets as a picture: a bar for what was reached, its quartiles, and marks for floor and goal. Plain SVG."""
import html
import itertools
import textwrap

COLOURS = {"goal": "#2e8b57", "floor": "#4a86c5", "missed": "#dd8433", "not measured": "#bbbbbb"}
LEGEND = [("goal", "goal reached"), ("floor", "floor reached"), ("missed", "below the floor")]
END = ' text-anchor="end"'
WIDTH, BAR_LEFT, BAR_WIDTH, REACHED, FLOOR, GOAL = 960, 150, 470, 640, 860, 920
ROW, HEAD, LEGEND_Y, TOP, BAR = 22, 40, 96, 110, 12


def figure(q):
    """The median, with quartiles where there is more than one value; three digits or none after the point."""
    if not q:
        return ""
    text = lambda v: f"{v:.1f}" if v >= 10 else f"{v:.2f}"
    return text(q["median"]) + (f" ({text(q['low'])} - {text(q['high'])})" if q["low"] != q["high"] else "")


def text(x, y, words, extra=""):
    return f'<text x="{x}" y="{y}"{extra}>{html.escape(words)}</text>'


def mark(x, y, dashed):
    dash = ' stroke-dasharray="3 2"' if dashed else ""
    return f'<path d="M{x:.1f} {y - 9}v18" stroke="#222" stroke-width="2"{dash}/>'


def bar(row, y, scale):
    """One row: y is the middle of its bar."""
    parts = [text(BAR_LEFT - 10, y + 4, f"{row['model']} {row['size']}", END)]
    reached = row["reached"]
    if reached:
        at = {name: BAR_LEFT + reached[name] * scale for name in ("low", "median", "high")}
        parts += [f'<rect x="{BAR_LEFT}" y="{y - BAR // 2}" width="{at["median"] - BAR_LEFT:.1f}" height="{BAR}" '
                  f'fill="{COLOURS[row["verdict"]]}"/>',
                  f'<path d="M{at["low"]:.1f} {y}H{at["high"]:.1f}" stroke="#222" stroke-opacity="0.55"/>']
    parts.append(text(REACHED, y + 4, (figure(reached) or "not measured") + (" °" if row["earlier"] else ""),
                      ' font-weight="bold"' if reached else ' fill="#888"'))
    for name, x in (("floor", FLOOR), ("goal", GOAL)):
        if row[name] is not None:
            parts.append(mark(BAR_LEFT + row[name] * scale, y, name == "goal"))
            parts.append(text(x, y + 4, f"{row[name]:g}", END))
    return parts


def draw(rows, about):
    """All rows, under a heading for each kind of work, which has a scale of its own."""
    parts, y = [], TOP
    for work, group in itertools.groupby(rows, key=lambda r: r["work"]):
        group = list(group)
        values = [r[name] for r in group for name in ("floor", "goal") if r[name] is not None]
        values += [r["reached"]["high"] for r in group if r["reached"]]
        less = " (less is better)" if group[0]["least"] else ""
        parts.append(text(20, y + 24, work + less, ' font-weight="bold" font-size="14"'))
        y += HEAD
        parts.append(f'<path d="M{BAR_LEFT} {y - 4}V{y + ROW * len(group)}" stroke="#999"/>')
        for row in group:
            parts += bar(row, y + ROW // 2 - 2, BAR_WIDTH / max(values))
            y += ROW
    head = [text(20, 28, "Weft beside PyTorch: what was reached", ' font-weight="bold" font-size="18"'),
            *(text(20, 48 + 14 * i, line, ' fill="#555" font-size="11"')
              for i, line in enumerate(textwrap.wrap(about, 130)))]
    x = 20
    for verdict, words in LEGEND:
        head += [f'<rect x="{x}" y="{LEGEND_Y - 6}" width="14" height="12" fill="{COLOURS[verdict]}"/>',
                 text(x + 20, LEGEND_Y + 5, words)]
        x += 136
    for words, dashed in (("floor", False), ("goal", True)):
        head += [mark(x, LEGEND_Y, dashed), text(x + 10, LEGEND_Y + 5, words)]
        x += 66
    head += [text(REACHED, LEGEND_Y + 5, "reached (quartiles)"), text(FLOOR, LEGEND_Y + 5, "floor", END),
             text(GOAL, LEGEND_Y + 5, "goal", END)]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 20}" font-family="sans-serif" '
            f'font-size="13" fill="#222"><rect width="100%" height="100%" fill="#fdfdfb"/>\n'
            + "\n".join(head + parts) + "\n</svg>\n")
