"""What the workflow plans, without running it."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


COMPARED = ("baseline", "dcac", "dcac-placebo")  # variants of every main table


def trainings(output):
    """Return (variant, sources, seed) of every planned training."""
    found = re.findall(r"output: results/[^/]+/runs/([^/]+)/([^/]+)/seed(\d+)/weights", output)
    return Counter(found)


def test_the_demo_suite_trains_each_source_set_once_a_variant_and_seed(checkout):
    planned = trainings(checkout.snakemake("--dry-run"))
    assert set(planned.values()) == {1}
    assert {variant for variant, _, _ in planned} == {"baseline", "dcac", "dcac-placebo"}
    assert {seed for _, _, seed in planned} == {"0", "1", "2"}
    assert len({sources for _, sources, _ in planned}) == 4


def test_one_table_plans_only_its_protocol(checkout):
    planned = trainings(checkout.snakemake("--dry-run", "results/tables/dg_single.md"))
    assert {sources for _, sources, _ in planned} == {"campus", "street"}


def test_the_demo_takes_its_shipped_networks_and_makes_them_again_when_asked(checkout):
    jobs = checkout.planned()
    assert jobs["weights"] == 2 and jobs["render"] == 4 and not {"pretrain_encoder", "pretrain_diffusion"} & set(jobs)
    made = [f"results/weights/demo-{kind}-recipe/manifest.json" for kind in ("encoder", "diffusion")]
    again = checkout.planned(*made)
    assert (again["pretrain_encoder"], again["pretrain_diffusion"], again["render"]) == (1, 1, 1)


def test_the_research_table_trains_every_configuration_with_every_seed(checkout):
    planned = trainings(checkout.snakemake("--dry-run", "results/tables/demo_prior.md"))
    assert len({variant for variant, _, _ in planned} - {"baseline", "dcac"}) == 7
    assert {(sources, seed) for _, sources, seed in planned} == {(s, n) for s in ("campus", "street") for n in "012"}
    assert len(planned) == 9 * 2 * 3
    assert "results/tables/demo_prior.md" not in checkout.snakemake("--dry-run")


def test_the_demo_ablation_is_made_on_demand_and_takes_the_demos_own_runs(checkout):
    output = checkout.snakemake("--dry-run", "results/tables/demo_ablation.md", "results/figures/demo_diagnostics.png")
    variants = ("baseline", "dcac", "dcac-pcl", "dcac-fc+pcl", "dcac-feature", "dcac-hard-label")
    runs = set(re.findall(r"output: results/demo/runs/([^/]+)/([^/]+)/seed(\d+)/weights", output))
    assert runs == {(variant, "campus", "0") for variant in variants}
    drawn = re.search(r"rule figure:\s+input: (.*)", output).group(1).split(", ")
    assert drawn == [f"results/demo/runs/{variant}/campus/seed0/log.jsonl" for variant in variants[1:]]
    assert "results/tables/demo_ablation.md" not in checkout.snakemake("--dry-run")


def test_figures_of_runs_and_the_overhead_plan_only_what_they_draw(checkout):
    output = checkout.snakemake("--dry-run", "on_demand", suite="smoke")
    jobs = checkout.jobs(output)
    assert (jobs["samples"], jobs["correlation"], jobs["overhead"], jobs["overhead_table"]) == (1, 1, 2, 1)
    assert jobs["figure"] == 6 and jobs["table"] == 1 and jobs["attention"] == 2
    assert "output: results/smoke/samples/dcac/smoke-a/seed0.npz" in output
    only = checkout.planned("results/tables/overhead.md", suite="smoke")
    assert "train" not in only and only["overhead"] == 2
    inputs = re.findall(r"rule figure:\s+input: (.*)\s+output: results/smoke/figures/(\w+)\.pdf", output)
    drawn = {name: files.split(", ") for files, name in inputs}
    features, maps = (
        [f"results/smoke/{room}/{variant}/smoke-a/seed0/smoke-b.npz" for variant in ("baseline", "dcac")]
        for room in ("features", "attention")
    )
    assert drawn["tsne"] == features
    assert drawn["attention"] == [*maps, "results/data/smoke-b.parquet"]
    score = "results/smoke/scores/baseline/smoke-a/seed0/smoke-b.json"
    other = "results/smoke/features/pretrained/none/seed0/smoke-b.npz"
    assert drawn["ranked_lists"] == [*features, other, score, "results/data/smoke-b.parquet"]


def test_networks_of_others_are_tabled_without_any_training(checkout):
    for name in ("MSMT17_V1", "Market-1501-v15.09.15", "cuhk03-np"):
        (checkout.folder / "data" / name).mkdir(parents=True)
    planned = checkout.planned(suite="networks")
    assert not {"train", "latents", "write_config", "extract", "pretrain_encoder"} & set(planned)
    assert planned["embed"] == planned["weights"] == 4 and planned["import_data"] == 3 and planned["table"] == 3


def test_an_ablation_at_the_papers_size_runs_without_the_withdrawn_set(checkout):
    for name in ("MSMT17_V1", "Market-1501-v15.09.15", "cuhk03-np"):
        (checkout.folder / "data" / name).mkdir(parents=True)
    output = checkout.snakemake("--dry-run", "results/tables/ablation_conditioning.md", suite="ablation")
    assert len(re.findall(r"output: results/ablation/runs/[^/]+/MA/seed\d/weights", output)) == 6 * 3
    assert not re.findall(r"/D\.(parquet|json)", output)


def test_an_ablation_run_in_several_tables_is_trained_once(checkout):
    planned = trainings(checkout.snakemake("--dry-run", suite="ablation"))
    assert set(planned.values()) == {1}
    assert {seed for _, _, seed in planned} == {"1", "2", "3"}
    assert len({variant for variant, _, _ in planned}) > 30


def test_the_paper_suite_without_data_shows_the_whole_plan(checkout):
    output = checkout.snakemake("--dry-run", suite="paper")
    single, several = {"MA", "D", "MS", "C3"}, {"D+MS+C3", "MA+MS+C3", "MA+D+C3", "MA+D+MS"}
    assert {(variant, sources) for variant, sources, _ in trainings(output)} == {
        (variant, sources) for variant in COMPARED for sources in single | several
    }
    assert "the plan shows the whole suite" in output
    assert "DukeMTMC-reID is withdrawn" in output
    assert "data_root 'data' does not exist" in output


def test_the_paper_suite_with_some_data_plans_what_is_possible(checkout):
    for name in ("MSMT17_V1", "Market-1501-v15.09.15"):
        (checkout.folder / "data" / name).mkdir(parents=True)
    output = checkout.snakemake("--dry-run", suite="paper")
    assert {sources for _, sources, _ in trainings(output)} == {"MA", "MS"}
    assert "CUHK03" in output and "Cells that need them are left out" in output


FOLDERS = {
    "MA": "Market-1501-v15.09.15",
    "D": "DukeMTMC-reID",
    "MS": "MSMT17_V1",
    "C3": "cuhk03-np",
    "C2": "cuhk02",
    "CS": "CUHK-SYSU",
    "VIPeR": "VIPeR",
    "PRID": "prid_2011",
    "GRID": "underground_reid",
    "iLIDS": "i-LIDS_Pedestrian",
}


@pytest.mark.parametrize(
    ("suite", "sources", "targets"),
    [
        ("protocol-1", {"MA+C3+C2+CS"}, 4),
        ("protocol-1-duke", {"MA+D+C3+C2+CS"}, 4),
        ("protocol-2", {"MA+MS+CS", "MA+C3+CS", "MS+C3+CS"}, 1),
        ("protocol-3", {"MA+MS+CS", "MA+C3+CS", "MS+C3+CS"}, 1),
    ],
)
def test_protocol_suites_import_encode_train_and_score(checkout, suite, sources, targets):
    for name in FOLDERS.values():
        (checkout.folder / "data" / name).mkdir(parents=True)
    checkout.edit("config/config.yaml", "accept_withdrawn: []", "accept_withdrawn: [D]")
    output = checkout.snakemake("--dry-run", suite=suite)
    assert trainings(output) == Counter((v, s, n) for v in COMPARED for s in sources for n in "123")
    jobs, learnt = checkout.jobs(output), {code for codes in sources for code in codes.split("+")}
    assert jobs["latents"] == len(learnt)
    assert jobs["score"] == len(COMPARED) * 3 * len(sources) * targets
    assert jobs["import_data"] == len(learnt) + (4 if suite.startswith("protocol-1") else 0)
    assert jobs["table"] == 1


def test_a_real_run_without_data_stops_with_the_remedy(checkout):
    result = checkout.run("snakemake", "--cores", "1", "--config", "suite=paper")
    assert result.returncode != 0
    assert "No data set of this suite is at hand" in result.stdout
    assert "set data_root in config/config.yaml" in result.stdout
    assert "Traceback" not in result.stdout


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        ("config/config.yaml", "suite: demo ", "suite: dmeo ", "did you mean 'demo'"),
        ("config/config.yaml", "profile: default", "profil: default", "did you mean 'profile'"),
        ("config/base/demo.yaml", "learning_rate: 2.0e-4", "learning_rat: 2.0e-4", "did you mean 'learning_rate'"),
        ("config/base/demo.yaml", "learning_rate: 2.0e-4", "learning_rate: -1", "'learning_rate' is -1"),
        (
            "config/suites/demo.yaml",
            "[campus, winter, mall, street]\nvariants",
            "[campus, wintr, mall, street]\nvariants",
            "unknown data set",
        ),
    ],
)
def test_a_wrong_word_in_the_configuration_stops_with_one_sentence(checkout, path, old, new, message):
    checkout.edit(path, old, new)
    result = checkout.run("snakemake", "--cores", "1", "--dry-run")
    assert result.returncode != 0
    assert message in result.stdout
    assert "Traceback" not in result.stdout


def test_conda_is_asked_for_by_name_when_it_is_missing(checkout):
    if shutil.which("conda"):
        pytest.skip("conda is installed here")
    result = checkout.run("snakemake", "--cores", "1", "--use-conda", "--dry-run")
    assert result.returncode != 0
    assert "conda" in result.stdout


def test_every_rule_has_log_benchmark_environment_and_docstring():
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for rule in re.split(r"^rule ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            for part in (
                '"""',
                "output:",
                "log:",
                "benchmark:",
                "conda:",
                "threads:",
                "resources:",
                "shell:",
            ):
                assert part in rule, f"{path.name}: {rule.splitlines()[0]} lacks {part}"


