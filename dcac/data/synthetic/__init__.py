"""Rendered pedestrians for the demo suite.

Identity is what a person would use: body, hair, clothes and bag. Camera and background are the shortcuts.
"""

from dcac.data.synthetic.domains import DOMAINS
from dcac.data.synthetic.people import CAPTION_FIELDS
from dcac.data.synthetic.render import Rendered, render, render_broad
from dcac.data.synthetic.sheet import contact_sheet

__all__ = ["CAPTION_FIELDS", "DOMAINS", "Rendered", "contact_sheet", "render", "render_broad"]
