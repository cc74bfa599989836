"""The terms of the joint loss that every method has, each declared in a module of its own.

A new one is a module, a line here, and its keys in `config/base`. A method may add terms of its own.
"""

from dcac.losses.identity import ID
from dcac.losses.prototype import PROTOTYPE

TERMS = (ID, PROTOTYPE)