def test_lint_and_format_are_silent(checkout):
    assert "good condition" in checkout.snakemake("--lint")
    result = checkout.run("snakefmt", "--check", "Snakefile", "workflow")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("profile", ["default", "slurm"])
def test_every_profile_plans_the_paper(checkout, profile):
    asked = ("results/tables/dg_single.md", "--workflow-profile", profile, "--config", "suite=paper")
    result = checkout.run("snakemake", "--dry-run", *asked)
    assert result.returncode == 0, result.stdout
    assert "gpu=1" in result.stdout and "gres" not in result.stdout
    assert resources(result.stdout, "train")["runtime"] == "1440"


def test_what_jobs_ask_a_cluster_for_stands_in_the_configuration(checkout):
    checkout.edit("config/config.yaml", "  account: null ", "  account: vision ")
    checkout.edit("config/config.yaml", "  partition: null ", "  partition: long ")
    checkout.edit("config/config.yaml", "  gpu_partition: null ", "  gpu_partition: cards ")
    checkout.edit("config/config.yaml", "  qos: null", "  qos: normal")
    checkout.edit("config/config.yaml", "  gpu_request: gpus ", "  gpu_request: gres ")
    checkout.edit("config/config.yaml", "  constraint: null ", "  constraint: a100 ")
    checkout.edit("config/config.yaml", "  hours: 24 ", "  hours: 12 ")
    checkout.edit("config/config.yaml", "  gpus_per_training: 1 ", "  gpus_per_training: 2 ")
    output = checkout.snakemake("--dry-run", "--set-resources", "train:mem_mb=9000", suite="smoke-gpu")
    everywhere = {"slurm_account": "vision", "qos": "normal"}
    on_card = {**everywhere, "slurm_partition": "cards", "gres": "gpu:1", "gpu": "0", "constraint": "a100"}
    train, score = resources(output, "train"), resources(output, "score")
    assert train.items() >= {**on_card, "gres": "gpu:2", "nodes": "1", "runtime": "720", "mem_mb": "9000"}.items(), (
        "a command line adds, and drops nothing"
    )
    assert resources(output, "extract").items() >= on_card.items()
    assert score.items() >= {**everywhere, "slurm_partition": "long", "gpu": "0"}.items()
    assert not {"gres", "constraint"} & set(score)


