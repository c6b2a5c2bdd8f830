"""LaTeX of a table: grids that fit a page, sentences as a list below.

Columns of prose become items of a list; a grid that is still too wide is cut into several with the same rows, and
intervals stand in brackets. Widths are estimated from the digits of the font; with `\\footnotesize` in an article of
10 pt a column takes `TEXT_WIDTH`.
"""

import re
from collections.abc import Sequence

from syncvoice.reporting.render import Block
from syncvoice.reporting.settings import Page

TEXT_WIDTH = 345.0  # points: \textwidth of the class article at 10 pt, the narrowest of the usual ones
CHARACTER = 4.25  # points: a digit at 8 pt (\footnotesize)
COLUMN_GAP = 6.0  # points: twice \tabcolsep, which the grids set to 3 pt
INTERVAL = re.compile(r"\(([^()]+) to ([^()]+)\)")

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "→": r"$\rightarrow$", "−": "$-$", "–": "--", "≤": r"$\leq$", "≥": r"$\geq$", "±": r"$\pm$", "<": r"$<$",
    ">": r"$>$", "|": r"$|$", "†": r"\dag{}", "‡": r"\ddag{}", "×": r"$\times$",
}  # fmt: skip


def escape_latex(text: str) -> str:
    """Return text that shows as it is in LaTeX; arrows, minus signs and comparisons become mathematics."""
    return "".join(_LATEX.get(character, character) for character in text.replace("\n", " "))


def latex(settings: Page, parts: list[Block]) -> str:
    """Return the table as LaTeX for `\\input`: `table` environments and lists; needs the package booktabs."""
    lines = [f"% {settings.name}: made by `syncvoice tabulate`; needs \\usepackage{{booktabs}}"]
    told: list[str] = []
    for number, block in enumerate(parts):
        if block.head:
            kept = [place for place, head in enumerate(block.head) if head not in block.prose]
            pieces = fitting(block, kept) if kept else []
            for piece, columns in enumerate(pieces):
                label = f"{number}" if len(pieces) == 1 else f"{number}-{piece + 1}"
                lines += _grid(settings, block, columns, label)
        sentences = [text for text in _prose(block) if text not in told]  # every group of clips has the same rows
        told += sentences
        lines += _items([*sentences, *block.notes])
    return "\n".join(lines) + "\n"


def fitting(block: Block, columns: Sequence[int]) -> list[list[int]]:
    """Cut columns into runs that fit the page; each run begins with the first column, the rows' names."""
    first, *others = columns
    runs: list[list[int]] = [[first]]
    for column in others:
        if len(runs[-1]) > 1 and width(block, [*runs[-1], column]) > TEXT_WIDTH:
            runs.append([first])
        runs[-1].append(column)
    return runs


def width(block: Block, columns: Sequence[int]) -> float:
    """Return about how wide a grid of these columns is, in points."""
    return sum(_characters(block, column) * CHARACTER + COLUMN_GAP for column in columns)


def _characters(block: Block, column: int) -> int:
    """Return the longest line of a column: its cells, and the words of its head, which breaks at spaces."""
    cells = [len(_compact(line[column])) for line in block.lines]
    return max([*cells, *map(len, _head_lines(block.head[column]))], default=0)


def _compact(cell: str) -> str:
    """Return a cell with its interval in brackets: `5.0 (4.9 to 5.1)` becomes `5.0 [4.9, 5.1]`."""
    return INTERVAL.sub(r"[\1, \2]", cell)


def _head_lines(head: str) -> list[str]:
    """Return the words of a head one below the other; an arrow and a unit stay with the word before."""
    return re.sub(r" (?=[↑↓→(0])", "\N{NO-BREAK SPACE}", head).split(" ")


def _head(head: str) -> str:
    lines = [escape_latex(line.replace("\N{NO-BREAK SPACE}", " ")) for line in _head_lines(head)]
    return lines[0] if len(lines) == 1 else r"\begin{tabular}[b]{@{}r@{}}" + r"\\".join(lines) + r"\end{tabular}"


def _grid(settings: Page, block: Block, columns: Sequence[int], label: str) -> list[str]:
    def join(cells: Sequence[str]) -> str:
        return "    " + " & ".join(cells) + r" \\"

    return [
        r"\begin{table}",
        r"  \centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"  \caption{{{escape_latex(settings.heading)}: {escape_latex(block.title)}}}",
        rf"  \label{{tab:{settings.name}-{label}}}",
        rf"  \begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
        r"    \toprule",
        join([_head(block.head[column]) for column in columns]),
        r"    \midrule",
        *(join([escape_latex(_compact(line[column])) for column in columns]) for line in block.lines),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]


def _prose(block: Block) -> list[str]:
    """Return the sentences of a grid, one item per row; a row without any has no item."""
    places = [place for place, head in enumerate(block.head) if head in block.prose and place]
    named = len(places) > 1  # several sentences: say which is which
    items = []
    for line in block.lines:
        told = [(block.head[place], line[place]) for place in places if line[place] and line[place] != line[0]]
        if told:
            items.append(f"{line[0]}: " + "; ".join(f"{head}: {cell}" if named else cell for head, cell in told))
    return items


def _items(texts: Sequence[str]) -> list[str]:
    if not texts:
        return []
    return [r"\begin{itemize}\footnotesize", *(rf"  \item {escape_latex(text)}" for text in texts), r"\end{itemize}"]
