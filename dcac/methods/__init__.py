"""The methods, each a folder with its declaration, its model and what it reports. A new one is a folder and a line here."""

from typing import TYPE_CHECKING

from dcac.methods.baseline import BASELINE
from dcac.methods.dcac import DCAC
from dcac.methods.method import Method

if TYPE_CHECKING:
    from dcac.settings import Settings

METHODS = (BASELINE, DCAC)


def method_of(settings: "Settings") -> Method:
    """Return the method of a run."""
    return next(method for method in METHODS if method.covers(settings))