def test_a_reference_without_a_network_asks_for_no_card(checkout):
    output = checkout.snakemake("--dry-run", suite="smoke-gpu")
    jobs = checkout.jobs(output)
    assert jobs["reference"] == 2 and jobs["pretrained"] == 1
    plain, network = resources(output, "reference"), resources(output, "pretrained")
    assert plain.items() >= {"gpu": "0", "device": "cpu"}.items() and network.items() >= {"gpu": "1"}.items()


def resources(output, rule):
    """Read the resources of a rule's first job from a dry run."""
    line = re.search(rf"^rule {rule}:.*?^    resources: (.*?)$", output, re.MULTILINE | re.DOTALL)[1]
    return dict(entry.split("=", 1) for entry in line.split(", "))


def test_a_table_cut_for_want_of_data_is_named_with_the_reason(checkout):
    for folder in ("Market-1501-v15.09.15", "CUHK-SYSU", "cuhk03-np"):
        (checkout.folder / "found" / folder).mkdir(parents=True)
    asked = ("results/tables/dg_multi.md", "--config", "suite=paper", "data_root=found")
    result = checkout.run("snakemake", "--cores", "1", "--dry-run", *asked)
    assert result.returncode == 1
    assert "'results/tables/dg_multi.md' is not possible: no cell of protocol" in result.stdout
    assert "MS: MSMT17 is not in data_root 'found'" in result.stdout
    assert "MissingRuleException" not in result.stdout and "Traceback" not in result.stdout


def test_an_error_of_an_import_is_seen_on_the_console(checkout):
    folder = checkout.folder / "found" / "Market1501"
    folder.mkdir(parents=True)
    (folder / "holiday.txt").write_text("sun")
    for profile in ((), ("--workflow-profile", "workflow/profiles/default")):
        asked = ("results/data/MA.parquet", *profile, "--config", "suite=paper", "data_root=found")
        result = checkout.run("snakemake", "--cores", "1", *asked)
        assert result.returncode == 1
        assert "is not Market-1501 in any accepted layout" in result.stdout


def test_memory_asked_for_grows_with_the_data(checkout):
    run = "results/smoke/runs/baseline/smoke-a/seed0/run.json"

    def asked():
        job = checkout.snakemake("--dry-run", run, suite="smoke").partition("rule train:")[2]
        return int(re.search(r"mem_mb=(\d+)", job)[1])

    without = asked()
    store = checkout.folder / "results/data/smoke-a.parquet"
    store.parent.mkdir(parents=True)
    with store.open("wb") as file:
        file.truncate(2_000_000_000)  # a sparse file, no room on the disk
    assert asked() == without + 3 * 2_000, "decoded pictures and what a training holds of them: a multiple of the file"
