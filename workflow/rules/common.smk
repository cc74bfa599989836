"""Read and check the configuration; name what depends on it. No rules.

In: config/. Out: PLAN (what is possible), STANDING (what of it is done), and the input functions of the rules.
"""

import math
import os
import shlex
import sys
from functools import cache
from pathlib import Path

if sys.version_info < (3, 11):
    raise WorkflowError(
        f"dcac needs Python 3.11 or newer, this is {sys.version.split()[0]}: make the environment with python3.11"
    )
checkout = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
if (checkout / "dcac").is_dir():  # its own code plans and computes, in every environment, whatever clone is installed
    sys.path.insert(0, str(checkout))
    shell.prefix(f"export PYTHONPATH={shlex.quote(str(checkout))}${{{{PYTHONPATH:+:$PYTHONPATH}}}}; ")
try:
    from dcac import cluster, declared, gpus, suites
    from dcac.closed import ConfigError
    from dcac.places import Here, InStorage
    from dcac.planning import Plan
    from dcac.provenance.networks import MANIFEST
    from dcac.standing import Standing
except ImportError as error:
    raise WorkflowError(f"the environment of Snakemake lacks what dcac needs ({error}): run `pip install -e .` first")


def stored(path):
    """The object of a path `results/...` in the storage that all inputs and outputs go to; a new one at each call."""
    return workflow.inputfile(path).storage_object


STORED = workflow.storage_settings.default_storage_provider is not None  # --default-storage-provider
try:
    PLAN = Plan.read(given=config, results=InStorage(stored) if STORED else Here())
    PLAN.require_planned(word for word in sys.argv[1:] if word.startswith("results/"))
except ConfigError as error:
    raise WorkflowError(str(error))
SUITE = PLAN.suite
STANDING = Standing(PLAN)
for line in PLAN.notices if workflow.is_main_process else ():
    logger.warning(line)

GPU = 0 if SUITE.device == "cpu" else 1
GPUS_PER_TRAINING = GPU * PLAN.project.runtime.gpus_per_training
THREADS = 1 if SUITE.device == "cpu" else 8
LIGHT = "../../envs/light.yaml"  # data, scores and tables: no PyTorch
HEAVY = "../../envs/torch.yaml"
NETWORK = "results/weights/{weights}"  # a folder, whose files its manifest lists
NETWORK = directory(NETWORK) if STORED else f"{NETWORK}/manifest.json"


wildcard_constraints:
    suite=PLAN.pattern([PLAN.project.suite]),
    dataset=PLAN.pattern(PLAN.cards),
    target=PLAN.pattern(PLAN.cards),
    weights=PLAN.pattern(PLAN.weights),
    prior=PLAN.pattern([name for name, card in PLAN.weights.items() if card.kind == "diffusion"]),
    variant=PLAN.pattern(PLAN.variants),
    reference=PLAN.pattern(suites.REFERENCES),
    network=PLAN.pattern(PLAN.networks),
    sources=r"[A-Za-z0-9-]+(\+[A-Za-z0-9-]+)*",
    seed=r"\d+",
    table=PLAN.pattern(SUITE.tables),
    figure=PLAN.pattern(SUITE.figures or ["none"]),


def limit_to_machine():
    """Let no more jobs run at one time than this machine has GPUs and memory for, unless the command line says otherwise."""
    limits = {
        "gpu": max(1, len(gpus.cards())),
        "mem_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 10**6,
    }
    for name, most in limits.items():
        if name not in workflow.global_resources:
            workflow.register_resource(name, most)


def asked(*, gpus=0):
    """Resources that a job on a cluster asks for beside its own memory and time, as `cluster:` of the configuration says."""
    chosen = PLAN.project.cluster
    wanted = {
        "slurm_account": chosen.account,
        "slurm_partition": chosen.gpu_partition if gpus and chosen.gpu_partition else chosen.partition,
        "qos": chosen.qos,
        "constraint": chosen.constraint if gpus else None,
        "gres": f"gpu:{gpus}" if gpus and chosen.gpu_request == "gres" else None,
        "gpu": 0 if chosen.gpu_request == "gres" else gpus,
        "nodes": 1 if gpus > 1 else None,  # else cards of several might be given
    }
    return {name: value for name, value in wanted.items() if value is not None}


