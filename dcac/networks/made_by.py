"""Whether a network made the features that its own are compared with."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dcac.networks.network import Network
from dcac.provenance.runs import read_report

log = logging.getLogger(__name__)


def require_made_by(gallery: Mapping[str, Any], path: Path, network: Network) -> None:
    """Refuse a gallery that another run made: no distance between the two means anything.

    Where one of the two is no run, such as a run's export, only a line in the log says that nothing vouches for them.

    Args:
        gallery: `meta` of the feature file.
        path: of the feature file, for messages.

    Raises:
        ValueError: the file names another run than the network is.
    """
    made_by, run = gallery.get("run"), Path(network.name) / "run.json"
    own = read_report(run.parent)["identity"] if run.is_file() else None
    if made_by is not None and made_by == own:
        return
    names = ", ".join(f"{name} {gallery[name]}" for name in ("variant", "sources", "seed") if name in gallery)
    if None not in (made_by, own):
        raise ValueError(
            f"{path} was not made by {network.name}, but by another run ({names or made_by}); give the run that made it, or "
            "extract the gallery with this one"
        )
    told = gallery.get("network")
    if not isinstance(told, dict) or told.get("content") != network.content.meaning:
        log.warning(
            "%s does not say that %s made it (%s); see to it that it did", path, network.name, names or "no names"
        )
