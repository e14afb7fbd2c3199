"""The JSON schema of specs as they stand in YAML, for editors that complete keys and show what they mean."""

from __future__ import annotations

from typing import Any

from archbuilder.spec.network import Network


def json_schema() -> dict[str, Any]:
    """JSON schema, draft 2020-12; a spec that extends another need not say again what that says."""
    schema = _without_discriminators(Network.model_json_schema())
    schema["properties"]["extends"] = {"type": "string", "description": "A bundled spec, or a file beside this one."}
    schema["if"] = {"not": {"required": ["extends"]}}
    schema["then"] = {"required": schema["required"]}
    schema["required"] = ["archbuilder"]
    for part in ("Training", "Data"):  # these merge with what is extended, key by key
        schema["$defs"][part].pop("required", None)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return schema


def _without_discriminators(schema: Any) -> Any:
    """Unions as plain `anyOf`: what tells their members apart, the key they stand under, is part of each member."""
    if isinstance(schema, list):
        return [_without_discriminators(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _without_discriminators(value) for key, value in schema.items() if key != "discriminator"}
    if "oneOf" in kept:
        kept["anyOf"] = kept.pop("oneOf")
    return kept