def memory(base, *, inputs):
    """Resource function: the MB of a network and its batches, and what grows with the data, a multiple of the input files.

    Decoded pictures are not in it: they are mapped from `results/.cache`, and the system drops their pages when it needs them.
    """

    def needed(wildcards, input):
        return base + math.ceil(inputs * sum(map(size, input)) / 1e6)

    return needed


def size(path):
    """Bytes of an input file; 0 where it is still to be made."""
    if path.is_storage:
        return path.storage_object.size() if path.storage_object.exists() else 0
    return Path(path).stat().st_size if Path(path).is_file() else 0


@cache
def asks_for_all():
    """Whether every job names all its inputs: where jobs are forced or the graph is looked at, and in jobs' own processes.

    Elsewhere records decide what is due, not times, parameters, environments or sets of inputs: what stands asks for
    nothing, what is due runs. (Settings of the graph are not known before input functions are called; then they stay.)
    """
    chosen = workflow.dag_settings
    chosen.rerun_triggers = frozenset()
    if workflow.local_exec:
        limit_to_machine()
    else:  # a cluster knows its own limits
        cluster.follow_jobs()
    looked_at = {"--report", "--dag", "--rulegraph", "--filegraph", "--d3dag"} & set(sys.argv)
    return bool(not workflow.is_main_process or chosen.forceall or chosen.forcerun or looked_at)


def made(rule, wildcards):
    """What a job of a rule makes."""
    w, make = wildcards, STANDING.artefacts
    run = [
        int(value) if name == "seed" else value for name, value in w.items() if name in ("variant", "sources", "seed")
    ]
    several = {
        "extract": lambda: [make.features(*run, target) for target in SUITE.evaluated],
        "reference": lambda: [make.reference(w.reference, target) for target in SUITE.evaluated],
        "embed": lambda: [make.reference(w.network, target) for target in SUITE.evaluated],
    }
    one = {
        "data": lambda: make.data(w.dataset),
        "network": lambda: make.network(w.weights),
        "latents": lambda: make.latents(w.dataset, w.prior),
        "write_config": lambda: make.config(w.variant, w.sources),
        "train": lambda: make.run(*run),
        "rehearse": lambda: make.rehearsal(*run),
        "overhead": lambda: make.overhead(*run),
        "samples": lambda: make.samples(*run),
        "correlation": lambda: make.correlation(*run),
        "attention": lambda: make.attention(*run, w.target),
        "score": lambda: make.score(*run, w.target),
        "records": lambda: make.records(w.table),
        "table": lambda: make.table(w.table),
        "figure": lambda: make.figure(w.figure),
        "report": lambda: make.report(),
        "metrics": lambda: make.metrics(),
        "show_table": lambda: make.shown(make.table(w.table)),
        "show_figure": lambda: make.shown(make.figure(w.figure)),
        "show_report": lambda: make.shown(make.report()),
        "show_metrics": lambda: make.shown(make.metrics()),
    }
    return several[rule]() if rule in several else [one[rule]()]


def is_due(rule, wildcards):
    """Whether a job has to run; what lies there and no longer stands is forced to be made again."""
    due = [artefact for artefact in made(rule, wildcards) if STANDING.due(artefact)]
    stale = (path for artefact in due for path in artefact.outputs if PLAN.results.has(path))
    workflow.dag.forcefiles.update(place(declared_as(path)) for path in stale)
    return bool(due)


def if_due(rule, paths):
    """Input function: the paths that a pattern or function names, or nothing where the job's results stand."""

    def needed(wildcards):
        if not (asks_for_all() or is_due(rule, wildcards)):
            return []
        return whole(named(paths, wildcards))

    return needed


