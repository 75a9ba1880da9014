"""The command ``tinygrad-edu``."""

import csv
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from .commands import COMMANDS
from .context import anchor
from .errors import FileError, GradientError, TinygradEduError

__all__ = ["main"]

EPOCHS = {"digits": 40, "mnist": 1}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tinygrad_edu")
def cli() -> None:
    """Train small neural networks and see what they do.

    \b
    Start here:
      tinygrad-edu train                        an MLP learns handwritten digits, in seconds
      tinygrad-edu train cnn --data mnist       a convolutional network, on 60,000 images
      tinygrad-edu train --help                 what can be changed
      tinygrad-edu tutorial                     the lessons, from the chain rule to U-Nets
      tinygrad-edu graph cnn                    a picture of a model
      tinygrad-edu explore cnn                  a page that walks through its gradient
      tinygrad-edu data list                    the data sets, and how to get whole ones

    The same in Python:

    \b
      from tinygrad_edu import data, nn
      (x_train, y_train), (x_test, y_test) = data.digits().scaled()
      model = nn.Sequential([nn.Flatten(), nn.Dense(64, "relu"), nn.Dense(10, "softmax")])
      model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
      model.fit(x_train, y_train, epochs=20, validation_split=0.1)
      model.evaluate(x_test, y_test)
    """


for command in COMMANDS:
    cli.add_command(command)


@cli.command()
@click.argument("model", type=click.Choice(["mlp", "cnn"]), default="mlp")
@click.option(
    "--data",
    "data_set",
    type=click.Choice(["digits", "mnist"]),
    default="digits",
    show_default=True,
    help="digits: 1,797 images of 8x8, at hand without a download. mnist: 70,000 of 28x28, taken from "
    "the folder TINYGRAD_EDU_DATA, the cache, or downloaded once.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=None,
    help="How often to go through the training images. [default: 40 for digits, 1 for mnist]",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Images a step: small batches learn more an epoch, large ones run faster.",
)
@click.option(
    "--lr",
    type=float,
    default=None,
    help="Learning rate, the size of a step. [default: 0.001 for adam, 0.01 for sgd]",
)
@click.option("--optimizer", type=click.Choice(["adam", "sgd"]), default="adam", show_default=True)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Decides initial weights and order: the same seed gives the same weights, bit for bit.",
)
@click.option("--out", type=click.Path(path_type=Path), default=None,
              help="Folder for the results. [default: runs/MODEL-DATA]")  # fmt: skip
def train(
    model: str,
    data_set: str,
    epochs: int | None,
    batch_size: int,
    lr: float | None,
    optimizer: str,
    seed: int,
    out: Path | None,
) -> None:
    """Train an MLP or a CNN on handwritten digits and keep the results.

    MODEL is mlp (the default) or cnn. The network learns from the training images; a tenth of them is set
    aside to find the best epoch (unless there is only one), whose weights are kept; the test images, which it
    never saw, tell how good it is. Ctrl-C ends the run early and keeps the best so far.

    \b
    The folder --out then has:
      model.safetensors   the trained model: nn.load_model opens it
      history.csv         loss and accuracy of each epoch
      loss.png            the same as curves
      graph.svg           every operation from image to loss
      summary.txt         layers, shapes, parameter counts, test result
    """
    out = out or Path("runs") / f"{model}-{data_set}"
    _check_writable(out)
    epochs = epochs or EPOCHS[data_set]
    from rich.console import Console

    console = Console(highlight=False)
    run(model, data_set, epochs, batch_size, lr, optimizer, seed, out, console)


@cli.command()
@click.option("--list", "listed", is_flag=True, help="Name every kernel, with the types that it takes.")
def warmup(listed: bool) -> None:
    """Compile all kernels now, so that no training has to wait for it.

    They are compiled for this machine once, and kept in the user's cache folder (or TINYGRAD_EDU_CACHE). When
    that was done already, this loads them and says so.
    """
    from rich.console import Console
    from rich.markup import escape

    from . import kernels

    console = Console(highlight=False)
    started = time.perf_counter()
    with console.status("loading kernels") as status:
        before = kernels.set_compile_announcer(lambda kernel: status.update(f"compiling {kernel}"))
        try:
            compiled = kernels.warmup()
        finally:
            kernels.set_compile_announcer(before)
    seconds = time.perf_counter() - started
    found = kernels.signatures()
    if listed:
        for name, types in found.items():
            lines = [f"[bold]{name}[/]", *(escape(f"    ({t})") for t in types)]
            console.print("\n".join(lines), soft_wrap=True)
    did = f"compiled {len(compiled)} functions" if compiled else f"all {len(found)} kernels were compiled"
    console.print(f"{did} ({seconds:.1f} s); they are kept in {kernels.cache_folder()}", soft_wrap=True)


