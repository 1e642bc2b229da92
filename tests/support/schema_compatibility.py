"""Whether a program that reads reports of an old JSON schema can read those of a new one."""

from __future__ import annotations


def find_breaks(old, new, old_root=None, new_root=None, place="", seen=()):
    """Yield what a reader of the old schema would miss or misread in a report of the new one."""
    old_root, new_root = old_root or old, new_root or new
    if "$ref" in old and "$ref" in new:
        if (old["$ref"], new["$ref"]) in seen:
            return
        seen = (*seen, (old["$ref"], new["$ref"]))
    old, new = resolve(old, old_root), resolve(new, new_root)
    for kind in new.get("anyOf", [new]):
        breaks = [
            list(find_breaks_of_one(choice, resolve(kind, new_root), old_root, new_root, place, seen))
            for choice in (resolve(c, old_root) for c in old.get("anyOf", [old]))
        ]
        yield from min(breaks, key=len)


def find_breaks_of_one(old, new, old_root, new_root, place, seen):
    if "type" in old and old["type"] != new.get("type", type_of(new)):
        is_whole = (old["type"], new.get("type")) == ("number", "integer")
        if not is_whole:
            yield f"{place}: type {new.get('type')} in place of {old['type']}"
            return
    for key in ("const", "format"):
        if key in old and old[key] != new.get(key):
            yield f"{place}: {key} {new.get(key)} in place of {old[key]}"
    if "enum" in old and not set(new.get("enum", [new.get("const")])) <= set(old["enum"]):
        yield f"{place}: other values than {old['enum']}"
    for key in set(old.get("required", ())) - set(new.get("required", ())):
        yield f"{place}.{key}: may be missing"
    for key, child in old.get("properties", {}).items():
        if key not in new.get("properties", {}):
            yield f"{place}.{key}: is gone"
        else:
            yield from find_breaks(child, new["properties"][key], old_root, new_root, f"{place}.{key}", seen)
    for key in ("items", "additionalProperties"):
        if isinstance(old.get(key), dict):
            yield from find_breaks(old[key], new.get(key, {}), old_root, new_root, f"{place}[]", seen)


def type_of(schema):
    return {str: "string", int: "integer"}.get(type(schema.get("const")))


def resolve(schema, root):
    """Follow a reference."""
    return root["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
