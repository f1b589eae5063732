"""What `/openapi.json` says of the routes that stand beside REST: the tracking API, providers' webhooks, health.

Written out, because those routes read their bodies one item at a time; `tests/e2e/test_api_schema.py` holds them to it.
"""

from __future__ import annotations

from typing import Any

from nurture.engine.segment import KINDS, LONGEST_ID
from nurture.lead.event import LONGEST_NAME
from nurture.web.providers import READERS

Schema = dict[str, Any]


def describe(document: Schema) -> Schema:
    """The document with every operation of the endpoint, its schemas under `components`."""
    document["components"]["schemas"] |= _SCHEMAS
    for kind in KINDS:
        document["components"]["schemas"] |= {kind.title(): _call(kind), f"{kind.title()}Item": _item(kind)}
    document["paths"] |= {f"/v1/{kind}": {"post": _tracking(kind)} for kind in sorted(KINDS)}
    document["paths"] |= {"/v1/batch": {"post": _batch()}, "/hooks/{provider}": {"post": _hook()}} | _HEALTH
    return document


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Schema, description: str) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


_ID: Schema = {"anyOf": [{"type": "string", "maxLength": LONGEST_ID}, {"type": "integer"}, {"type": "null"}]}
_GIVEN: Schema = {"anyOf": [{"type": "string", "minLength": 1, "maxLength": LONGEST_ID}, {"type": "integer"}]}
_TEXT: Schema = {"type": ["string", "null"]}
_OBJECT: Schema = {"type": ["object", "null"]}
_FIELDS: dict[str, Schema] = {
    "messageId": {"type": ["string", "null"], "maxLength": LONGEST_ID, "description": "a replay is stored once"},
    "userId": _ID,
    "anonymousId": _ID,
    "context": _OBJECT,
    "timestamp": {
        "anyOf": [{"type": "string", "format": "date-time", "minLength": 1}, {"type": "null"}],
        "description": "when it happened, since 1970; now where it is left out",
    },
}
_OWN: dict[str, dict[str, Schema]] = {
    "alias": {"previousId": _GIVEN},
    "group": {"groupId": _GIVEN, "traits": _OBJECT},
    "identify": {"traits": _OBJECT},
    "page": {"name": _TEXT, "category": _TEXT, "properties": _OBJECT},
    "screen": {"name": _TEXT, "category": _TEXT, "properties": _OBJECT},
    "track": {
        "event": {
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST_NAME,
            "pattern": r"^[^.]*[^.\s][^.]*$",
            "description": "without a dot: such names are the engine's own",
        },
        "properties": _OBJECT,
    },
}
_NEEDED = {"alias": ["previousId", "userId"], "group": ["groupId"], "track": ["event"]}


def _call(kind: str) -> Schema:
    """One call of the tracking API. Segment's libraries send more than this; what is not read is not looked at."""
    call: Schema = {
        "type": "object",
        "properties": _FIELDS | _OWN[kind],
        "required": _NEEDED.get(kind, []),
    }
    if kind == "alias":
        call["properties"] |= {"userId": _GIVEN}
        return call
    named = [{"required": [name], "properties": {name: _GIVEN}} for name in ("userId", "anonymousId")]
    return {**call, "anyOf": named}


def _item(kind: str) -> Schema:
    """A call in a batch, where it names its kind itself."""
    call = _call(kind)
    typed = {"type": {"const": kind}, **call["properties"]}
    return {**call, "properties": typed, "required": ["type", *call["required"]]}


_SCHEMAS: dict[str, Schema] = {
    "Batch": {
        "type": "object",
        "properties": {
            "batch": {"type": "array", "items": {"anyOf": [_ref(f"{kind.title()}Item") for kind in sorted(KINDS)]}}
        },
        "required": ["batch"],
    },
    "Stored": {
        "type": "object",
        "properties": {
            "success": {"type": "boolean", "description": "false where an item of a batch was refused"},
            "code": {"type": "string"},
            "message": {"type": "string"},
            "stored": {"type": "integer"},
            "errors": {"type": "array", "items": _ref("ItemError")},
            "notes": {"type": "array", "items": _ref("ItemNote")},
        },
        "required": ["success"],
        "additionalProperties": False,
    },
    "ItemError": {
        "type": "object",
        "properties": {
            "index": {"type": "integer"},
            "messageId": _TEXT,
            "error": {"type": "string"},
            "status": {"type": "integer"},
        },
        "required": ["index", "error"],
        "additionalProperties": False,
    },
    "ItemNote": {
        "type": "object",
        "properties": {"index": {"type": "integer"}, "note": {"type": "string"}},
        "required": ["index", "note"],
        "additionalProperties": False,
    },
    "Heard": {
        "type": "object",
        "properties": {"success": {"type": "boolean"}, "message": {"type": "string"}},
        "required": ["success"],
    },
    "Ready": {
        "type": "object",
        "properties": {
            "ready": {"type": "boolean"},
            "checks": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        "required": ["ready", "checks"],
        "additionalProperties": False,
    },
}
_STORING: Schema = {
    "200": _json(_ref("Stored"), "It is on disk; of a batch, whatever `errors` does not name."),
    **{
        code: _json(_ref("Stored"), why)
        for code, why in (
            ("400", "It cannot be read; `message` says why."),
            ("401", "No valid key."),
            ("403", "The key lacks the scope `ingest`."),
            ("409", "The `messageId` was used for another call."),
            ("413", "It is too long."),
            ("503", "Nothing can be stored now; try again after `Retry-After` seconds."),
        )
    },
}
_SECURITY: list[Schema] = [{"HTTPBasic": []}, {"HTTPBearer": []}]


def _tracking(kind: str) -> Schema:
    return {
        "summary": f"Segment's {kind}",
        "operationId": kind,
        "tags": ["tracking"],
        "security": _SECURITY,
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref(kind.title())}}},
        "responses": _STORING,
    }


def _batch() -> Schema:
    content = {"application/json": {"schema": _ref("Batch")}}
    return _tracking("batch") | {"requestBody": {"required": True, "content": content}}


def _hook() -> Schema:
    return {
        "summary": "What a mail provider reports, verified by the provider's own means",
        "operationId": "hook",
        "tags": ["providers"],
        "parameters": [
            {
                "name": "provider",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "enum": sorted(READERS)},
            }
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
        "responses": {
            "200": _json(_ref("Heard"), "It is on disk, or was before."),
            **{
                code: _json(_ref("Heard"), why)
                for code, why in (
                    ("400", "It is the provider's and cannot be read."),
                    ("401", "The password is missing or wrong."),
                    ("403", "It cannot be verified."),
                    ("404", "No such provider is configured."),
                    ("413", "It is too long."),
                    ("503", "Not now; the provider tries again."),
                )
            },
        },
    }


def _asked(summary: str, responses: Schema) -> Schema:
    return {"get": {"summary": summary, "tags": ["health"], "responses": responses}}


_HEALTH: dict[str, Schema] = {
    "/healthz": _asked(
        "Alive",
        {"200": _json({"type": "object", "properties": {"alive": {"const": True}}, "required": ["alive"]}, "Yes.")},
    ),
    "/readyz": _asked(
        "Can do its work",
        {"200": _json(_ref("Ready"), "Yes."), "503": _json(_ref("Ready"), "`checks` says what is wrong.")},
    ),
    "/metrics": _asked(
        "Figures for Prometheus",
        {"200": {"description": "Text exposition format.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
    ),
}
