"""Templates: a page of its style, its script and what is put into them, all of it escaped."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from eval.page.plots import COLOURS
from eval.page.svg import DARK, LIGHT
from eval.page.tables import main_text, sort_key, span_text

if TYPE_CHECKING:
    from jinja2 import Environment


def render_page(
    name: str, context: Mapping[str, Any], *, browser: str = "", style: str = ""
) -> str:
    """A page of its template, style and script; it runs no script but this one.

    Args:
        browser: the part of the script that the template leaves open.
        style: added to the template's own.
    """
    env = environment()
    script = env.get_template(f"{name}.js").render(browser=Markup(browser))  # noqa: S704 - ours
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    css = env.get_template(f"{name}.css").render()
    own = {
        "style": Markup("\n".join(filter(None, (css, style.rstrip())))),  # noqa: S704 - ours
        "script": Markup(script),  # noqa: S704 - our own file
        "script_hash": f"sha256-{digest}",
    }
    return env.get_template(f"{name}.html.j2").render({**context, **own}).rstrip() + "\n"


@cache
def environment() -> Environment:
    """The templates; everything that is put into them is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    env = Environment(
        loader=PackageLoader("eval.page", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals |= {"light": LIGHT, "dark": DARK, "colours": range(1, COLOURS + 1)}
    env.filters |= {
        "main_text": main_text,
        "span_text": span_text,
        "sort_key": sort_key,
        "breakable": lambda text: escape(text).replace("|", Markup("|<wbr>")),
    }
    return env


def script_json(value: Any) -> Markup:
    """JSON in which no ``<``, ``>`` or ``&`` can end or change the element around it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped just above
