"""The command ``tinygrad-edu tutorial``."""

from pathlib import Path
from typing import Any

import click

from tinygrad_edu.errors import FileError

from .cells import find_tutorials, notebook, read_cells, tutorial_of

__all__ = ["tutorial"]

_out = click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("out"),
    show_default=True,
    help="Folder of the pictures and the checked claims.",
)


class _Numbers(click.Group):
    """A group in which a number, or a tutorial's name, is a command too: it runs that tutorial."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or super().get_command(ctx, "run")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands and not args[0].startswith("-"):
            args = ["run", *args]
        return super().resolve_command(ctx, args)


@click.group(cls=_Numbers, invoke_without_command=True, subcommand_metavar="[NUMBER | COMMAND]")
@click.pass_context
def tutorial(ctx: click.Context) -> None:
    """Lessons that run: explanation, code, result.

    \b
      tinygrad-edu tutorial               the list
      tinygrad-edu tutorial 1             the first one, from top to bottom
      tinygrad-edu tutorial 1 --pause     the same, at your own pace
      tinygrad-edu tutorial notebook 1    write it as a Jupyter notebook

    They need no download. Pictures go to the folder out/.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(listing)


@tutorial.command("list")
def listing() -> None:
    """Name the tutorials."""
    for path in find_tutorials():
        title = read_cells(path.read_text(encoding="utf-8"))[0].text.splitlines()[0].lstrip("# ")
        click.echo(f"{int(path.name[:2]):3}  {title.partition('. ')[2] or title}")
    click.echo("\n`tinygrad-edu tutorial 1` runs the first, `--help` tells more.")


@tutorial.command("run")
@click.argument("number")
@click.option("--pause", is_flag=True, help="Wait for Enter after each explanation.")
@click.option("--no-code", is_flag=True, help="Show explanations and results only.")
@click.option("--fast", is_flag=True, help="The short run that tests use: little is learned.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides initial weights and order.")
@_out
def run(number: str, pause: bool, no_code: bool, fast: bool, seed: int, out: Path) -> None:
    """Run the tutorial NUMBER, with its explanations."""
    from rich.console import Console

    from .running import run_tutorial
    from .script import Settings

    given = Settings(fast=fast, seed=seed, out=out)
    run_tutorial(tutorial_of(number), given, Console(highlight=False), code=not no_code, pause=pause)


@tutorial.command("notebook")
@click.argument("number")
@click.option("--to", "target", type=click.Path(path_type=Path), default=None,
              help="The file. [default: the tutorial's name, here]")  # fmt: skip
def as_notebook(number: str, target: Path | None) -> None:
    """Write the tutorial NUMBER as a Jupyter notebook."""
    from tinygrad_edu.files import writing

    path = tutorial_of(number)
    target = target or Path(f"{path.stem}.ipynb")
    if target.exists():
        raise FileError(f"{target} is there already, perhaps with your changes; choose another with --to.")
    with writing(target) as file:
        file.write(notebook(read_cells(path.read_text(encoding="utf-8"))).encode())
    click.echo(f"written: {target}")


@tutorial.command("table")
@click.argument("numbers", nargs=-1)
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="0, 1, … are run.")
@click.option("--into", type=click.Path(path_type=Path), default=None,
              help="A Markdown page with the table's two marks, to bring up to date.")  # fmt: skip
@_out
def table_of(numbers: tuple[str, ...], seeds: int, into: Path | None, out: Path) -> None:
    """Run tutorials at full length with several seeds; print the course's figures beside ours.

    What was measured stays in the folder --out and isn't run again, unless the script has changed. Without
    NUMBERS all tutorials are run, which takes a while.
    """
    from . import table as tables

    paths: list[Any] = [tutorial_of(number) for number in numbers] or find_tutorials()
    for path in paths:
        for seed in range(seeds):
            if tables.measure(path, seed, out):
                click.echo(f"{path.stem}, seed {seed}: every claim holds", err=True)
    text = tables.table(tables.read_results(paths, range(seeds), out))
    click.echo(text)
    if into is not None:
        tables.update(into, text)
