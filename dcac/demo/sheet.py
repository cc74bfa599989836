"""Contact sheets: many small pictures in one."""

import io
from collections.abc import Sequence

from PIL import Image


def contact_sheet(rows: Sequence[Sequence[bytes]], *, scale: int = 1) -> Image.Image:
    """Lay encoded pictures out in rows.

    Args:
        rows: Encoded pictures; every picture is shown in the size of the first.
        scale: Whole factor of enlargement.
    """
    if not rows or not rows[0]:
        raise ValueError("A contact sheet of no pictures was asked for; give at least one row with one picture.")
    pictures = [[Image.open(io.BytesIO(encoded)).convert("RGB") for encoded in row] for row in rows]
    width, height = (side * scale for side in pictures[0][0].size)
    sheet = Image.new("RGB", (width * max(map(len, pictures)), height * len(pictures)))
    for line, row in enumerate(pictures):
        for place, picture in enumerate(row):
            sheet.paste(picture.resize((width, height), Image.Resampling.NEAREST), (place * width, line * height))
    return sheet
