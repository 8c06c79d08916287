"""What a person sees of a run: bars on a terminal, a line an epoch elsewhere, TensorBoard."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from moodlens.training.storage import EpochResult


class ProgressBars(keras.callbacks.Callback):
    """Loss, accuracy and time left, for the epoch and for the run."""

    def __init__(self, console: Console, epochs: int, first_epoch: int = 0) -> None:
        super().__init__()
        self._console = console
        self._epochs = epochs
        self._first = first_epoch
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._run = self._bars.add_task("run  ", total=epochs, completed=first_epoch, figures="")
        self._epoch = self._bars.add_task("epoch", total=None, figures="")

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        self._bars.start()

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        self.stop()

    def stop(self) -> None:
        """Give the terminal back; safe to call twice."""
        self._bars.stop()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._bars.reset(self._epoch, total=self.params.get("steps"), figures="")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._bars.update(self._epoch, completed=batch + 1, figures=_figures(logs or {}))

    def report(self, result: EpochResult) -> None:
        """A line for a finished epoch."""
        self._bars.update(self._run, completed=result.epoch)
        self._console.print(
            f"epoch {result.epoch}/{self._epochs}  loss {result.loss:.3f}  "
            f"accuracy {result.accuracy:.1%}  validation {result.val_accuracy:.2%}  "
            f"without twins {result.val_accuracy_no_twins:.2%}  {result.seconds:.0f} s",
            highlight=False,
            soft_wrap=True,
        )


def _figures(logs: dict[str, Any]) -> str:
    accuracy = logs.get("logits_accuracy", logs.get("accuracy"))
    said = f"loss {float(logs['loss']):.3f}" if "loss" in logs else ""
    return said if accuracy is None else f"{said}  accuracy {float(accuracy):.1%}"


class TensorBoardLog(keras.callbacks.Callback):
    """Every figure of every epoch as a scalar, on each backend; needs no TensorFlow.

    It is the least of a run's files: a full disk ends the log, not the run.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._open = True
        from tensorboard.summary.writer.event_file_writer import (
            EventFileWriter,
        )

        self._writer = EventFileWriter(str(folder))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [
            Summary.Value(tag=name, simple_value=float(value))
            for name, value in (logs or {}).items()
        ]
        event = Event(step=epoch + 1, wall_time=time.time(), summary=Summary(value=values))
        if self._open:
            try:
                self._writer.add_event(event)
                self._writer.flush()
            except OSError:
                self._open = False

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        self.close()

    def close(self) -> None:
        """End the log's thread and file."""
        with suppress(OSError):
            self._writer.close()
