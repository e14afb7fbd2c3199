"""HTML from the templates beside this module, in which every text that is put in means nothing but itself."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from archbuilder.formatting import printable

PERCENTS = "".join(f".w{share} {{ --share: {share}% }}\n" for share in range(1, 101))
"""Classes for lengths: the policy of a page refuses `style=`."""


def document(**content: object) -> str:
    """A whole page: its policy lets nothing act but the script and the style that stand in it, by their sums."""
    style, script = f"{_file('page.css')}{PERCENTS}", _file("page.js")
    policy = {
        "default-src": "'none'", "style-src": _sum(style), "script-src": _sum(script), "img-src": "data:",
        "base-uri": "'none'", "form-action": "'none'",
    }  # fmt: skip
    return rendered(
        "page.html",
        policy="; ".join(f"{name} {value}" for name, value in policy.items()),
        style=Markup(style),  # noqa: S704 - a file of this package
        script=Markup(script),  # noqa: S704 - a file of this package
        **content,
    )


def rendered(template: str, **content: object) -> str:
    return _environment().get_template(template).render(content)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("archbuilder.page"), autoescape=True, undefined=StrictUndefined, finalize=_shown,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def _shown(value: object) -> object:
    """A value as it is put in: of a text, what is no letter or sign, or turns the line around, becomes `?`."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return "\n".join(map(printable, value.split("\n")))
    return "" if value is None else value


def _file(name: str) -> str:
    return (files("archbuilder.page") / name).read_text("utf-8")


def _sum(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
