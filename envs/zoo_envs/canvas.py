"""Pictures and windows by pygame, which is imported when the first one is drawn."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SIZE", "Canvas", "Surface"]

Surface = Any  # a pygame.Surface of SIZE; pygame is imported lazily
SIZE = (1200, 800)  # pixels painted; shown at half that size, which smooths edges
BACKGROUND = (250, 250, 247)


class Canvas:
    """Shows what a callback paints: as an array, or in a window at `fps` frames a second."""

    def __init__(self, fps: int, *, window: bool) -> None:
        self._fps = fps
        self._window = window
        self._screen: Surface | None = None
        self._clock: Any = None

    def show(self, draw: Callable[[Surface], None]) -> NDArray[np.uint8] | None:
        """Paints a frame with `draw`; returns it `[400, 600, 3]`, or None where it went to the window."""
        import pygame

        surface = pygame.Surface(SIZE)
        surface.fill(BACKGROUND)
        draw(surface)
        shown = (SIZE[0] // 2, SIZE[1] // 2)
        picture = pygame.transform.smoothscale(surface, shown)
        if not self._window:
            return np.ascontiguousarray(pygame.surfarray.array3d(picture).swapaxes(0, 1))
        if self._screen is None:
            pygame.display.init()
            self._screen = pygame.display.set_mode(shown)
            self._clock = pygame.time.Clock()
        self._screen.blit(picture, (0, 0))
        pygame.event.pump()
        pygame.display.flip()
        self._clock.tick(self._fps)
        return None

    def close(self) -> None:
        """Closes the window, if there is one."""
        if self._screen is not None:
            import pygame

            pygame.display.quit()
            self._screen = None
