"""Pictures of mazes."""

from zoo_envs.canvas import SIZE, Surface
from zoo_envs.maze_layout import Maze

__all__ = ["draw_maze"]

_FLOOR, _GRID, _OUTLINE = (255, 255, 253), (222, 222, 216), (60, 60, 60)
_WALL, _START, _GOAL, _AGENT = (52, 73, 94), (189, 214, 238), (119, 196, 140), (211, 84, 60)
_MARGIN = 24  # pixels between the maze and the edge of the picture
_COARSE, _FINE = 4, 2  # widths of the lines between the cells of the drawing, and between finer ones


def draw_maze(surface: Surface, *, maze: Maze, position: int, resolution: int) -> None:
    """Paints walls, starts, goals and the agent, as large as the picture allows.

    Args:
        surface: Picture of size `canvas.SIZE`.
        maze: What to paint.
        position: Index of the agent's cell.
        resolution: Cells of `maze` along one side of a cell of its drawing; these have stronger outlines.
    """
    import pygame

    num_rows, num_columns = maze.wall.shape
    side = min((SIZE[0] - 2 * _MARGIN) / num_columns, (SIZE[1] - 2 * _MARGIN) / num_rows)
    left, top = (SIZE[0] - side * num_columns) / 2, (SIZE[1] - side * num_rows) / 2

    def corner(row: float, column: float) -> tuple[int, int]:
        return round(left + column * side), round(top + row * side)

    def rectangle(row: int, column: int, cells: int = 1) -> pygame.Rect:
        (x, y), (right, bottom) = corner(row, column), corner(row + cells, column + cells)
        return pygame.Rect(x, y, right - x, bottom - y)

    surface.fill(_FLOOR, pygame.Rect(corner(0, 0), (round(side * num_columns), round(side * num_rows))))
    for cells, colour in ((maze.start, _START), (maze.goal, _GOAL)):
        for row, column in zip(*cells.nonzero(), strict=True):
            surface.fill(colour, rectangle(row, column))
    for count, lengthwise in ((num_rows, False), (num_columns, True)):
        for line in range(count + 1):
            ends = ((0, line), (num_rows, line)) if lengthwise else ((line, 0), (line, num_columns))
            width = _FINE if line % resolution else _COARSE
            pygame.draw.line(surface, _GRID, corner(*ends[0]), corner(*ends[1]), width)
    for row, column in zip(*maze.wall.nonzero(), strict=True):
        surface.fill(_WALL, rectangle(row, column))
    pygame.draw.rect(surface, _OUTLINE, pygame.Rect(corner(0, 0), (side * num_columns, side * num_rows)), 6)

    pygame.font.init()
    for cells, letter, block in ((maze.start, "S", 1), (maze.goal[::resolution, ::resolution], "G", resolution)):
        font = pygame.font.Font(None, round(0.75 * block * side))
        text = font.render(letter, True, _OUTLINE)
        for row, column in zip(*cells.nonzero(), strict=True):
            surface.blit(text, text.get_rect(center=rectangle(row * block, column * block, block).center))
    agent = rectangle(*divmod(position, num_columns))
    pygame.draw.circle(surface, _OUTLINE, agent.center, 0.36 * side)
    pygame.draw.circle(surface, _AGENT, agent.center, 0.36 * side - 4)
