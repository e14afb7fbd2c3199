"""The JSON schema of specs as they stand in YAML, for editors that complete keys and show what they mean."""

from __future__ import annotations

from typing import Any

from archbuilder.spec.network import Network
from archbuilder.spec.training import Training


def json_schema() -> dict[str, Any]:
    """JSON schema, draft 2020-12; a spec that extends another need not say again what that says."""
    schema: dict[str, Any] = _plain(Network.model_json_schema())
    schema["properties"]["extends"] = {"type": "string", "description": "A bundled spec, or a file beside this one."}
    schema["if"] = {"not": {"required": ["extends"]}}
    schema["then"] = {"required": schema["required"]}
    schema["required"] = ["archbuilder"]
    for part in ("Training", *Training.model_json_schema()["$defs"]):
        schema["$defs"][part] = _plain(schema["$defs"][part], requires=False)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return schema


def _plain(schema: Any, requires: bool = True) -> Any:
    """Unions as plain `anyOf`: what tells their members apart, the key they stand under, is part of each member.

    `requires` is false for parts that merge with those of a spec that is extended, key by key.
    """
    if isinstance(schema, list):
        return [_plain(item, requires) for item in schema]
    if not isinstance(schema, dict):
        return schema
    dropped = {"discriminator"} if requires else {"discriminator", "required"}
    kept = {key: _plain(value, requires) for key, value in schema.items() if key not in dropped}
    if "oneOf" in kept:
        kept["anyOf"] = kept.pop("oneOf")
    return kept
