"""Normalised files: rendered demo domains and imported data sets."""


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
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    shell:
        "dcac data render {wildcards.dataset:q} --out {output.store:q} >> {log:q} 2>&1"


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
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        source=lambda wildcards: PLAN.import_source(wildcards.dataset),
    shell:
        "dcac data import {params.source:q}"
        " --dataset {wildcards.dataset:q}"
        " --out {output.store:q} >> {log:q} 2>&1"
