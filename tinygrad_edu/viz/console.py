"""A training as it runs: panels in a terminal and in a notebook, plain lines anywhere else.

The hooks that ``fit`` calls only write down what came, and look at the clock. A few times a second one of
them finds that a picture is due, and draws it. The longer that took, the longer the next one waits: however
slow the terminal and however large the network, the console keeps below a hundredth of the training's time.
"""

from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tinygrad_edu.errors import ArgumentError, unknown_name
from tinygrad_edu.nn.callbacks import Callback, larger_is_better

from .console_frame import Frame
from .console_run import Run, numbers
from .console_screens import screen_for
from .short import clock, count, number, printable

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

__all__ = ["Console"]

_FASTEST = 10.0  # pictures a second; eyes see no more
_SHARE = 1 / 200  # of the time, that pictures may take


class Console(Callback):
    """Show how a training goes; hand it to ``fit(callbacks=[...])``, or let ``fit(verbose=1)`` make one.

    In a terminal and in a notebook, drawn anew a few times a second: bars for epochs and batches with the
    time left; each loss and metric with its best value, the epoch of that, and its course over the last
    epochs; the learning rate, the norm of the gradient, sqrt(Σ g²) over all parameters before any clipping,
    samples a second and the process's memory; below, what is being compiled, which epoch was the best, and
    why the run ended. Where there is less room, less is shown. Elsewhere (a pipe, a log, ``TERM=dumb``): one
    line an epoch, without control codes, and in a long epoch one a minute. A star marks the best epoch.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to write; by default the standard output.
    monitor : str, optional
        The metric that decides which epoch is best: by default "val_loss", or "loss" without validation.
    mode : {"auto", "min", "max"}
        Whether that metric is best when low or high; "auto" goes by its name.
    refresh_per_second : float
        How often the display is drawn anew at most, no more than 10.
    live : bool
        False gives plain lines in a terminal and in a notebook too.

    Raises
    ------
    ArgumentError
        An unknown mode, a rate out of range, or a monitor whose name doesn't tell its direction.

    Examples
    --------
    >>> console = Console()
    >>> console.on_train_begin()
    >>> console.on_epoch_begin(0)
    >>> console.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.6})
    epoch 1  loss 0.5000  val_loss 0.6000  ... ms  ★
    """

    def __init__(
        self,
        console: "RichConsole | None" = None,
        monitor: str | None = None,
        mode: str = "auto",
        refresh_per_second: float = 4.0,
        *,
        live: bool = True,
    ) -> None:
        from rich.console import Console as RichConsole

        if mode not in ("auto", "min", "max"):
            raise unknown_name("mode", mode, ("auto", "min", "max"))
        if not 0 < refresh_per_second <= _FASTEST:
            raise ArgumentError(
                f"Console: expected refresh_per_second above 0 and at most {_FASTEST:g}, "
                f"got {refresh_per_second!r}."
            )
        if monitor is not None and mode == "auto" and larger_is_better(monitor) is None:
            raise ArgumentError(
                f"Console: the name {monitor!r} doesn't tell whether low or high is best; "
                'add mode="min" or mode="max".'
            )
        self.console = RichConsole() if console is None else console
        self.monitor, self.mode, self.refresh_per_second = monitor, mode, refresh_per_second
        self._screen = screen_for(self.console, console is not None, live)
        self._period = max(1 / refresh_per_second, self._screen.period)
        self._announcer: Any = None  # who told of compilations before
        self.params = {}
        self._run = Run(self.params, monitor, mode)
        self._due = float("inf")

    def note(self, text: str) -> None:
        """Show a line of text below the display until the next one; in a log, print it. "" takes it away.

        >>> Console().note("learning rate halved")
        learning rate halved
        """
        self._run.note = printable(text)
        if self._run.note and not self._screen.live:
            self._screen.write(self._run.note)

    # -- What fit calls --------------------------------------------------------------------------------

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._close()  # for a run that ended without on_train_end
        self._run = Run(self.params, self.monitor, self.mode)
        self._due = perf_counter() + self._period
        if self._screen.live:
            from tinygrad_edu import kernels

            self._screen.open(self._frame)
            self._announcer = kernels.set_compile_announcer(self._compiles)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._run.begin_epoch(epoch)

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None: ...

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        run = self._run
        run.running = logs
        run.last_batch = now = perf_counter()
        if batch == 0:
            run.first_batch = now
        run.batch = batch + 1
        if now >= self._due:
            self._draw(stepped=True)

    def on_test_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._run.tested, self._run.compiling = batch + 1, None
        if perf_counter() >= self._due:
            self._draw()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        run = self._run
        run.end_epoch(epoch, logs)
        if not self._screen.live:
            noted = run.note
            tracks = run.tracks
            if run.note != noted:
                self._screen.write(run.note)
            values = [f"{name} {number(value)}" for name, value in numbers(logs).items()]
            best = tracks.get(run.monitored)
            star = "★" if best and best.best_epoch == epoch else ""
            self._write(
                epoch, *values, _took(perf_counter() - run.epoch_began), " ".join(run.throughput()), star
            )
            self._due = perf_counter() + self._period

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        run = self._run
        run.end(stopped=getattr(getattr(self, "model", None), "stop_training", False))
        if run.outcome and not self._screen.live:
            self._screen.write(run.outcome)
        self._close()

    # -- Drawing ---------------------------------------------------------------------------------------

    def _draw(self, stepped: bool = False) -> None:
        """Draw a picture; ``stepped`` says that there are the gradients of a whole step."""
        began = perf_counter()
        run = self._run
        if self._screen.live:
            if stepped:
                run.read(getattr(self, "model", None))
            self._screen.draw()
        elif stepped:
            left = run.time_left()
            values = [f"{name} {number(value)}" for name, value in numbers(run.running).items()]
            time = "" if left is None else f"{clock(left)} left"
            self._write(run.epoch, count("batch", run.batch, run.steps), *values, time)
        now = perf_counter()
        self._due = now + max(self._period, (now - began) / _SHARE)

    def _frame(self, width: int, height: int) -> Frame:
        return Frame(self._run, width, height)

    def _write(self, epoch: int, *parts: str) -> None:
        said = [count("epoch", epoch + 1, self._run.epochs), *parts]
        self._screen.write("  ".join(filter(None, map(printable, said))))

    def _compiles(self, kernel: str) -> None:
        self._run.compiling = kernel, self._run.batch
        self._screen.draw()

    def _close(self) -> None:
        from tinygrad_edu import kernels

        if self._announcer is not None:
            kernels.set_compile_announcer(self._announcer)
            self._announcer = None
        self._screen.close()


def _took(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
