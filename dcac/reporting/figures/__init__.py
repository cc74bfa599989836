"""The kinds of figures, each declared in a module of its own. A new one is a module and a line here."""

from dcac.reporting.figures.attention import ATTENTION
from dcac.reporting.figures.cmc import CMC
from dcac.reporting.figures.correlation import CORRELATION
from dcac.reporting.figures.diagnostics import DIAGNOSTICS
from dcac.reporting.figures.ranked_lists import RANKED_LISTS
from dcac.reporting.figures.samples import SAMPLES
from dcac.reporting.figures.tsne import TSNE

KINDS = (CMC, DIAGNOSTICS, SAMPLES, CORRELATION, TSNE, RANKED_LISTS, ATTENTION)
