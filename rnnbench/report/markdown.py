"""A report's content as Markdown, for pull requests and terminals."""

from __future__ import annotations

import re

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rnnbench.findings.wording import estimate
from rnnbench.report.content import Content

_CODE = re.compile(r"(`[^`]+`)")
"""What Markdown shows as it is, but for a bar, which ends a table's cell."""

_SPECIAL = re.compile(r"[\\`*|]|^#|\](?=[(\[:])|&(?=#?\w+;)|<")
"""What could be read as Markdown or HTML outside it."""

_ENTITIES = {"&": "&amp;", "<": "&lt;"}


def escape(text: object) -> str:
    """Keep a user's text from being read as Markdown or HTML; `Markup` passes as it is."""
    if isinstance(text, Markup):
        return str(text)
    pieces = _CODE.split(" ".join(str(text).split()))
    pieces[::2] = [_SPECIAL.sub(_inert, piece) for piece in pieces[::2]]
    pieces[1::2] = [piece.replace("|", "\\|") for piece in pieces[1::2]]
    return "".join(pieces)


def _inert(found: re.Match[str]) -> str:
    return _ENTITIES.get(found[0], f"\\{found[0]}")


def code(text: str) -> Markup:
    """Fence text that must stand as it is, whatever backticks it holds."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markup(f"{fence}text\n{text}\n{fence}")  # noqa: S704  a fence makes it inert


def markdown(content: Content) -> str:
    """Render report.md."""
    environment = Environment(  # noqa: S701  Markdown has its own escaping: finalize
        loader=PackageLoader("rnnbench.report"),
        undefined=StrictUndefined,
        finalize=escape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["code"] = code
    environment.filters["estimate"] = estimate
    return environment.get_template("report.md.j2").render(
        content=content, summary=content.summary, manifest=content.manifest
    )
