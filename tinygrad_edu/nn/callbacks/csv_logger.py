"""CSVLogger: a table of all epochs in a file."""

import csv
import os
from pathlib import Path
from typing import Any, TextIO

from ...errors import FileError
from .base import Callback, Logs

__all__ = ["CSVLogger"]


class CSVLogger(Callback):
    """Write each epoch's losses and metrics as a line of a CSV file, where they outlive the program.

    Parameters
    ----------
    filename
        The file; it is begun anew.
    separator
        What stands between the columns.
    append
        Go on with a file of an earlier run.

    A value that the first epoch didn't have gets no column. Raises FileError if the file can't be written.

    >>> import pathlib, tempfile
    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential([nn.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = nn.callbacks.CSVLogger(f"{folder}/log.csv")
    ...     _ = model.fit([[1.0]], [[2.0]], epochs=2, verbose=0, callbacks=[log])
    ...     pathlib.Path(folder, "log.csv").read_text().splitlines()[0]
    'epoch,loss'
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        self.filename, self.separator, self.append = os.fspath(filename), separator, append
        self._file: TextIO | None = None
        self._columns: list[str] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        path = Path(self.filename)
        self._columns = None
        try:
            if self.append and path.exists() and path.stat().st_size:
                with path.open(newline="", encoding="utf-8") as old:
                    self._columns = next(csv.reader(old, delimiter=self.separator))
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a" if self._columns else "w", newline="", encoding="utf-8")
        except OSError as error:
            raise FileError(f"CSVLogger: can't write {path}: {error.strerror or error}") from error

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        assert self._file is not None
        writer = csv.writer(self._file, delimiter=self.separator, lineterminator="\n")
        if self._columns is None:
            self._columns = ["epoch", *logs]
            writer.writerow(self._columns)
        row = {"epoch": epoch, **logs}
        writer.writerow([row.get(name, "") for name in self._columns])
        self._file.flush()  # an epoch that is over stays, whatever happens in the next

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
