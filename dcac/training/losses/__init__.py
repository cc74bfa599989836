"""The terms of the joint loss, each declared in a module of its own. A new one is a module, a line here, and its keys in `config/base`."""

from dcac.training.losses.identity import ID
from dcac.training.losses.noise import NOISE
from dcac.training.losses.prototype import PROTOTYPE

TERMS = (ID, PROTOTYPE, NOISE)
