"""Models of this site as files of other libraries: a horizontal one at one party, a vertical one
from all its parts where this site holds them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fateflow.domain import dsl as dsls
from fateflow.domain.conf import party_text
from fateflow.errors import ArgumentError, NotThere
from fateflow.scheduler import model_files
from fateflow.site import Site
from fateflow.store import models
from fateflow.store.orm import ModelRow


def convert(
    site: Site,
    model_id: str,
    version: str,
    party: tuple[str, str],
    *,
    framework: str | None = None,
    component: str | None = None,
) -> list[dict[str, Any]]:
    """Convert what can be converted of a party's model, or one component of it.

    party: role and party id. The files lie beside the model and travel in its archive; the list
    says component_name, model_alias, module, converted_model_path, a path on this machine, and
    applied_before, what else rows go through before the model.
    Raises NotThere (102), ArgumentError (101) saying what could be converted to what.
    """
    row = _held(site, party[0], party[1], model_id, version)
    if row is None:
        raise NotThere(f"no model {model_id} version {version} of {party[0]} {party[1]} here")
    at = model_files.folder(site.settings, row.role, row.party_id, model_id, version)
    listed = [
        (name, alias, str(path))
        for name, alias, path in model_files.models(at)
        if component in (None, name)
    ]
    if component is not None and not listed:
        raise NotThere(_no_component(at, component, f"{row.role} {row.party_id}"))
    done = site.launcher.call(
        "convert_model",
        models=listed,
        framework=framework,
        folder=str(at / model_files.CONVERTED),
    )
    if "error" in done:
        raise ArgumentError(done["error"])
    with site.database.write() as session:
        kept = models.one(session, row.role, row.party_id, model_id, version)
        if kept is not None:
            kept.size = model_files.size_bytes(at)
    return [
        {**entry, "applied_before": applied_before(row, entry["component_name"])}
        for entry in done["converted"]
    ]


def merge(
    site: Site,
    model_id: str,
    version: str,
    parties: tuple[str, Any],
    component: str,
    kind: tuple[str, str],
    **options: Any,
) -> tuple[str, list[str]]:
    """A vertical model's component as one text, from the parts of guest and all hosts; and what
    rows go through before the model.

    parties: the guest's id and a list of the hosts'. kind: model_type and output_format. options:
    target_name, host_rename, include_guest_coef. No other site is asked: a part that is not here
    must have been handed over by its party. Raises NotThere (102), ArgumentError (101).
    """
    guest, hosts = _party(parties[0]), _parties(parties[1])
    files = {
        (role, party): _part(site, role, party, model_id, version, component)
        for role, party in (("guest", guest), *(("host", host) for host in hosts))
    }
    row = _held(site, "guest", guest, model_id, version)
    assert row is not None  # its part was found
    named = sorted(str(host) for host in row.roles.get("host", ()))
    if named != sorted(hosts):
        raise ArgumentError(
            f"host_party_ids: the model was trained with the hosts {', '.join(named) or '(none)'}: "
            "name them all"
        )
    done = site.launcher.call(
        "merge_model",
        guest=str(files["guest", guest]),
        hosts={host: str(files["host", host]) for host in hosts},
        model_type=kind[0],
        output_format=kind[1],
        options=options,
    )
    if "error" in done:
        raise ArgumentError(f"{component}: {done['error']}")
    return done["text"], applied_before(row, component)


def applied_before(row: ModelRow, component: str) -> list[str]:
    """Fitted components through which rows reach this one: a converted model expects what comes
    out of them."""
    dag = dsls.parse(row.train_dsl)
    upstream = dag.upstream(component)
    return [
        f"{name} ({node.module})"
        for name, node in dag.components.items()
        if name in upstream and node.model_outputs
    ]


def _part(site: Site, role: str, party: str, model_id: str, version: str, component: str) -> Path:
    """The file of a party's part of a component."""
    row = _held(site, role, party, model_id, version)
    if row is None:
        raise NotThere(
            f"the part of {role} {party} of model {model_id} version {version} is not here, and "
            "nobody is asked for it. A party agrees to a merge by handing its part over: it runs "
            "`flow model export`, and the archives of all parties are taken in with `flow model "
            "import` at one standalone site (`distaff up` without --party), where they are merged"
        )
    at = model_files.folder(site.settings, role, party, model_id, version)
    found = [path for name, _, path in model_files.models(at) if name == component]
    if not found:
        raise NotThere(_no_component(at, component, f"{role} {party}"))
    return found[0]


def _held(site: Site, role: str, party_id: str, model_id: str, version: str) -> ModelRow | None:
    with site.database.read() as session:
        return models.one(session, role, _party(party_id), model_id, version)


def _no_component(at: Path, component: str, whose: str) -> str:
    held = sorted({name for name, _, _ in model_files.models(at)})
    return f"{whose} has no fitted component {component!r}, only {', '.join(held) or 'none'}"


def _party(given: Any) -> str:
    try:
        return party_text(given)
    except (ValueError, TypeError) as error:
        raise ArgumentError(str(error)) from None


def _parties(given: Any) -> list[str]:
    """Hosts as a list, or as a text with commas; none of a model that its guest trained alone."""
    listed = given.split(",") if isinstance(given, str) else given
    if not isinstance(listed, list):
        raise ArgumentError("host_party_ids must be a list of party ids")
    texts = [one.strip() if isinstance(one, str) else one for one in listed]
    found = [_party(one) for one in texts if one != ""]
    if len(set(found)) < len(found):
        raise ArgumentError("host_party_ids names a host twice")
    return found