def run(
    model_name: str,
    data_set: str,
    epochs: int,
    batch_size: int,
    lr: float | None,
    optimizer_name: str,
    seed_value: int,
    out: Path,
    console: Any,
) -> None:
    """Load, build, train, measure and write."""
    import numpy as np
    from rich.markup import escape

    from . import data, kernels, nn, viz
    from . import seed as set_seed

    set_seed(seed_value)
    images = (data.digits() if data_set == "digits" else data.mnist()).scaled()
    x_train, x_test = images.x_train[..., np.newaxis], images.x_test[..., np.newaxis]
    y_train, y_test = images.y_train, images.y_test
    validation = None
    if epochs > 1:
        x_train, x_valid, y_train, y_valid = data.train_test_split(
            x_train, y_train, test_size=0.1, seed=seed_value, stratify=y_train
        )
        validation = (x_valid, y_valid)
    model = build(model_name, x_train.shape[1:], len(images.class_names))
    arguments = {} if lr is None else {"learning_rate": lr}
    optimizer = nn.optimizers.get({"class": optimizer_name, "config": arguments})
    model.compile(optimizer, nn.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"])
    console.print(
        f"[bold]{model.name}[/] on {data_set}: {len(x_train):,} images to learn from, "
        + (f"{len(validation[0]):,} to choose the best epoch, " if validation else "")
        + f"{len(x_test):,} to test\n"
        + f"{model.count_params():,} parameters; {optimizer_name}, learning rate {optimizer.learning_rate:g}",
        soft_wrap=not console.is_terminal,  # in a log one line stays one line
    )
    kernels.cache_folder()  # brings Numba, whose import an interruption must not tear apart
    best = nn.callbacks.BestWeights()
    diverged = nn.callbacks.TerminateOnNaN()
    started = time.perf_counter()
    ended: BaseException | None = None
    try:
        model.fit(
            x_train,
            y_train,
            batch_size=batch_size,
            epochs=epochs,
            validation_data=validation,
            callbacks=[best, diverged, viz.Console(console=console)],
            verbose=0,
        )
        if diverged.message:
            raise GradientError(diverged.message)
    except (KeyboardInterrupt, GradientError) as error:  # Ctrl-C, or the loss became nan
        if best.best_epoch is None:
            raise
        ended = error
        console.print("[yellow]Stopped early[/]: the best weights so far are kept.")
    seconds = time.perf_counter() - started
    measured = model.evaluate(x_test, y_test, batch_size=256, verbose=0, return_dict=True)
    history = model.history
    assert history is not None
    result = f"test accuracy {measured['accuracy']:.4f}, test loss {measured['loss']:.4f}"
    result += f", with the weights of epoch {(best.best_epoch or 0) + 1} of {len(history.epoch)}"
    write_results(model, history, x_train[:batch_size], y_train[:batch_size], result, out)
    wrap = not console.is_terminal  # in a log one line stays one line
    console.print(f"\n[bold]{result}[/] ({seconds:.1f} s)", soft_wrap=wrap)
    console.print("Written:")
    for name, what in FILES.items():
        console.print(f"  {escape(str(out / name))}  [dim]{what}[/]", soft_wrap=True)
    if ended is not None:
        raise ended


MODEL = "model.safetensors"
FILES = {
    MODEL: "the trained model; nn.load_model opens it",
    "history.csv": "loss and accuracy by epoch",
    "loss.png": "the curves",
    "graph.svg": "the computation, from image to loss",
    "summary.txt": "layers, shapes and parameters",
}


def build(name: str, input_shape: tuple[int, ...], classes: int) -> Any:
    """Make the network: hidden layers to suit the image's size, one logit for each class."""
    from . import nn

    small = input_shape[0] < 16
    first = nn.Input(input_shape)
    if name == "mlp":
        hidden = (128, 64) if small else (1024, 512)
        layers: list[Any] = [nn.Flatten()]
    else:
        hidden = (128, 64) if small else (1024, 512)
        padding = "same" if small else "valid"  # 8x8 leaves no room to lose borders twice
        layers = []
        for count in (16, 32) if small else (6, 16):
            layers += [nn.Conv2D(count, 3, padding=padding, activation="relu"), nn.MaxPooling2D(2)]
        layers.append(nn.Flatten())
    layers += [nn.Dense(units, activation="relu") for units in hidden]
    return nn.Sequential([first, *layers, nn.Dense(classes)], name=name)


@anchor  # no line of a user's program led here, so the picture names none
def write_results(model: Any, history: Any, x: Any, y: Any, result: str, out: Path) -> None:
    """Leave the trained model, the history, the pictures and the summary in a folder."""
    from . import viz
    from .files import writing
    from .nn.summary import summarize

    model.save(out / MODEL)
    names = list(history.history)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["epoch", *names])
    for i, epoch in enumerate(history.epoch):
        writer.writerow([epoch + 1, *(f"{history.history[name][i]:.6g}" for name in names)])
    with writing(out / "history.csv") as file:
        file.write(text.getvalue().encode())
    viz.plot_history(history, out / "loss.png")
    loss = model.loss(y, model(x))
    viz.graph(loss).save(out / "graph.svg")
    summary = f"{summarize(model)}\n\n{result}\n"
    with writing(out / "summary.txt") as file:
        file.write(summary.encode())


def _check_writable(folder: Path) -> None:
    """Find out before the training, not after it, that the results can't be kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise FileError(
            f"can't write to the folder {folder}: {error.strerror or error}; choose another with --out"
        ) from error


def main(arguments: list[str] | None = None) -> None:
    """Run the command.

    What this package refuses ends in one message on stderr and exit code 2; Ctrl-C ends in 130, the shells'
    code for it.
    """
    try:
        cli.main(args=arguments, prog_name="tinygrad-edu", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except TinygradEduError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(130)
