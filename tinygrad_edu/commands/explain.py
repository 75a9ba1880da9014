"""``tinygrad-edu explain``: a model's loss, one operation after another."""

from pathlib import Path

import click

from .subjects import find_subject

__all__ = ["explain"]


@click.command()
@click.argument("model", metavar="MODEL|RUN|STEP")
@click.option("--around", metavar="MODULE", default=None, help="Tell only what runs in this module.")
@click.option(
    "--limit",
    type=click.IntRange(min=2),
    default=16,
    show_default=True,
    help="The most operations to tell of; of more, those at both ends.",
)
@click.option("--all", "everything", is_flag=True, help="Tell of all operations, however many.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    help="A file to write instead: .txt, .md with formulas, or .tex for the body of a LaTeX document.",
)
def explain(model: str, around: str | None, limit: int, everything: bool, out: Path | None) -> None:
    """Explain the loss of one example: forward and backward, operation by operation, with all numbers.

    MODEL is mlp, cnn, vae or unet; RUN is the folder that `tinygrad-edu train` left, or the file of a saved
    model; STEP is a tensor of a tutorial, 1:p the variable `p` of the first.

    \b
      tinygrad-edu explain mlp
      tinygrad-edu explain runs/cnn-digits --around dense
      tinygrad-edu explain vae --all --out vae.md
    """
    import tinygrad_edu as te

    from ..errors import FileError
    from ..files import writing

    if out is not None and out.suffix not in (".txt", ".md", ".tex"):
        raise FileError(f"explain: expected a file that ends in .txt, .md or .tex, got {str(out)!r}")
    loss = find_subject(model).loss()
    told = te.explain(loss, around=around, limit=None if everything else limit, names={})
    if out is None:
        told.show()
        return
    text = {".txt": told.__str__, ".md": told._repr_markdown_, ".tex": told.latex}[out.suffix]()
    with writing(out) as file:
        file.write(f"{text}\n".encode())
    click.echo(f"{out}: {len(told.trace.steps)} operations")
