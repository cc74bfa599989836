"""The conditioning schemes, each declared in a module of its own. A new one is a module, a line here, and keys it may have.

Source:
    method.md section 4.
"""

from typing import TYPE_CHECKING

from dcac.model.schemes.fc import FC
from dcac.model.schemes.fc_pcl import FC_PCL
from dcac.model.schemes.feature import FEATURE
from dcac.model.schemes.hard import HARD
from dcac.model.schemes.pcl import PCL
from dcac.model.schemes.scheme import Scheme

if TYPE_CHECKING:
    from dcac.settings import Settings

SCHEMES = (FC, PCL, FC_PCL, FEATURE, HARD)


def scheme_of(settings: "Settings") -> Scheme:
    """Return the scheme that a run's `condition` names."""
    return next(scheme for scheme in SCHEMES if scheme.name == settings.condition)
