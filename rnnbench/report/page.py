"""A report's content as one HTML file that asks nothing of the network and runs nothing foreign."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rnnbench.findings.frozen import EDGE
from rnnbench.findings.wording import percent
from rnnbench.plots import Figure
from rnnbench.plots.palette import look
from rnnbench.report.content import Content
from rnnbench.report.forest import forest, glyph

SCHEMA = 1
"""Version of the page's data block."""


def page(content: Content) -> str:
    """Render report.html."""
    templates = files("rnnbench.report") / "templates"
    style = (templates / "style.css").read_text(encoding="utf-8")
    script = (templates / "script.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=PackageLoader("rnnbench.report"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html.j2").render(
        content=content,
        summary=content.summary,
        manifest=content.manifest,
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704  shipped with the package
        script=Markup(script),  # noqa: S704  shipped with the package
        data=_data_block(content),
        images={
            id_: _data_uri(figure)
            for id_, figure in content.figures.items()
            if isinstance(figure, Figure)
        },
        edge_share=percent(EDGE),
        forest_wide=forest(content.summary, narrow=False),
        forest_narrow=forest(content.summary, narrow=True),
        icons={row.architecture: _icon(row.index) for row in content.summary.rows},
    )


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data_uri(figure: Figure) -> str:
    encoded = base64.b64encode(figure.svg_path.read_bytes()).decode()
    return f"data:image/svg+xml;base64,{encoded}"


def _icon(index: int) -> Markup:
    return Markup('<svg class="icon" viewBox="0 0 14 14" aria-hidden="true">{}</svg>').format(
        glyph(look(index), 7, 7, 4)
    )


def _data_block(content: Content) -> Markup:
    """Hold the numbers behind the page, so that its tables can be computed again."""
    runs = content.results.runs
    columns = ["architecture", "setting", "replicate", "seed_index", "status", "score", "key"]
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "suite": content.summary.suite,
        "run_id": content.manifest["run_id"],
        "kind": content.summary.kind,
        "verdict": content.summary.verdict,
        "runs": [] if runs.empty else [_plain(row) for row in runs[columns].to_dict("records")],
        "comparisons": [_plain(dict(vars(row))) for row in content.summary.comparisons],
    }
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # The one sequence of characters that could end the block.
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    return {
        str(name): None if pd.isna(value) or value in (math.inf, -math.inf) else value
        for name, value in row.items()
    }
