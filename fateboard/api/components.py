"""``JK/components/{c}``: one component."""

from __future__ import annotations

from flask import Blueprint, Response

from fateboard import asked, components, downloads, guard, report, views
from fateboard.board import answer, board, words
from fateboard.shapes import JobKey

blueprint = Blueprint(
    "components",
    __name__,
    url_prefix="/api/v1/jobs/<name:job>/<name:role>/<name:party>/components/<name:component>",
)


@blueprint.get("/parameters")
def parameters(job: str, role: str, party: str, component: str) -> Response:
    return answer(components.parameters(board().flow, _key(job, role, party), component))


@blueprint.get("/view")
def view(job: str, role: str, party: str, component: str) -> Response:
    key = _key(job, role, party)
    return answer(components.view(board().flow, key, component, asked.view_path()))


@blueprint.get("/tree/<int:index>")
def tree(job: str, role: str, party: str, component: str, index: int) -> Response:
    context = components.context(board().flow, _key(job, role, party), component)
    return answer(views.tree(context, index))


@blueprint.get("/data")
def data(job: str, role: str, party: str, component: str) -> Response:
    table = asked.number("table", 0, 0, 1_000)
    limit = asked.number("limit", components.PREVIEW_ROWS, 1, components.PREVIEW_ROWS)
    key = _key(job, role, party)
    return answer(components.preview(board().flow, key, component, table, limit))


@blueprint.get("/data.tar.gz")
def data_file(job: str, role: str, party: str, component: str) -> Response:
    key = _key(job, role, party)
    components.task_row(board().flow, key, component)
    name = f"{job}_{component}_{role}_{party}_data.tar.gz"
    body = components.asked(key, component)
    path = "tracking/component/output/data/download"
    guard.record("downloaded", f"{job}/{role}/{party} {component} data")
    return downloads.passed_through(board().flow, path, body, name)


@blueprint.get("/model.json")
def model(job: str, role: str, party: str, component: str) -> Response:
    key = _key(job, role, party)
    components.task_row(board().flow, key, component)
    reply = board().flow.reply("tracking/component/output/model", components.asked(key, component))
    content = downloads.as_json({"data": reply.data, "meta": reply.meta})
    guard.record("downloaded", f"{job}/{role}/{party} {component} model")
    return downloads.attached(content, f"{job}_{component}_{role}_{party}_model.json")


@blueprint.get("/report.zip")
def report_file(job: str, role: str, party: str, component: str) -> Response:
    path = report.every_option()
    shown = components.view(board().flow, _key(job, role, party), component, path)
    content = report.archive(
        shown.blocks,
        path,
        asked.words("names"),
        lambda text: words(text.code, text.args),
        asked.pairs("rename"),
    )
    guard.record("downloaded", f"{job}/{role}/{party} {component} report")
    return downloads.attached(content, f"{job}_{component}.zip", "application/zip")


def _key(job: str, role: str, party: str) -> JobKey:
    return JobKey(job_id=job, role=role, party_id=party)
