"""Render one synthetic domain. In: its card. Out: the normalised file with sidecar."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dcac.data.catalog import Card, Crowd, Network
from dcac.data.store import Record, read_sidecar, write_store
from dcac.provenance.keep import put_back
from dcac.provenance.outputs import require_output
from dcac.provenance.record import ask

if TYPE_CHECKING:
    from dcac.demo.picture import Rendered


def run(card: Card, out: Path) -> dict:
    """Render the domain of a synthetic card into a normalised file.

    Persons 0..train_ids-1 are for training, with all cameras and shots; of the persons after them shot 0 of each camera
    is the query and the other shots are the gallery. The pre-training domain has one split, train, with captions.

    Returns:
        The sidecar.

    Raises:
        ValueError: The card is not synthetic.
    """
    require_output(out, ".parquet")
    asked = ask(__name__, card.made_from(), {})
    if put_back(asked, out.parent, [out.name, out.with_suffix(".json").name]):
        return read_sidecar(out)
    match card.synthetic:
        case Network() as network:
            records = _network_records(card.code, network)
        case Crowd() as crowd:
            records = _crowd_records(card.code, crowd)
        case _:
            raise ValueError(f"{card.code} is {card.status}, not synthetic; use `dcac data import` for it")
    facts = {
        "dataset": card.code,
        "name": card.name,
        "version": f"seed{card.synthetic.seed}",
        "variant": "rendered",
        "layout": "rendered",
        "standard": True,
        "recipe": card.synthetic.model_dump(),
    }
    return write_store(records, out, facts=facts, asked=asked)


def _network_records(code: str, network: Network) -> Iterator[Record]:
    from dcac.demo.picture import render

    people = network.train_ids + network.test_ids
    images = render(
        network.domain or code,
        persons=range(people),
        cameras=range(network.cameras),
        shots=network.shots,
        seed=network.seed,
    )
    for image in images:
        split = "query" if image.shot == 0 else "gallery"
        if image.person < network.train_ids:
            split = "train"
        yield _record(code, split, image)


def _crowd_records(code: str, crowd: Crowd) -> Iterator[Record]:
    from dcac.demo.picture import render_broad

    for image in render_broad(persons=crowd.people, images_per_person=crowd.images_per_person, seed=crowd.seed):
        yield _record(code, "train", image, caption=tuple(float(value) for value in image.caption))


def _record(code: str, split: str, image: "Rendered", *, caption: tuple[float, ...] | None = None) -> Record:
    path = f"{split}/{image.person + 1:04d}_c{image.camera + 1}_{image.shot}.jpg"
    return Record(split, image.person + 1, image.camera, code, path, image.jpeg, caption)
