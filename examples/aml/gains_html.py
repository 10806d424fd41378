"""The report as one HTML file: plots are SVG within it, nothing is loaded from anywhere."""

from collections.abc import Mapping, Sequence
from html import escape

from examples.aml.gains_page import Report, markdown_page
from examples.aml.markdown import shown
from examples.aml.recall import together

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1d2733; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { padding: .25rem .7rem; border-bottom: 1px solid #d5dbe1; }
td + td, th + th { text-align: right; } svg { width: 100%; height: auto; } text { font: 12px system-ui, sans-serif; }
"""
COLOURS = {"best bank alone": "#b9c2cc", "all banks alone": "#6f8296", "consortium": "#0b6e4f"}
BAR, GAP, LEFT, WIDTH = 13, 14, 150, 760


def html_page(report: Report) -> str:
    """The Markdown page as HTML, with the plots after its head."""
    recalls = {
        name: {
            "best bank alone": gain.best_single,
            "all banks alone": together(list(gain.alone.values())).recall,
            "consortium": together(list(gain.joint.values())).recall,
        }
        for name, gain in report.gains.items()
    }
    seconds = {name: {"consortium": timing.seconds} for name, timing in report.timings.items()}
    plots = (
        f"<h2>Recall by typology</h2>{bars(recalls, 1.0)}"
        f"<h2>Seconds on shares</h2>{bars(seconds, max(each['consortium'] for each in seconds.values()))}"
    )
    body = _blocks(markdown_page(report))
    body.insert(3, plots)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>What joining gains</title>'
        f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def bars(rows: Mapping[str, Mapping[str, float | None]], largest: float) -> str:
    """Horizontal bars, a group for each row, up to ``largest``."""
    drawn, y = [], 24
    series = list(next(iter(rows.values())))
    for place, name in enumerate(series if len(series) > 1 else []):
        drawn.append(f'<rect x="{LEFT + 170 * place}" y="4" width="12" height="12" fill="{COLOURS[name]}"/>')
        drawn.append(f'<text x="{LEFT + 170 * place + 18}" y="14">{escape(name)}</text>')
    for name, values in rows.items():
        middle = y + BAR * len(values) / 2 + 4
        drawn.append(f'<text x="{LEFT - 8}" y="{middle:.0f}" text-anchor="end">{escape(name)}</text>')
        for label, value in values.items():
            width = (value or 0) / (largest or 1) * (WIDTH - LEFT - 60)
            drawn.append(
                f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" fill="{COLOURS[label]}"/>'
                f'<text x="{LEFT + width + 5:.1f}" y="{y + 10}">{shown(value)}</text>'
            )
            y += BAR
        y += GAP
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img">{"".join(drawn)}</svg>'


def _blocks(markdown: str) -> list[str]:
    """Headings, paragraphs and tables of the page, which has nothing else."""
    made: list[str] = []
    for block in markdown.split("\n\n"):
        lines = block.strip().splitlines()
        if not lines:
            continue
        if lines[0].startswith("#"):
            level = len(lines[0]) - len(lines[0].lstrip("#"))
            made.append(f"<h{level}>{_text(lines[0].lstrip('# '))}</h{level}>")
        elif lines[0].startswith("|"):
            made.append(_table(lines))
        else:
            made.append(f"<p>{_text(' '.join(lines))}</p>")
    return made


def _table(lines: Sequence[str]) -> str:
    rows = [[_text(cell.strip()) for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]
    head = "".join(f"<th>{cell}</th>" for cell in rows[0])
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows[1:])
    return f"<table><tr>{head}</tr>{body}</table>"


def _text(text: str) -> str:
    """Escaped, code in backticks as code, links as their words: the file stands alone."""
    parts = escape(text).split("`")
    marked = "".join(part if place % 2 == 0 else f"<code>{part}</code>" for place, part in enumerate(parts))
    while "](" in marked:
        before, _, rest = marked.partition("](")
        start = before.rindex("[")
        marked = before[:start] + before[start + 1 :] + rest.partition(")")[2]
    return marked
