"""``tinygrad-edu explore``: a model's forward and backward pass as a web page."""

from pathlib import Path

import click

from .subjects import find_subject

__all__ = ["explore"]


@click.command()
@click.argument("model", metavar="MODEL|RUN|STEP")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="The page to write. [default: MODEL.html]",
)
@click.option("--open", "opened", is_flag=True, help="Show the page in the browser.")
def explore(model: str, out: Path | None, opened: bool) -> None:
    """Walk through a model's forward and backward pass, on a page that needs no network.

    MODEL is mlp, cnn, vae or unet; RUN is the folder that `tinygrad-edu train` left, or the file of a saved
    model; STEP is a tensor of a tutorial, 1:p the variable `p` of the first. The page shows
    the loss of one example: step by step each operation, its formula, its numbers, and the gradients that
    flow back.

    \b
      tinygrad-edu explore cnn --open
      tinygrad-edu explore runs/mlp-digits --out mlp.html
    """
    from .. import viz

    subject = find_subject(model)
    out = out or Path(f"{subject.name}.html")
    page = viz.explore(subject.loss(), out)
    click.echo(f"{out}: {page.content['facts']}; open it in a browser")
    if opened:
        click.launch(str(out))
