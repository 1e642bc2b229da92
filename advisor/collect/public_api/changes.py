"""Find the incompatible changes between the public APIs of two releases.

griffe compares them. What it reports and code does not notice is left out: other annotations, other values of
constants, and other places of the fields of a dataclass, which callers give by name. Other default values
are not reported either: the call still works. So does one that a decorator of deprecation still takes, until
the release without the decorator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from advisor.collect.public_api.decorators import accepts_name, accepts_places, list_old_names
from advisor.collect.public_api.names import Api, is_deprecated
from advisor.errors import Unsound

if TYPE_CHECKING:
    import griffe

_MAX_TEXT = 200
_CALLED_METHODS = {"__init__", "__new__", "__call__", "__init_subclass__"}
"""Special methods whose arguments have names in the code of a user."""


class Change(NamedTuple):
    """An incompatible change of a public object.

    Attributes:
        name: import path of the class, function or constant.
        member: the method or attribute of the class; None: the object itself.
        kind: one of `KINDS`, or ``removed``.
        detail: the parameter, with its position if it has one, such as ``x@2``; else the kinds or the bases.
        is_alias: whether the object has a better name.
        was_deprecated: whether the release before said that it will change.
    """

    name: str
    member: str | None
    kind: str
    detail: str | None
    is_alias: bool
    was_deprecated: bool


KINDS = {
    "OBJECT_REMOVED": "removed",
    "OBJECT_CHANGED_KIND": "other kind",
    "CLASS_REMOVED_BASE": "base class removed",
    "PARAMETER_REMOVED": "parameter removed",
    "PARAMETER_MOVED": "parameter moved",
    "PARAMETER_CHANGED_KIND": "parameter by place only",  # or by name only
    "PARAMETER_CHANGED_REQUIRED": "parameter required",
    "PARAMETER_ADDED_REQUIRED": "parameter required",
}


def find_changes(old: Api, new: Api, changed_modules: Iterable[str]) -> list[Change]:
    """Return the incompatible changes, in the order of names.

    Args:
        old: the API of a release.
        new: the API of the next one.
        changed_modules: import paths of the modules whose files differ. Only they are compared, and the
            modules with classes that inherit from theirs.

    Raises:
        Unsound: griffe cannot compare the releases.
    """
    changes = {
        (path, "", "removed", ""): Change(path, None, "removed", None, name.is_alias, name.is_deprecated)
        for path, name in old.names.items()
        if path not in new.names
    }
    try:
        modules = set(changed_modules)
        for change in (*_compare_objects(old, new, modules), *_find_ended_decorators(old, new, modules)):
            if change.member is not None or change.name not in new.names or change.kind != "removed":
                key = (change.name, change.member or "", change.kind, change.detail or "")
                changes.setdefault(key, change)
    except Exception as error:  # noqa: BLE001 - the code of a stranger can lead griffe into any error
        raise Unsound(f"griffe cannot compare the releases: {type(error).__name__}: {error}"[:300]) from None
    return [changes[key] for key in sorted(changes)]


def _compare_objects(old: Api, new: Api, changed_modules: set[str]) -> Iterator[Change]:
    moves: dict[tuple[str, str | None], Change] = {}
    for breakage in _find_breakages(old, new, changed_modules):
        kind = _find_kind(breakage)
        place = _find_place(old, breakage.obj)
        if kind is None or place is None or _is_harmless(old, breakage) or _is_elsewhere(new, breakage):
            continue
        name, member = place
        before = _find_object(old, breakage)
        parameter = _find_parameter(breakage)
        if _is_never_named(breakage, kind, parameter) or _still_works(breakage, kind, parameter):
            continue
        was_deprecated = old.names[name].is_deprecated or (
            before is not None
            and (is_deprecated(before, parameter or before.name) or _was_announced(before, kind, parameter))
        )
        change = Change(
            name, member, kind, _describe(breakage, before, parameter),
            old.names[name].is_alias, was_deprecated,
        )  # fmt: skip
        if kind == "parameter moved":
            moves.setdefault((name, member), change)  # one parameter more moves all after it
        else:
            yield change
    yield from moves.values()


def _is_never_named(breakage: griffe.Breakage, kind: str, parameter: str | None) -> bool:
    """Return whether nobody gives the parameter by name: ``self``, or of an operator, which Python calls."""
    name = breakage.obj.name
    is_operator = name.startswith("__") and name.endswith("__") and name not in _CALLED_METHODS
    is_signature = kind.startswith("parameter") and kind != "parameter required"
    return is_signature and (parameter in {"self", "cls"} or is_operator)


def _still_works(breakage: griffe.Breakage, kind: str, parameter: str | None) -> bool:
    """Return whether a decorator of the new function takes the old call, with a warning."""
    if kind in {"parameter removed", "parameter by place only"}:
        return parameter is not None and accepts_name(breakage.obj, parameter)
    return kind == "parameter by name only" and accepts_places(breakage.obj)


def _was_announced(before: griffe.Object | griffe.Alias, kind: str, parameter: str | None) -> bool:
    """Return whether a decorator of the old function says that a parameter will change."""
    if kind == "parameter by name only" and accepts_places(before):
        return True
    return parameter is not None and accepts_name(before, parameter)


def _find_ended_decorators(old: Api, new: Api, changed_modules: set[str]) -> Iterator[Change]:
    """Yield what only decorators of deprecation took in the old release, and nothing takes in the new one."""
    for path in sorted(changed_modules & old.modules.keys() & new.modules.keys()):
        for before in _list_functions(old.modules[path]):
            if not (list_old_names(before) or accepts_places(before)):
                continue
            after, place = _find_path_in(new, before.path), _find_place(old, before)
            if after is None or place is None or not after.is_function or place[0] not in new.names:
                continue
            endings = [("parameter removed", p) for p in _list_ended_names(before, after)]
            endings += [("parameter by name only", p) for p in _list_ended_places(before, after)]
            is_alias = old.names[place[0]].is_alias
            for kind, parameter in endings:
                yield Change(*place, kind, parameter[:_MAX_TEXT], is_alias, was_deprecated=True)


def _list_functions(item: griffe.Module | griffe.Class) -> Iterator[griffe.Object | griffe.Alias]:
    """Yield the functions of a module and the methods of its classes."""
    for member in item.members.values():
        if member.is_alias:
            continue
        if member.is_class:
            yield from _list_functions(member)  # type: ignore[arg-type] # griffe says no more of a member
        elif member.is_function:
            yield member


def _list_ended_names(
    before: griffe.Object | griffe.Alias, after: griffe.Object | griffe.Alias
) -> Iterator[str]:
    parameters = list(getattr(after, "parameters", ()))
    if any(p.kind.name == "var_keyword" for p in parameters):
        return
    names = {p.name for p in parameters}
    for name in list_old_names(before):
        if name not in names and not accepts_name(after, name):
            yield name


def _list_ended_places(
    before: griffe.Object | griffe.Alias, after: griffe.Object | griffe.Alias
) -> Iterator[str]:
    if accepts_places(before) and not accepts_places(after):
        names, new_names = (
            [p.name for p in getattr(item, "parameters", ()) if p.kind.name == "keyword_only"]
            for item in (before, after)
        )
        yield from (name for name in names if name in new_names)


def _find_breakages(old: Api, new: Api, changed_modules: set[str]) -> Iterator[griffe.Breakage]:
    import griffe

    for path in sorted(_add_heirs(new, _add_heirs(old, changed_modules))):
        old_module, new_module = old.modules.get(path), new.modules.get(path)
        if old_module is not None and new_module is not None:
            _hide_same_aliases(old, new, old_module)
            yield from griffe.find_breaking_changes(old_module, new_module)


def _hide_same_aliases(old: Api, new: Api, module: griffe.Module) -> None:
    """Let griffe leave out what a module only publishes: the object is compared once, where it is defined."""
    for member in module.members.values():
        if member.is_alias:
            before, after = old.names.get(member.path), new.names.get(member.path)
            member.public = before is not None and (after is None or before.place != after.place)


def _add_heirs(api: Api, modules: set[str]) -> set[str]:
    """Add the modules with classes that inherit from private ones in these modules, over any number of steps.

    What a public class loses is reported at that class; a field of a dataclass also at those that inherit it.
    """
    heirs = set(modules)
    while more := {m for m, bases in api.bases.items() if m not in heirs and bases & heirs}:
        heirs |= more
    return heirs


def _is_harmless(old: Api, breakage: griffe.Breakage) -> bool:
    """Return whether no call breaks: fields of a dataclass, `__slots__`, other names of *args, **kwargs."""
    kind, item = breakage.kind.name, breakage.obj
    if item.name == "__slots__":
        return True
    if kind == "CLASS_REMOVED_BASE":
        return _describe(breakage, None, None) is None
    if kind == "PARAMETER_MOVED":
        parent = item.parent
        return item.name == "__init__" and parent is not None and "dataclass" in parent.labels
    if kind == "PARAMETER_REMOVED":
        parameter = breakage.old_value
        return "variadic" in parameter.kind.value and any(
            p.kind is parameter.kind for p in getattr(item, "parameters", ())
        )
    if kind == "PARAMETER_ADDED_REQUIRED":  # another name for a parameter is reported once, as a removal
        before = _find_object(old, breakage)
        return before is not None and _count_mandatory(before) >= _count_mandatory(item)
    return False


def _is_elsewhere(new: Api, breakage: griffe.Breakage) -> bool:
    """Return whether only an heir lost what the class that defines it still has."""
    item = breakage.obj
    return (
        breakage.kind.name == "OBJECT_REMOVED"
        and item.is_alias
        and item.inherited
        and _find_path_in(new, item.canonical_path) is not None
    )


def _count_mandatory(item: griffe.Object | griffe.Alias) -> int:
    return sum(p.required for p in getattr(item, "parameters", ()) if "variadic" not in p.kind.value)


def _find_place(old: Api, item: griffe.Object | griffe.Alias) -> tuple[str, str | None] | None:
    """Return the public name around an object, and the rest of its path; None if it has no public name."""
    parts = _find_path(item).split(".")
    for end in range(len(parts), 1, -1):
        place = ".".join(parts[:end])
        path, rest = old.paths.get(place) or old.heirs.get(place), parts[end:]
        if path is not None and old.names[path].kind != "module":
            if any(p.startswith("_") and not p.startswith("__") for p in rest):
                return None
            return path, ".".join(rest) or None
    return None


def _find_path(item: griffe.Object | griffe.Alias) -> str:
    """Return where an object is: what a class inherits is reported once, at the class that defines it."""
    return item.path if item.is_alias and not item.inherited else item.canonical_path


def _find_object(old: Api, breakage: griffe.Breakage) -> griffe.Object | griffe.Alias | None:
    return _find_path_in(old, _find_path(breakage.obj))


def _find_path_in(api: Api, path: str) -> griffe.Object | griffe.Alias | None:
    """Return the object at a path; None if there is none."""
    import griffe

    try:
        item: griffe.Object | griffe.Alias = api.tree[path.partition(".")[2]]
    except (KeyError, ValueError, griffe.GriffeError):
        return None
    return item


def _find_kind(breakage: griffe.Breakage) -> str | None:
    if breakage.kind.name == "PARAMETER_CHANGED_KIND" and "keyword" in breakage.new_value.kind.value:
        return "parameter by name only"
    return KINDS.get(breakage.kind.name)


def _find_parameter(breakage: griffe.Breakage) -> str | None:
    if not breakage.kind.name.startswith("PARAMETER_"):
        return None
    return str((breakage.old_value or breakage.new_value).name)[:_MAX_TEXT]


def _describe(
    breakage: griffe.Breakage, before: griffe.Object | griffe.Alias | None, parameter: str | None
) -> str | None:
    if parameter is not None:
        function = breakage.obj if breakage.kind.name == "PARAMETER_ADDED_REQUIRED" else before
        places = [p for p in getattr(function, "parameters", ()) if p.kind.value.startswith("positional")]
        names = [p.name for p in places if p.name not in {"self", "cls"}]
        return f"{parameter}@{names.index(parameter)}" if parameter in names else parameter
    if breakage.kind.name == "OBJECT_CHANGED_KIND":
        return f"{breakage.old_value.value} became {breakage.new_value.value}"
    if breakage.kind.name == "CLASS_REMOVED_BASE":
        rest = {"object", *map(str, breakage.new_value)}
        return ", ".join(str(b) for b in breakage.old_value if str(b) not in rest)[:_MAX_TEXT] or None
    return None
