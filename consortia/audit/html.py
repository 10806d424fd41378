"""A page as one HTML file: no script, no font, no picture, nothing fetched from anywhere; made to be printed too."""

from html import escape

from consortia.audit.page import Page, Section
from consortia.visible import visible

_STYLE = """\
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; margin-bottom: .3rem; }
.verdict { font-weight: 600; color: #0b5d2b; border: 1px solid #0b5d2b; padding: .5rem .8rem; }
h2 { font-size: 1.05rem; margin: 1.6rem 0 .3rem; border-bottom: 1px solid #ccd2d8; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 500; color: #4a5560; width: 14rem; }
th, td { vertical-align: top; padding: .15rem .8rem .15rem 0; overflow-wrap: anywhere; }
td div { white-space: pre-wrap; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } h2, tr { break-inside: avoid; } }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page_html(page: Page) -> str:
    """The page as HTML 5; every text is escaped, and what does not show, as what turns a line around, written out."""
    sections = "".join(_section(section) for section in page.sections)
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_shown(page.title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{_shown(page.title)}</h1>\n<p class="verdict">{_shown(page.verdict)}</p>\n'
        f"{sections}</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    rows = "".join(
        f'<tr><th scope="row">{_shown(label)}</th><td>{_lines(texts)}</td></tr>\n' for label, texts in section.facts
    )
    return f"<section>\n<h2>{_shown(section.title)}</h2>\n<table>\n{rows}</table>\n</section>\n"


def _lines(texts: tuple[str, ...]) -> str:
    return "".join(f"<div>{_shown(text)}</div>" for text in texts)


def _shown(text: str) -> str:
    return escape(visible(text))
