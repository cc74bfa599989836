"""Normalised files of demo domains and of real data sets.

In: cards of config/datasets.yaml, archives or folders below data_root. Out: results/data/{dataset}.parquet with its sidecar.
Steps: render, import_data.
"""


rule render:
    """Render a synthetic domain."""
    input:
        if_due("data", nothing),
    output:
        store="results/data/{dataset}.parquet",
        sidecar="results/data/{dataset}.json",
    log:
        "results/logs/render/{dataset}.log",
    benchmark:
        "results/benchmarks/render/{dataset}.tsv"
    wildcard_constraints:
        dataset=PLAN.pattern(PLAN.synthetic),
    conda:
        LIGHT
    threads: 1
    resources:
        **asked(),
        mem_mb=1000,
        runtime=30,
    shell:
        "python -m dcac --log {log:q} data render {wildcards.dataset:q} --out {output.store:q}"


rule import_data:
    """Turn an archive or folder of a real data set into its normalised file; stops on any unexpected count."""
    input:
        if_due("data", nothing),
    output:
        store="results/data/{dataset}.parquet",
        sidecar="results/data/{dataset}.json",
    log:
        "results/logs/import_data/{dataset}.log",
    benchmark:
        "results/benchmarks/import_data/{dataset}.tsv"
    wildcard_constraints:
        dataset=PLAN.pattern(PLAN.real),
    conda:
        LIGHT
    threads: 2
    resources:
        **asked(),
        mem_mb=2000,
        runtime=120,
    params:
        source=archive,
    shell:
        "python -m dcac --log {log:q} data import {params.source:q}"
        " --dataset {wildcards.dataset:q}"
        " --out {output.store:q}"
