"""The table of overhead from hand-made measurements: what it prints, and when it refuses to compare."""

import json
from pathlib import Path

import pytest

from dcac.closed import parse
from dcac.reporting import overhead_table
from dcac.reporting.overhead_table import CPU_MEMORY, GPU_MEMORY
from dcac.suites import Suite, Variant

GOLDEN = Path(__file__).parent / "golden"
GPU = "NVIDIA H200"
SWITCHES = {"micro_batch": None, "gradient_checkpointing": False, "channels_last": False, "compile": False}


def measurement(variant="baseline", **changes):
    """One measurement as the step `overhead` writes it."""
    learnt = variant != "baseline"
    median, total, trained = (0.5, 946_200_000, 87_200_000) if learnt else (0.2, 86_100_000, 85_900_000)
    content = {
        "variant": variant,
        "sources": "MA",
        "parameters": {"total": total, "trained": trained, "tested": 85_700_000},
        "batch": 64,
        "steps": 20,
        "seconds": {"median": median, "low": 0.975 * median, "high": 1.05 * median},
        "images_per_second": 64 / median,
        "peak_memory_bytes": (10 if learnt else 4) * 2**30,
        "device": GPU,
        "precision": "fp16",
        "processes": 1,
        "runtime": SWITCHES,
        "environment": {"torch": "2.15.0"},
    }
    return content | changes


@pytest.fixture
def write(tmp_path):
    """Return a function that writes the table of some measurements and reads it in all formats."""
    content = {
        "title": "Test suite",
        "demo": False,
        "device": "cpu",
        "base": "paper",
        "seeds": [1],
        "domains": ["MA", "MS", "C3"],
        "variants": ["baseline", "dcac"],
        "references": [],
        "protocols": {"single-source": {"MA": ["C3"], "MS": ["C3"]}},
        "tables": {"overhead": {"protocol": "single-source", "title": "Overhead & co_50%"}},
    }
    suite = parse(Suite, content, "test")
    variants = {"baseline": Variant("Baseline (ours)", {}), "dcac": Variant("DCAC & co_8", {})}

    def read(*measurements):
        inputs = [tmp_path / f"{number}.json" for number in range(len(measurements))]
        for path, one in zip(inputs, measurements, strict=True):
            path.write_text(json.dumps(one), encoding="utf-8")
        out = {suffix: tmp_path / f"overhead.{suffix}" for suffix in ("md", "tex", "csv")}
        overhead_table.run(name="overhead", suite=suite, variants=variants, inputs=inputs, out=list(out.values()))
        return {suffix: path.read_text(encoding="utf-8") for suffix, path in out.items()}

    return read


def cells(markdown):
    """The rows of a Markdown table under its header."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("suffix", ["md", "tex", "csv"])
def test_the_table_equals_its_golden_file_in_the_suites_order(write, suffix):
    written = write(measurement("dcac"), measurement())
    assert written[suffix] == (GOLDEN / f"overhead.{suffix}").read_text(encoding="utf-8")


def test_other_hardware_and_precision_are_named_and_not_compared(write):
    written = write(measurement(), measurement("dcac", device="cpu, 2 threads", precision="fp32"))
    expected = (
        "Not comparable throughout, since measured under different conditions: precision (Baseline (ours): fp16; DCAC & co_8: fp32), "
        "hardware (Baseline (ours): NVIDIA H200; DCAC & co_8: cpu, 2 threads); "
        "a multiple stands only where the baseline was measured under the same."
    )
    assert expected in written["md"] and GPU_MEMORY in written["md"] and CPU_MEMORY in written["md"]
    assert "Measured with a batch of 64 images; no runtime switch on; torch 2.15.0; trained on MA; " in written["md"]
    baseline, dcac = cells(written["md"])
    assert baseline[-2:] == ["1.00", "1.00"] and dcac[-2:] == ["–", "–"] and dcac[4] == "500.0 (487.5–525.0)"
    assert "co\\_8: fp32" in written["tex"] and "-- & -- \\\\" in written["tex"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batch": 32}, "batch (Baseline (ours): a batch of 64 images; DCAC & co_8: a batch of 32 images)"),
        (
            {"runtime": SWITCHES | {"micro_batch": 16, "compile": True}},
            "runtime (Baseline (ours): no runtime switch on; DCAC & co_8: micro batch 16, compile)",
        ),
        ({"processes": 2}, "hardware (Baseline (ours): NVIDIA H200; DCAC & co_8: NVIDIA H200 × 2)"),
        ({"environment": {"torch": "2.11.0"}}, "software (Baseline (ours): torch 2.15.0; DCAC & co_8: torch 2.11.0)"),
    ],
)
def test_every_other_condition_is_named_too(write, changes, said):
    written = write(measurement(), measurement("dcac", **changes))
    assert f"under different conditions: {said}; a multiple" in written["md"]
    assert cells(written["md"])[1][-2:] == ["–", "–"]


def test_without_a_baseline_multiples_are_missing(write):
    written = write(measurement("dcac"))
    assert cells(written["md"])[0][-2:] == ["–", "–"]
    assert "Not comparable" not in written["md"]
    assert ",10737418240,,,MA," in written["csv"]


def test_memory_of_a_cpu_is_said_to_be_the_processs(write):
    written = write(measurement(device="cpu, 2 threads"))
    assert CPU_MEMORY in written["md"] and CPU_MEMORY in written["tex"] and GPU_MEMORY not in written["md"]


def test_each_source_set_is_compared_with_its_own_baseline(write):
    slower = {"median": 0.4, "low": 0.4, "high": 0.4}
    both = [measurement(variant, sources=sources) for sources in ("MS", "MA") for variant in ("dcac", "baseline")]
    both[1]["seconds"] = slower
    written = write(*both)
    assert [(row[0], row[-2]) for row in cells(written["md"])] == [
        ("Baseline (ours), MA", "1.00"),
        ("DCAC & co_8, MA", "2.50"),
        ("Baseline (ours), MS", "1.00"),
        ("DCAC & co_8, MS", "1.25"),
    ]
    assert "trained on MA, MS; timed steps: 20." in written["md"] and "Not comparable" not in written["md"]


def test_measurements_that_do_not_belong_are_refused(write):
    with pytest.raises(ValueError, match=r"1\.json measures 'other' on MA, which table 'overhead' does not compare"):
        write(measurement(), measurement("other"))
    with pytest.raises(ValueError, match=r"0\.json measures 'dcac' on C3, which table 'overhead' does not compare"):
        write(measurement("dcac", sources="C3"))
    with pytest.raises(ValueError, match=r"1\.json measures 'baseline' on MA, as another file does; give one of them"):
        write(measurement(), measurement())


def test_a_measurement_that_lacks_a_number_is_named(write):
    one = measurement()
    del one["seconds"]
    with pytest.raises(ValueError, match=r"0.json lacks 'seconds'; delete it and run `dcac overhead` again"):
        write(one)
