"""MATLAB files of annotations and splits (before version 7.3)."""

import io
from typing import Any

from dcac.data.readers.layout import LayoutError


def load_mat(data: bytes, name: str, *variables: str) -> dict[str, Any]:
    """Load variables of a MATLAB file, with structs as objects and without dimensions of length 1.

    Args:
        name: The file's name, for messages.
        variables: Those that must be there.

    Raises:
        LayoutError: The file is damaged or lacks a variable.
    """
    from scipy.io import loadmat

    try:
        content = loadmat(io.BytesIO(data), squeeze_me=True, struct_as_record=False)
    except Exception as error:  # a damaged file makes scipy raise errors of many kinds
        raise LayoutError(f"{name} is no readable MATLAB file ({error}); get it again") from None
    missing = [variable for variable in variables if variable not in content]
    if missing:
        raise LayoutError(f"{name} lacks {', '.join(missing)}; get it again")
    return content
