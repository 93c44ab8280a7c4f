"""What the HTTP doors take and give, as OpenAPI, and a page that shows it without any network."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from serving.codes import Code

_OBJECT = {"type": "object"}
_FAULT = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "retcode": {"type": "integer"}},
    "required": ["error"],
}


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    codes = ", ".join(f"{code.value} {code.name.lower().replace('_', ' ')}" for code in Code)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Distaff serving",
            "version": "1",
            "description": f"Return codes: {codes}. A host's code comes behind a 2.",
        },
        "paths": {path: {verb: _operation(path, *told)} for path, verb, *told in _TABLE},
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "/v1/serving: the token in <home>/serving/admin.token. "
                    "Requests: the option key, where it is set.",
                }
            }
        },
    }


def page() -> str:
    """The document as plain HTML."""
    rows = "".join(
        f"<h3><code>{verb.upper()} {html.escape(path)}</code></h3><p>{html.escape(summary)}</p>"
        + (f"<pre>{html.escape(json.dumps(example, indent=1))}</pre>" if example else "")
        for path, verb, summary, example in _TABLE
    )
    about = html.escape(document()["info"]["description"])
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Distaff serving</title>"
        "<style>body{font:15px system-ui;max-width:50rem;margin:2rem auto;padding:0 1rem}"
        "pre{background:#8881;padding:.7rem;overflow:auto}</style>"
        f"<h1>Distaff serving</h1><p>{about}</p>{rows}</html>"
    )


def _operation(path: str, summary: str, example: Any) -> dict[str, Any]:
    is_text = path == "/metrics"
    content = {"text/plain": {"schema": {"type": "string"}}} if is_text else _content(_OBJECT)
    told: dict[str, Any] = {
        "summary": summary,
        "responses": {"200": {"description": "answered", "content": content}},
    }
    if not path.startswith("/federation/"):
        told["responses"]["default"] = {
            "description": "refused, and why",
            "content": _content(_FAULT),
        }
    names = re.findall(r"{(\w+)}", path)
    if names:
        told["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ]
    if path.startswith("/v1/serving/"):
        told["security"] = [{"token": []}]
    if example:
        told["requestBody"] = {"content": _content({**_OBJECT, "example": example})}
    return told


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


_VERSION = {"namespace": "guest#9999#arbiter-10000#guest-9999#host-10000#model", "version": "2026"}
_TABLE: list[tuple[str, str, str, Any]] = [
    (
        "/federation/v1/inference",
        "post",
        "One row. featureData stays at the guest; sendToRemoteFeatureData goes to every host.",
        {
            "head": {"serviceId": "loan", "applyId": "a-1", "caseId": "c-1"},
            "body": {
                "featureData": {"x0": 0.12, "x1": "3"},
                "sendToRemoteFeatureData": {"device_id": "u_8"},
            },
        },
    ),
    (
        "/federation/v1/batchInference",
        "post",
        "Several rows; each has a code of its own.",
        {
            "head": {"serviceId": "loan"},
            "body": {
                "batchDataList": [
                    {
                        "index": 0,
                        "featureData": {"x0": 0.1},
                        "sendToRemoteFeatureData": {"device_id": "1"},
                    }
                ]
            },
        },
    ),
    (
        "/v2/models/{model}/infer",
        "post",
        "The Open Inference Protocol; the model's name is the service id. Errors are statuses.",
        {
            "inputs": [
                {"name": "x0", "shape": [1], "datatype": "FP64", "data": [0.12]},
                {"name": "remote.device_id", "shape": [1], "datatype": "BYTES", "data": ["u_8"]},
            ]
        },
    ),
    ("/v2", "get", "Name and extensions of this server.", None),
    (
        "/v2/models/{model}/versions/{version}/infer",
        "post",
        "The same of one version that the service is bound to; another is 404.",
        {"inputs": [{"name": "x0", "shape": [1], "datatype": "FP64", "data": [0.12]}]},
    ),
    (
        "/v2/models/{model}/versions/{version}",
        "get",
        "Which features a version of a service expects.",
        None,
    ),
    (
        "/v2/models/{model}/versions/{version}/ready",
        "get",
        "Whether the version is bound and every host answers.",
        None,
    ),
    ("/v2/models/{model}", "get", "Which features a service expects.", None),
    ("/v2/models/{model}/ready", "get", "Whether it is bound and every host answers.", None),
    ("/v2/health/live", "get", "Whether the process responds.", None),
    ("/v2/health/ready", "get", "Whether requests are taken, and what is degraded.", None),
    ("/metrics", "get", "Prometheus metrics.", None),
    ("/v1/serving/status", "get", "Models, services, parties, traffic (needs the token).", None),
    (
        "/v1/serving/load",
        "post",
        "Fetch a deployed model from fateflow, or from a file (needs the token).",
        {
            **_VERSION,
            "role": "guest",
            "party_id": "9999",
            "source": {"kind": "fateflow", "path": "http://127.0.0.1:9380/v1/model/transfer"},
            "remotes": [
                {
                    "role": "host",
                    "party_id": "10000",
                    "namespace": "host#10000#arbiter-10000#guest-9999#host-10000#model",
                    "version": "2026",
                }
            ],
        },
    ),
    (
        "/v1/serving/bind",
        "post",
        "Versions of a service by weight, a shadow version, its policy (needs the token).",
        {"service_id": "loan", "versions": [{**_VERSION, "weight": 100}]},
    ),
    (
        "/v1/serving/rollback",
        "post",
        "Back to what was bound before (needs the token).",
        {"service_id": "loan"},
    ),
    ("/v1/serving/unbind", "post", "End a service (needs the token).", {"service_id": "loan"}),
    ("/v1/serving/unload", "post", "Forget a version (needs the token).", _VERSION),
    (
        "/v1/serving/rate",
        "post",
        "Rows a second that a service may take; 0 lifts the limit (needs the token).",
        {"source": "S_loan", "rows_per_second": 100},
    ),
]