def named(paths, wildcards):
    """The paths that a pattern or function names."""
    return paths(wildcards) if callable(paths) else paths.format(**dict(wildcards.items()))


def whole(paths):
    """With a storage, which brings what is named and nothing else, the paths with all that is read along with them."""
    if not STORED:
        return paths
    given = [paths] if isinstance(paths, str) else paths
    return list(dict.fromkeys(file for path in given for file in STANDING.artefacts.read_with(path)))


def declared_as(path):
    """The declared output that a file is, or lies in; a storage keeps a network as one folder."""
    return str(Path(path).parent) if STORED and Path(path).name == MANIFEST else path


def place(word):
    """Where a job finds or makes `results/...`: there, or where the storage's copy of it lies; other words stay."""
    return str(stored(word).local_path()) if STORED and word.startswith("results/") else word


def at(paths):
    """Parameter: the paths that a pattern or function names, for a command."""

    def places(wildcards):
        words = named(paths, wildcards)
        return place(words) if isinstance(words, str) else [place(word) for word in words]

    return places if STORED or isinstance(paths, str) else paths


def copied(rule):
    """Input function: files of the suite's own folder that a rule shows under the name of the active suite's."""

    def originals(wildcards):
        return list(made(rule, wildcards)[0].copied)

    return originals


def nothing(wildcards):
    """No input: what is made from configuration, an archive or a hub alone."""
    return []


def settings(wildcards):
    """Settings of the run that the wildcards name."""
    return PLAN.settings(wildcards.variant, wildcards.sources)


def network(name):
    """What stands for a network among inputs: its manifest, or with a storage its folder."""
    return declared_as(f"results/weights/{name}/{MANIFEST}")


def reference_encoder(wildcards):
    """The encoder that references use."""
    return network(PLAN.common_settings.encoder_weights)


def target_stores(wildcards):
    """Normalised files of every target that some protocol of the suite scores."""
    return [f"results/data/{code}.parquet" for code in SUITE.evaluated]


def source_stores(wildcards):
    """Normalised files of the run's sources."""
    return [f"results/data/{code}.parquet" for code in suites.split_sources(wildcards.sources)]


def source_latents(wildcards):
    """Cached latents of the run's sources; the baseline needs none."""
    autoencoder = declared.needed(settings(wildcards), "latents")
    codes = suites.split_sources(wildcards.sources) if autoencoder else []
    return [f"results/latents/{code}-{autoencoder}.safetensors" for code in codes]


def encoder_manifest(wildcards):
    """The run's pre-trained encoder."""
    return network(settings(wildcards).encoder_weights)


def pretraining_store(wildcards):
    """Normalised file that one of the demo's networks is pre-trained on."""
    return f"results/data/{PLAN.recipe(wildcards.weights).data}.parquet"


def prior_manifest(wildcards):
    """The run's diffusion prior; the baseline needs none."""
    prior = declared.needed(settings(wildcards), "prior")
    return [network(prior)] if prior else []


def network_manifests(wildcards):
    """Manifests of the networks beside the encoder that a run is built with; the baseline needs none."""
    return [network(card) for card in declared.networks(settings(wildcards)).values()]


def network_options(wildcards):
    """The options that name these networks."""
    words = []
    for name, card in declared.networks(settings(wildcards)).items():
        given = place(network(card))
        words += ["--prior", given] if name == "prior" else ["--network", f"{name}={given}"]
    return words


def learnt_from(wildcards):
    """Files that a run learns from: its sources and, where it has a prior, their cached latents."""
    return source_stores(wildcards) + source_latents(wildcards)


def prior_option(wildcards):
    """The option that names a run's prior; nothing for the baseline."""
    return [word for manifest in prior_manifest(wildcards) for word in ("--prior", manifest)]


def rehearsed_store(wildcards):
    """Normalised file of the target of which a rehearsal scores a slice."""
    return f"results/data/{PLAN.rehearsed_target(wildcards.sources)}.parquet"


