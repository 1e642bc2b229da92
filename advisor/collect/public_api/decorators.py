"""Read what decorators of deprecation say about the parameters of a function.

``@deprecate_kwarg("size", new_name="length")`` takes ``size`` by name although the function has no such
parameter, and ``@deprecate_positional_args`` takes by place what the function takes only by name. Such a call
gives a warning, so it does not break yet; it breaks in the release without the decorator.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import griffe

_DEPRECATION = re.compile(r"deprecat|renam|legacy", re.IGNORECASE)
_OF_PARAMETERS = re.compile(r"param|arg|kwarg|keyword|renam", re.IGNORECASE)
_OF_PLACES = re.compile(r"positional_(?:arg|param)|non_?keyword|by_position|keyword_only", re.IGNORECASE)
_OF_ONE = re.compile(
    r"deprecated?_(?P<name>\w+?)(?:_(?:parameter|param|argument|arg|kwarg|keyword))?", re.IGNORECASE
)
_OLD = re.compile(r"old\w*|(?:arg|kwarg|param|parameter|argument)(?:s|_names?)?|names?", re.IGNORECASE)


def accepts_name(function: griffe.Object | griffe.Alias, parameter: str) -> bool:
    """Return whether a decorator of a function names a parameter that it still takes."""
    for name, call in _list_decorators(function):
        match = _OF_ONE.fullmatch(name)
        if match and match["name"] == parameter:
            return True
        arguments = [*call.args, *(k.value for k in call.keywords)] if call else []
        if any(parameter in _list_texts(argument) for argument in arguments):
            return True
        if call and any(keyword.arg == parameter for keyword in call.keywords):
            return True
    return False


def accepts_places(function: griffe.Object | griffe.Alias) -> bool:
    """Return whether a decorator of a function takes by place what the function takes only by name."""
    return any(_OF_PLACES.search(name) for name, _ in _list_decorators(function))


def list_old_names(function: griffe.Object | griffe.Alias) -> list[str]:
    """Return the names that only the decorators of a function take, in the order of the decorators.

    These are the first text among the arguments, the texts of a list, the keys of a dictionary, and the
    values of arguments with a name such as ``old_name``.
    """
    own = {p.name for p in getattr(function, "parameters", ())}
    names: dict[str, None] = {}
    for name, call in _list_decorators(function):
        if call is None or not _OF_PARAMETERS.search(name):
            continue
        first = [argument for argument in call.args if any(map(str.isidentifier, _list_texts(argument)))][:1]
        by_name = [keyword.value for keyword in call.keywords if _OLD.fullmatch(keyword.arg or "")]
        texts = [text for argument in (*first, *by_name) for text in _list_texts(argument)]
        names |= dict.fromkeys(text for text in texts if text.isidentifier() and text not in own)
    return list(names)


def _list_decorators(function: griffe.Object | griffe.Alias) -> Iterator[tuple[str, ast.Call | None]]:
    """Yield name and call of each decorator of deprecation; those of a class count for its ``__init__``."""
    import griffe

    try:
        decorators = list(getattr(function, "decorators", ()))
        if function.name == "__init__" and function.parent is not None:
            decorators += getattr(function.parent, "decorators", ())
    except griffe.GriffeError:
        return
    for text in map(str, (decorator.value for decorator in decorators)):
        if not _DEPRECATION.search(text):
            continue
        try:
            node = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        call = node if isinstance(node, ast.Call) else None
        name = ast.unparse(call.func if call else node).rpartition(".")[2]
        if _DEPRECATION.search(name):
            yield name, call


def _list_texts(argument: ast.expr) -> list[str]:
    """Return the texts of an argument: itself, those of a list, or the keys of a dictionary."""
    if isinstance(argument, ast.Dict):
        parts: list[ast.expr | None] = list(argument.keys)
    elif isinstance(argument, ast.List | ast.Tuple | ast.Set):
        parts = list(argument.elts)
    else:
        parts = [argument]
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
