"""A plain window that shows frames, by tkinter; OpenCV's headless build has none."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodlens.errors import SettingsError

INSTEAD = "add --no-window for JSON lines on standard output"


class Window:
    """Shows frames until it is closed, or q or Escape is pressed; a context manager."""

    def __init__(self, title: str) -> None:
        """Open the window.

        Raises:
            SettingsError: there is no display, or Python has no tkinter.
        """
        try:
            import tkinter

            from PIL import ImageTk
        except ImportError as error:
            raise SettingsError(
                f"this Python has no tkinter to open a window with; install it, or {INSTEAD}"
            ) from error
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise SettingsError(f"no display to open a window on: {INSTEAD}") from error
        self._closed_error = tkinter.TclError
        self._make_photo = ImageTk.PhotoImage
        self._photo: Any = None
        self._open = True
        self._root.title(title)
        self._label = tkinter.Label(self._root, borderwidth=0, background="black")
        self._label.pack(fill="both", expand=True)
        self._root.protocol("WM_DELETE_WINDOW", self._close)
        for key in ("<q>", "<Escape>"):
            self._root.bind(key, lambda _event: self._close())

    def show(self, image: NDArray[np.uint8]) -> bool:
        """Show a (height, width, 3) BGR frame; False once the user has closed the window."""
        from PIL import Image

        if not self._open:
            return False
        try:
            if self._photo is None or (self._photo.width(), self._photo.height()) != (
                image.shape[1],
                image.shape[0],
            ):
                self._photo = self._make_photo("RGB", (image.shape[1], image.shape[0]))
                self._label.configure(image=self._photo)
            self._photo.paste(Image.fromarray(np.ascontiguousarray(image[:, :, ::-1])))
            self._root.update()
        except self._closed_error:  # closed between two frames
            self._open = False
        return self._open

    def _close(self) -> None:
        self._open = False

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._photo = None
        try:
            self._root.destroy()
        except self._closed_error:
            return