def rehearsal(wildcards):
    """The rehearsal that a training on a GPU waits for; on a CPU there is none unless it is asked for."""
    return f"results/{wildcards.suite}/rehearsals/{wildcards.variant}/{wildcards.sources}.json" if GPU else []


def network_manifest(wildcards):
    """The network that stands among the references."""
    return network(wildcards.network)


def cached_prior(wildcards):
    """The prior whose autoencoder makes latents."""
    return network(wildcards.prior)


def metric_option(wildcards):
    """The option that names the distance of a network whose card fixes another than cosine, or none."""
    metric = PLAN.metric(wildcards.variant)
    return [] if metric == "cosine" else ["--metric", metric]


def against_option(wildcards):
    """The option that names the feature file a variant is compared with; nothing for one without a partner."""
    return [word for path in paired_features(wildcards) for word in ("--against", path)]


def accepted_option(wildcards):
    """The options that name a table's runs whose code a person accepted."""
    return accepted_in([wildcards.table])


def accepted_in(tables):
    """The same for several tables."""
    return [word for path in STANDING.artefacts.accepted(*tables) for word in ("--accepted", path)]


def accepted_runs(wildcards):
    """Reports of a table's runs whose code a person accepted, where a storage has to bring them."""
    return STANDING.artefacts.accepted(wildcards.table) if STORED else []


def archive(wildcards):
    """Where the archive or folder of a data set lies, or the folder where it is expected."""
    return PLAN.import_source(wildcards.dataset)


def paired_features(wildcards):
    """Features of a variant's baseline on the same source, seed and target, for the paired bootstrap."""
    partner = PLAN.partner(wildcards.variant)
    run = f"{wildcards.sources}/seed{wildcards.seed}/{wildcards.target}.npz"
    return [] if partner is None else [f"results/{wildcards.suite}/features/{partner}/{run}"]


def table_scores(wildcards):
    """Every score that a table needs: runs and references."""
    return PLAN.scores(wildcards.table)


def table_overheads(wildcards):
    """Every measurement that a table of overhead needs."""
    return PLAN.overheads(wildcards.table)


def figure_inputs(wildcards):
    """What a figure is drawn from."""
    return PLAN.figure_inputs(wildcards.figure)


def table_records(wildcards):
    """The records of a table."""
    return [f"results/{PLAN.project.suite}/records/{wildcards.table}.csv"]


def all_records(wildcards):
    """Records of every table of scores that the suite makes by itself."""
    return expand("results/{suite}/records/{table}.csv", suite=PLAN.project.suite, table=PLAN.reported)


def report_inputs(wildcards):
    """What the page of the suite is made of."""
    return [*PLAN.report_inputs(), *STANDING.artefacts.reported_figures()]


def report_words(wildcards):
    """The options of the page that name accepted runs, and what is not possible here."""
    return accepted_in(PLAN.reported) + [word for notice in PLAN.notices for word in ("--told", notice)]


def table_labels(wildcards):
    """What a table is called in the report of Snakemake."""
    return {"title": SUITE.tables[wildcards.table].title}


def figure_labels(wildcards):
    """What a figure is called in the report of Snakemake."""
    return {"title": SUITE.figures[wildcards.figure].title}


def outputs(*, on_demand):
    """Every table and figure in every format and, by itself, the page of the suite; or those made when asked for."""
    tables = [name for name, table in SUITE.tables.items() if table.on_demand == on_demand]
    figures = [name for name, figure in SUITE.figures.items() if figure.on_demand == on_demand]
    return [
        *expand("results/tables/{table}.{suffix}", table=tables, suffix=["md", "html", "tex", "csv", "json"]),
        *expand("results/figures/{figure}.{suffix}", figure=figures, suffix=["pdf", "svg", "png", "json"]),
        *(["results/report.html", "results/report.json"] if PLAN.reported and not on_demand else []),
    ]


def rehearsals():
    """The rehearsals of all trainings of the suite."""
    return [
        f"results/{PLAN.project.suite}/rehearsals/{variant}/{sources}.json" for variant, sources in PLAN.trainings()
    ]
