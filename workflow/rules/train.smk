"""Training: one job a source set, variant and seed; it serves all targets."""


rule write_config:
    """Write the merged settings of a run, and nothing else."""
    output:
        config="results/{suite}/runs/{variant}/{sources}/config.yaml",
    log:
        "results/logs/write_config/{suite}-{variant}-{sources}.log",
    benchmark:
        "results/benchmarks/write_config/{suite}-{variant}-{sources}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        settings=settings_text,
    shell:
        "dcac write_config --suite {wildcards.suite:q}"
        " --variant {wildcards.variant:q}"
        " --sources {wildcards.sources:q}"
        " --out {output.config:q} >> {log:q} 2>&1"


rule train:
    """Train a run; a job that was killed continues where it stopped, from the undeclared folder seed{seed}.state."""
    input:
        config=if_due("train", "results/{suite}/runs/{variant}/{sources}/config.yaml"),
        stores=if_due("train", source_stores),
        latents=if_due("train", source_latents),
        encoder=if_due("train", encoder_manifest),
        prior=if_due("train", prior_manifest),
    output:
        weights="results/{suite}/runs/{variant}/{sources}/seed{seed}/weights.safetensors",
        log="results/{suite}/runs/{variant}/{sources}/seed{seed}/log.jsonl",
        report="results/{suite}/runs/{variant}/{sources}/seed{seed}/run.json",
    log:
        "results/logs/train/{suite}-{variant}-{sources}-seed{seed}.log",
    benchmark:
        "results/benchmarks/train/{suite}-{variant}-{sources}-seed{seed}.tsv"
    conda:
        ENVIRONMENT
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=3000 if GPU == 0 else 32000,
        runtime=60 if GPU == 0 else 2880,
        device=SUITE.device,
    params:
        stores=lambda wildcards: repeated("--store", source_stores(wildcards)),
        latents=lambda wildcards: repeated("--latents", source_latents(wildcards)),
        encoder=lambda wildcards: folder(encoder_manifest(wildcards)),
        prior=lambda wildcards: repeated("--prior", folder(prior_manifest(wildcards))),
    shell:
        "dcac train --config results/{wildcards.suite:q}/runs/{wildcards.variant:q}/{wildcards.sources:q}/config.yaml"
        " {params.stores:q}"
        " {params.latents:q}"
        " --encoder {params.encoder:q}"
        " {params.prior:q}"
        " --seed {wildcards.seed}"
        " --device {resources.device}"
        " --out $(dirname {output.report:q}) >> {log:q} 2>&1"


rule overhead:
    """Measure what a step of a run costs: time, memory, parameters; give it a machine of its own for figures to quote."""
    input:
        config="results/{suite}/runs/{variant}/{sources}/config.yaml",
        stores=source_stores,
        latents=source_latents,
        encoder=encoder_manifest,
        prior=prior_manifest,
    output:
        measurement="results/{suite}/overhead/{variant}/{sources}.json",
    log:
        "results/logs/overhead/{suite}-{variant}-{sources}.log",
    benchmark:
        "results/benchmarks/overhead/{suite}-{variant}-{sources}.tsv"
    conda:
        ENVIRONMENT
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=3000 if GPU == 0 else 32000,
        runtime=60,
    params:
        stores=lambda wildcards, input: repeated("--store", input.stores),
        latents=lambda wildcards, input: repeated("--latents", input.latents),
        prior=lambda wildcards, input: repeated("--prior", [manifest.rpartition("/")[0] for manifest in input.prior]),
        device=SUITE.device,
        runtime=PLAN.project.runtime.model_dump_json(),
        code=fingerprint("overhead"),
    shell:
        "dcac overhead --config {input.config:q}"
        " {params.stores:q}"
        " {params.latents:q}"
        " --encoder $(dirname {input.encoder:q})"
        " {params.prior:q}"
        " --variant {wildcards.variant:q}"
        " --sources {wildcards.sources:q}"
        " --device {params.device}"
        " --out {output.measurement:q} >> {log:q} 2>&1"
