"""A picture of the page on which a reviewer decides: the summary of a real run, and GitHub's button beside it."""

from __future__ import annotations

from string import Template

import markdown

WIDTH, LINE = 920, 28  # pixels
PAGE = Template("""\
<svg xmlns="http://www.w3.org/2000/svg" width="$width" height="$height" viewBox="0 0 $width $height">
<foreignObject width="100%" height="100%">
<div xmlns="http://www.w3.org/1999/xhtml">
<style>
main { font: 14px/1.5 system-ui, sans-serif; color: #1f2328; background: #fff; border: 1px solid #d1d9e0;
  border-radius: 6px; padding: 4px 20px 12px; margin: 1px; }
header { display: flex; justify-content: space-between; align-items: center; background: #fff8c5; margin: 0 -20px;
  padding: 10px 20px; border-bottom: 1px solid #d1d9e0; }
button { font: 600 13px system-ui, sans-serif; color: #fff; background: #1f883d; border: 0; border-radius: 6px;
  padding: 6px 14px; }
table { border-collapse: collapse; } td, th { border: 1px solid #d1d9e0; padding: 3px 12px; text-align: left; }
code { background: #eff1f3; border-radius: 4px; padding: 1px 5px; font-size: 12px; } a { color: #0969da; }
</style>
<main>
<header><span><b>$job</b> is waiting for a review</span><button>Review deployments</button></header>
$body
</main>
</div>
</foreignObject>
</svg>
""")


def picture(summary: str, job: str) -> str:
    """As SVG, which GitHub shows: `summary` is Markdown, `job` waits for the approval."""
    body = markdown.markdown(summary, extensions=["tables"], output_format="xhtml")
    rows = body.count("<tr>") + 2 * body.count("<p>")
    return PAGE.substitute(width=WIDTH, height=LINE * (rows + 2), job=job, body=body)
