"""Options and look-ups that several commands share."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from consortia.errors import RequestError
from consortia.trust.exchange import Believer
from consortia.trust.folder import TrustFolder
from consortia.trust.home import HOME_VARIABLE, PROFILE_VARIABLE, CoordinatorHome, Home, Profile, home_path
from consortia.trust.keyfiles import read_passphrase

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar=HOME_VARIABLE, help="The member's home folder.", metavar="FOLDER"),
]
ProfileOption = Annotated[
    Path | None,
    typer.Option("--profile", envvar=PROFILE_VARIABLE, help="The person's profile folder.", metavar="FOLDER"),
]
CoordinatorOption = Annotated[
    Path | None, typer.Option("--coordinator-home", help="The coordinator's home folder.", metavar="FOLDER")
]
FolderArgument = Annotated[
    Path, typer.Argument(help="The folder that the members exchange.", metavar="FOLDER", show_default=False)
]
ExchangeOption = Annotated[
    Path | None,
    typer.Option("--exchange", help="The folder that members exchange: put the notice there too.", metavar="FOLDER"),
]
PassphraseOption = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="A file of mode 0600 with the passphrase of the keys.", metavar="FILE"),
]


def now() -> datetime:
    """The clock of the command line; the packages below take the time as an argument."""
    return datetime.now(UTC)


def open_home(home: Path | None, passphrase_file: Path | None = None) -> Home:
    """The member's home that was given or that CONSORTIA_HOME names; raises OperatorError ``trust/no-home``."""
    return Home(home_path(home), read_passphrase(passphrase_file))


def open_profile(profile: Path | None, home: Path | None, passphrase_file: Path | None = None) -> Profile:
    """The profile given as a folder, or as the name of a person in the home.

    Raises RequestError ``cli/profile`` if there is neither.
    """
    if profile is None:
        raise RequestError(
            "cli/profile",
            "no profile was given",
            remedy=f"use --profile FOLDER (or the name of a person in the home), or set {PROFILE_VARIABLE}",
        )
    passphrase = read_passphrase(passphrase_file)
    if not profile.exists() and os.sep not in str(profile):
        return Profile(home_path(home) / "people" / profile, passphrase)
    return Profile(profile, passphrase)


def believer(home: Path | None, profile: Path | None, coordinator: Path | None) -> Believer:
    """The folder that is to accept or show: the coordinator's or the profile if given, else the member's home."""
    if coordinator is not None:
        return CoordinatorHome(coordinator)
    return open_profile(profile, home) if profile is not None else Home(home_path(home))


def exchange_folder(path: Path) -> TrustFolder:
    """The exchange folder; raises RequestError ``cli/folder`` if there is no such folder."""
    if not path.is_dir():
        raise RequestError(
            "cli/folder", "there is no such folder", place=str(path), remedy="make it, or correct the path"
        )
    return TrustFolder(path)
