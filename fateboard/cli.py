"""``distaff board``: who may sign in to the board."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from fateboard import accounts
from fateboard.shapes import Access

home_option = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".distaff"),
    show_default=True,
    envvar="DISTAFF_HOME",
    help="Folder of all files of the site.",
)


@click.group()
def board() -> None:
    """The web board."""


@board.group()
def user() -> None:
    """Who may sign in. Without any user the board serves this machine only, without a sign-in."""


@user.command()
@click.argument("name")
@click.option(
    "--access",
    type=click.Choice(["viewer", "operator", "admin"]),
    default="viewer",
    show_default=True,
    help="viewer: look; operator: also change notes, cancel, rerun, share; admin: all.",
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@home_option
def add(name: str, access: Access, password_stdin: bool, home: Path) -> None:
    """Add a user, or change the password and access of one. It holds at once."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        accounts.add(_folder(home), name, access, password)
    except accounts.AccountError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{name} may sign in ({access})")


@user.command()
@click.argument("name")
@home_option
def remove(name: str, home: Path) -> None:
    """Remove a user, who is signed out at once."""
    try:
        accounts.remove(_folder(home), name)
    except accounts.AccountError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{name} may no longer sign in")


@user.command(name="list")
@home_option
def list_users(home: Path) -> None:
    """Users and what they may do."""
    try:
        known = accounts.stored(accounts.path_in(_folder(home)))
    except accounts.AccountError as error:
        raise click.ClickException(str(error)) from None
    for account in known:
        click.echo(f"{account.name}  {account.access}")
    if not known:
        click.echo("no users: the board serves this machine only, without a sign-in")


def _folder(home: Path) -> Path:
    if not home.is_dir():
        raise click.ClickException(f"{home} is no home of a site; give its folder with --home")
    return home / "board"
