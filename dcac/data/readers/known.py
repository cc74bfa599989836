"""Which reader reads a data set. The statement of a step's code ends here: each set has the code of its own reader."""

from collections.abc import Callable
from functools import partial

from dcac.data.archives import Source
from dcac.data.catalog import Card, Own
from dcac.data.readers.cuhk02 import read_cuhk02
from dcac.data.readers.cuhk03 import read_cuhk03
from dcac.data.readers.cuhk_sysu import read_cuhk_sysu
from dcac.data.readers.duke import read_duke, read_occluded_duke
from dcac.data.readers.grid import read_grid
from dcac.data.readers.ilids import read_ilids
from dcac.data.readers.layout import Reading
from dcac.data.readers.market import read_market
from dcac.data.readers.msmt17 import read_msmt17
from dcac.data.readers.own import read_own
from dcac.data.readers.prid import read_prid
from dcac.data.readers.viper import read_viper
from dcac.provenance.code import digest, statement

NO_READER = "no reader is known for this code; add its line to READERS in dcac/data/readers/__init__.py"

READERS: dict[str, Callable[[Source, str], Reading]] = {  # code of the card: (source, variant) -> reading
    "MA": read_market,
    "D": read_duke,
    "MS": read_msmt17,
    "C3": read_cuhk03,
    "C2": read_cuhk02,
    "CS": read_cuhk_sysu,
    "VIPeR": read_viper,
    "PRID": read_prid,
    "GRID": read_grid,
    "iLIDS": read_ilids,
    "OccD": read_occluded_duke,
}


def reader_of(card: Card) -> Callable[[Source, str], Reading]:
    """Return the reader of a real data set.

    Raises:
        ValueError: The set is rendered, or nobody has written its reader.
    """
    if card.own is not None:
        return partial(_read_own, card.own, card.code)
    if card.limits is None:
        raise ValueError(f"{card.code} is {card.status}; use `dcac data render {card.code}`")
    if card.code not in READERS:
        raise ValueError(f"{card.code} cannot be imported: {NO_READER}")
    return READERS[card.code]


def made_with(card: Card) -> dict[str, str]:
    """Return the setting that makes an import due: a hash of the code of the set's own reader, and of no other."""
    read = read_own if card.own is not None else READERS.get(card.code)
    return {} if read is None else {"reader": digest(statement(read.__module__, read.__name__))}


def _read_own(own: Own, code: str, source: Source, variant: str) -> Reading:
    return read_own(source, own, code)
