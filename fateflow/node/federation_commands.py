"""``distaff cert``, ``routes``, ``audit``: who we are, where the others are, what left."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click
import msgspec

from federation import audit as audit_log
from federation import audit_report as audit_reports
from federation import certificate, route
from federation.errors import FederationError

home_option = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".distaff"),
    show_default=True,
    envvar="DISTAFF_HOME",
    help="Folder of all files of the site.",
)
output_option = click.option(
    "--output", type=click.Choice(["table", "json"]), default="table", show_default=True
)


class Fault(click.ClickException):
    """One line, exit status 1."""


class FederationGroup(click.Group):
    """A group whose commands say a federation error in one line instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # whoever reads, `head` for one, has enough: click ends quietly
            raise
        except (FederationError, OSError) as error:
            raise Fault(str(error)) from error


@click.group(cls=FederationGroup)
def cert() -> None:
    """Certificates: a small authority for the federation, one certificate a party."""


@cert.command("init")
@home_option
@click.option("--name", default="Distaff federation", show_default=True, help="Of the authority.")
def cert_init(home: Path, name: str) -> None:
    """Make the certificate authority (once per federation, at whoever runs it)."""
    path = certificate.init_ca(home / "certs", name)
    click.echo(f"authority made: {path}; ca.key beside it must never leave this machine")


@cert.command("issue")
@click.argument("party")
@home_option
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where ca.pem, party.pem and party.key go; by default <home>/certs.",
)
@click.option("--csr", type=click.File("rb"), help="Sign this request; the key stays at the party.")
@click.option("--days", default=certificate.PARTY_DAYS, show_default=True)
def cert_issue(party: str, home: Path, out: Path | None, csr: Any, days: int) -> None:
    """Issue the certificate of PARTY, with a new key or for its request."""
    folder = out or home / "certs"
    if csr is not None:
        pem = certificate.sign(home / "certs", csr.read(), days)
        if (named := certificate.party_of(pem)) != party:
            raise Fault(f"the request is of party {named}, not of {party}: nothing was issued")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{party}.pem").write_bytes(pem)
        click.echo(f"issued: {folder / f'{party}.pem'}; the party puts it down as certs/party.pem")
        return
    path = certificate.issue(home / "certs", party, folder, days)
    click.echo(f"issued: {path} (with party.key and ca.pem), for <home>/certs of party {party}")


@cert.command("request")
@click.argument("party")
@home_option
def cert_request(party: str, home: Path) -> None:
    """Make the key of PARTY here, and a request to be signed by the authority."""
    path = certificate.request(party, home / "certs")
    click.echo(f"made: {path}; have it signed with: distaff cert issue {party} --csr {path.name}")


@cert.command("show")
@home_option
@output_option
def cert_show(home: Path, output: str) -> None:
    """Show this site's certificate and the authority it believes."""
    found = {
        name: certificate.show(home / "certs" / name)
        for name in ("ca.pem", "party.pem")
        if (home / "certs" / name).exists()
    }
    if not found:
        raise Fault(f"no certificates in {home / 'certs'}: distaff cert init, distaff cert issue")
    if output == "json":
        _print_json({name: msgspec.to_builtins(shown) for name, shown in found.items()})
        return
    for name, shown in found.items():
        click.echo(home / "certs" / name)
        for field, value in msgspec.structs.asdict(shown).items():
            click.echo(f"  {field:<11}{value}")


@click.group(cls=FederationGroup)
def routes() -> None:
    """Routes: where the gateways of other parties are (FATE's route_table.json)."""


@routes.command("show")
@home_option
@output_option
def routes_show(home: Path, output: str) -> None:
    """Show the route table, and whether it is valid."""
    table = route.load(home / route.FILE)
    if output == "json":
        _print_json(msgspec.to_builtins(table))
        return
    _print_table(
        ("party", "role", "endpoint", "secure", "pin"),
        [
            (party, role, str(end), "yes" if end.is_secure else "no", end.pin[:16])
            for party, roles in table.parties.items()
            for role, ends in roles.items()
            for end in ends
        ],
    )
    if not table.default_allow:
        click.echo("permission.default_allow is false: only listed parties are dialled")


@routes.command("test")
@click.argument("party")
@home_option
@output_option
def routes_test(party: str, home: Path, output: str) -> None:
    """Dial every endpoint of PARTY; exit status 1 if none serves."""
    from federation.transport.dial import try_route

    tried = asyncio.run(try_route(home, party))
    if output == "json":
        _print_json(msgspec.to_builtins(tried))
    else:
        _print_table(
            ("endpoint", "result", "ms", "certificate of", "valid until"),
            [(t.endpoint, t.problem or "ok", t.ms, t.party, t.not_after) for t in tried],
        )
    if all(t.problem for t in tried):
        raise Fault(f"party {party} cannot be reached")


@click.group(cls=FederationGroup)
def audit() -> None:
    """The audit log: what left this site, message by message."""


@audit.command("report")
@click.option("--job", "-j", required=True, help="Job id.")
@home_option
@output_option
def audit_report(job: str, home: Path, output: str) -> None:
    """What left and entered for a job: message, peer, count, bytes, kind, what it reveals."""
    lines = audit_reports.report(home, job).lines
    if not lines and not audit_log.audit_folder(home).is_dir():
        raise Fault(f"no audit log in {home}: is it the --home of a site?")
    if output == "json":
        _print_json(msgspec.to_builtins(lines))
        return
    _print_table(
        (
            "component",
            "message",
            "direction",
            "from",
            "to",
            "count",
            "bytes",
            "kind",
            "reveals",
            "",
        ),
        [
            (
                line.component,
                line.message,
                line.direction,
                line.src,
                line.dst,
                line.count,
                line.size,
                line.kind,
                line.reveals,
                line.result,
            )
            for line in lines
        ],
    )
    left = sum(x.size for x in lines if x.direction == "out" and x.result.startswith("sent"))
    click.echo(f"job {job}: {left} bytes left this site")


@audit.command("verify")
@home_option
@output_option
def audit_verify(home: Path, output: str) -> None:
    """Follow the hash chain; exit status 1 and the first broken record if it does not hold."""
    verdict = audit_log.verify(home)
    if output == "json":
        _print_json(msgspec.to_builtins(verdict))
    elif not verdict.problem:
        click.echo(
            f"{verdict.records} records in {verdict.files} files: the chain holds; "
            f"its head is {verdict.last}"
        )
    if verdict.problem:
        raise Fault(f"the chain breaks after {verdict.records} records: {verdict.problem}")


def _print_json(value: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _print_table(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Aligned, never cut: what is shown here is compared and copied."""
    lines = [columns, *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
