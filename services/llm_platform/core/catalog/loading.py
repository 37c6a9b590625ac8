"""The catalogue out of its file, valid as a whole."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from llm_platform.core.catalog.contradictions import contradictions
from llm_platform.core.catalog.model import Catalog
from llm_platform.core.catalog.source import CatalogError, Problem, Source

DEFAULT_PATH = Path(__file__).parents[4] / "deploy" / "catalog.yml"


def load(path: Path | str | None = None) -> Catalog:
    """The catalogue at ``path`` (default: the checkout's). Raises ``CatalogError`` with all that is wrong."""
    file = Path(path or DEFAULT_PATH)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise CatalogError([Problem(str(file), error.strerror or str(error))]) from error
    return parse(text, str(file))


def parse(text: str, name: str = "catalog.yml") -> Catalog:
    """The catalogue written in ``text``; ``name`` stands in the places of problems."""
    try:
        source = Source(name, yaml.compose(text, Loader=yaml.SafeLoader))
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CatalogError([Problem(f"{name}:{line}", error.problem or "not YAML")]) from error
    if source.repeated:
        raise CatalogError(source.problem(place, "stands here twice") for place in source.repeated)
    try:
        catalog = Catalog.model_validate(content, context=source)
    except ValidationError as error:
        raise CatalogError(
            source.problem(tuple(each["loc"]), each["msg"].removeprefix("Value error, ")) for each in error.errors()
        ) from error
    problems = [source.problem(place, reason) for place, reason in contradictions(catalog)]
    if problems:
        raise CatalogError(problems)
    return catalog
