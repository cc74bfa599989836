"""Training: one job a source set, variant and seed, which serves all targets.

In: settings of config/, normalised files, latents, networks. Out: results/{suite}/runs/; before it, on GPUs, rehearsals/; on
demand overhead/.
Steps: write_config, rehearse, train, overhead.
"""


rule write_config:
    """Write the merged settings of a run, and nothing else."""
    input:
        if_due("write_config", nothing),
    output:
        config="results/{suite}/runs/{variant}/{sources}/config.yaml",
    log:
        "results/logs/write_config/{suite}-{variant}-{sources}.log",
    benchmark:
        "results/benchmarks/write_config/{suite}-{variant}-{sources}.tsv"
    conda:
        LIGHT
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    shell:
        "python -m dcac --log {log:q} write_config --suite {wildcards.suite:q}"
        " --variant {wildcards.variant:q}"
        " --sources {wildcards.sources:q}"
        " --out {output.config:q}"


rule rehearse:
    """Try the first steps of a training and all that follows it, so that what would fail in hours fails in minutes."""
    input:
        config=if_due("rehearse", "results/{suite}/runs/{variant}/{sources}/config.yaml"),
        learnt_from=if_due("rehearse", learnt_from),
        encoder=if_due("rehearse", encoder_manifest),
        networks=if_due("rehearse", network_manifests),
        target=if_due("rehearse", rehearsed_store),
    output:
        report="results/{suite}/rehearsals/{variant}/{sources}.json",
    log:
        "results/logs/rehearse/{suite}-{variant}-{sources}.log",
    benchmark:
        "results/benchmarks/rehearse/{suite}-{variant}-{sources}.tsv"
    conda:
        HEAVY
    threads: THREADS
    resources:
        **asked(gpus=GPUS_PER_TRAINING),
        mem_mb=memory(3000 if GPU == 0 else 32000 * GPUS_PER_TRAINING, inputs=3),
        runtime=60,
        device=SUITE.device,
    params:
        config=at("results/{suite}/runs/{variant}/{sources}/config.yaml"),
        learnt_from=at(learnt_from),
        encoder=at(encoder_manifest),
        networks=at(network_options),
        target=at(rehearsed_store),
    shell:
        "python -m dcac --log {log:q} rehearse {params.learnt_from:q}"
        " --target {params.target:q}"
        " --config {params.config:q}"
        " --encoder {params.encoder:q}"
        " {params.networks:q}"
        " --suite {wildcards.suite:q}"
        " --variant {wildcards.variant:q}"
        " --sources {wildcards.sources:q}"
        " --device {resources.device}"
        " --out {output.report:q}"


rule train:
    """Train a run; a job that was killed continues where it stopped, from the undeclared folder seed{seed}.state."""
    input:
        config=if_due("train", "results/{suite}/runs/{variant}/{sources}/config.yaml"),
        learnt_from=if_due("train", learnt_from),
        encoder=if_due("train", encoder_manifest),
        networks=if_due("train", network_manifests),
        rehearsal=if_due("train", rehearsal),
    output:
        weights="results/{suite}/runs/{variant}/{sources}/seed{seed}/weights.safetensors",
        log="results/{suite}/runs/{variant}/{sources}/seed{seed}/log.jsonl",
        report="results/{suite}/runs/{variant}/{sources}/seed{seed}/run.json",
    log:
        "results/logs/train/{suite}-{variant}-{sources}-seed{seed}.log",
    benchmark:
        "results/benchmarks/train/{suite}-{variant}-{sources}-seed{seed}.tsv"
    conda:
        HEAVY
    threads: THREADS
    resources:
        **asked(gpus=GPUS_PER_TRAINING),
        mem_mb=memory(3000 if GPU == 0 else 32000 * GPUS_PER_TRAINING, inputs=3),
        runtime=60 if GPU == 0 else 60 * PLAN.project.cluster.hours,
        device=SUITE.device,
    params:
        config=at("results/{suite}/runs/{variant}/{sources}/config.yaml"),
        learnt_from=at(learnt_from),
        encoder=at(encoder_manifest),
        networks=at(network_options),
    shell:
        "python -m dcac --log {log:q} train {params.learnt_from:q}"
        " --config {params.config:q}"
        " --encoder {params.encoder:q}"
        " {params.networks:q}"
        " --seed {wildcards.seed}"
        " --device {resources.device}"
        " --out {output.report:q}"


rule overhead:
    """Measure what a step of a run costs: time, memory, parameters; give it a machine of its own for figures to quote."""
    input:
        config=if_due("overhead", "results/{suite}/runs/{variant}/{sources}/config.yaml"),
        learnt_from=if_due("overhead", learnt_from),
        encoder=if_due("overhead", encoder_manifest),
        networks=if_due("overhead", network_manifests),
    output:
        measurement="results/{suite}/overhead/{variant}/{sources}.json",
    log:
        "results/logs/overhead/{suite}-{variant}-{sources}.log",
    benchmark:
        "results/benchmarks/overhead/{suite}-{variant}-{sources}.tsv"
    conda:
        HEAVY
    threads: THREADS
    resources:
        **asked(gpus=GPU),
        mem_mb=memory(3000 if GPU == 0 else 32000, inputs=3),
        runtime=60,
        device=SUITE.device,
    params:
        config=at("results/{suite}/runs/{variant}/{sources}/config.yaml"),
        learnt_from=at(learnt_from),
        encoder=at(encoder_manifest),
        networks=at(network_options),
    shell:
        "python -m dcac --log {log:q} overhead {params.learnt_from:q}"
        " --config {params.config:q}"
        " --encoder {params.encoder:q}"
        " {params.networks:q}"
        " --variant {wildcards.variant:q}"
        " --sources {wildcards.sources:q}"
        " --device {resources.device}"
        " --out {output.measurement:q}"
