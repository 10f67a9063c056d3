"""Web pages and pieces of them, filled from templates: everything is escaped, and nothing is fetched from anywhere."""

from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def html(package: str, template: str, **values: Any) -> Markup:
    """Fill a template in the folder `templates` of a package; what is filled in is escaped, but for `Markup`.

    Every template can extend `page.html.j2` (a page with the style sheet `style.css.j2` inside) and import from
    `table.html.j2`, which are of this package. A value that the template names and does not get is an error.
    """
    return Markup(_environment(package).get_template(template).render(**values))


@cache
def _environment(package: str) -> Environment:
    return Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("bioft.storage")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
