"""A trained run as an input: its report, its weights, and whether the two belong together."""

from pathlib import Path

from dcac.provenance.files import sha256
from dcac.provenance.record import KEY, Input, given, is_whole
from dcac.reading import open_tensors, read_json

REPORTED = {
    "identity": str,
    "settings": dict,
    "seed": int,
    "data": dict,
    "epoch": dict,
}  # of run.json, with their kinds


def run_input(run_folder: Path) -> Input:
    """Describe a trained run as an input: by its weights."""
    return given(run_folder / "run.json", lambda: sha256(run_folder / "weights.safetensors"))


def read_report(run_folder: Path) -> dict:
    """Read what a run says of itself, its run.json.

    Raises:
        ValueError: the run is not finished, or its report is damaged.
    """
    path, remedy = run_folder / "run.json", f"delete {run_folder} and train the run again"
    report = read_json(path, keys=("code", *REPORTED), remedy=remedy)
    for key, kind in REPORTED.items():
        if not isinstance(report[key], kind):
            raise ValueError(f"{path} is damaged, its '{key}' is {report[key]!r:.80}; {remedy}")
    return report


def require_own_weights(run_folder: Path) -> dict:
    """Refuse weights that are not those of the run's report: features would be filed as those of another run.

    Returns:
        The report.

    Raises:
        ValueError: the weights name another run, or were changed.
    """
    report, weights = read_report(run_folder), run_folder / "weights.safetensors"
    with open_tensors(weights, remedy=f"delete {run_folder} and train the run again") as archive:
        identity = (archive.metadata() or {}).get("identity", report["identity"])
    record = report.get(KEY)
    if KEY in report and not is_whole(record):
        remedy = f"delete {run_folder} and train the run again"
        raise ValueError(f"{run_folder / 'run.json'} is damaged, its '{KEY}' is no whole record; {remedy}")
    if identity != report["identity"] or (record is not None and sha256(weights) != record["meaning"]):
        raise ValueError(
            f"{weights} is not the file that run.json beside it speaks of; put the run's own weights back, or delete "
            f"{run_folder} and train the run again"
        )
    return report
