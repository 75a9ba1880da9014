"""``tinygrad-edu graph``: a model as a picture."""

from pathlib import Path

import click

from .subjects import find_subject

__all__ = ["graph"]


@click.command()
@click.argument("model", metavar="MODEL|RUN|STEP")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    help="The picture to write; .svg, .png or .dot says in which format. [default: MODEL.svg]",
)
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    default=None,
    help="How many levels of modules stay open: at 0 the model is one box, at 1 each of its layers is. "
    "[default: all]",
)
@click.option("--fold", multiple=True, metavar="MODULE", help="A module to draw as one box; can be repeated.")
@click.option(
    "--direction",
    type=click.Choice(["TB", "LR"]),
    default="TB",
    show_default=True,
    help="TB draws downward, LR to the right.",
)
@click.option(
    "--gradients",
    is_flag=True,
    help="Draw the loss of one example too, and colour each parameter by the norm of its gradient.",
)
def graph(
    model: str, out: Path | None, depth: int | None, fold: tuple[str, ...], direction: str, gradients: bool
) -> None:
    """Draw a model: operations, layers, shapes, parameters.

    MODEL is mlp, cnn, vae or unet; RUN is the folder that `tinygrad-edu train` left, or the file of a saved
    model; STEP is a tensor of a tutorial, 1:p the variable `p` of the first.

    \b
      tinygrad-edu graph unet --depth 1             each layer one box
      tinygrad-edu graph vae --fold encoder         the encoder one box, all else open
      tinygrad-edu graph runs/mlp-digits --gradients --out gradients.png
    """
    from .. import viz

    subject = find_subject(model)
    out = out or Path(f"{subject.name}.svg")
    if gradients:
        loss = subject.loss()
        loss.backward()
        picture = viz.graph(loss, depth=depth, fold=fold, direction=direction)  # type: ignore[arg-type]
    else:
        picture = viz.graph(*subject.pictured, depth=depth, fold=fold, direction=direction)  # type: ignore[arg-type]
    picture.save(out)
    click.echo(f"{out}: {len(picture.nodes)} boxes and {len(picture.edges)} arrows")
