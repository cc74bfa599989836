"""Features and scores of every run and reference on every target."""


rule extract:
    """Extract the test features of a run on every target of the suite; one load of the model serves them all."""
    input:
        config=if_due("extract", "results/{suite}/runs/{variant}/{sources}/config.yaml"),
        report=if_due("extract", "results/{suite}/runs/{variant}/{sources}/seed{seed}/run.json"),
        weights=if_due("extract", "results/{suite}/runs/{variant}/{sources}/seed{seed}/weights.safetensors"),
        encoder=if_due("extract", encoder_manifest),
        stores=if_due("extract", target_stores),
    output:
        features=expand(
            "results/{{suite}}/features/{{variant}}/{{sources}}/seed{{seed}}/{target}.npz", target=PLAN.suite.evaluated
        ),
        sidecars=expand(
            "results/{{suite}}/features/{{variant}}/{{sources}}/seed{{seed}}/{target}.npz.json",
            target=PLAN.suite.evaluated,
        ),
    log:
        "results/logs/extract/{suite}-{variant}-{sources}-seed{seed}.log",
    benchmark:
        "results/benchmarks/extract/{suite}-{variant}-{sources}-seed{seed}.tsv"
    conda:
        ENVIRONMENT
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=2000 if GPU == 0 else 16000,
        runtime=60,
        device=SUITE.device,
    params:
        stores=lambda wildcards: repeated("--store", target_stores(wildcards)),
        encoder=lambda wildcards: folder(encoder_manifest(wildcards)),
    shell:
        "dcac extract --run results/{wildcards.suite:q}/runs/{wildcards.variant:q}/{wildcards.sources:q}/seed{wildcards.seed}"
        " --config results/{wildcards.suite:q}/runs/{wildcards.variant:q}/{wildcards.sources:q}/config.yaml"
        " --encoder {params.encoder:q}"
        " {params.stores:q}"
        " --suite {wildcards.suite:q}"
        " --variant {wildcards.variant:q}"
        " --sources {wildcards.sources:q}"
        " --seed {wildcards.seed}"
        " --device {resources.device}"
        " --out $(dirname {output.features[0]:q}) >> {log:q} 2>&1"


rule samples:
    """Denoise training images under their own, a uniform and another image's condition."""
    input:
        config="results/{suite}/runs/{variant}/{sources}/config.yaml",
        report="results/{suite}/runs/{variant}/{sources}/seed{seed}/run.json",
        weights="results/{suite}/runs/{variant}/{sources}/seed{seed}/weights.safetensors",
        encoder=encoder_manifest,
        prior=prior_manifest,
        stores=source_stores,
        latents=source_latents,
    output:
        samples="results/{suite}/samples/{variant}/{sources}/seed{seed}.npz",
    log:
        "results/logs/samples/{suite}-{variant}-{sources}-seed{seed}.log",
    benchmark:
        "results/benchmarks/samples/{suite}-{variant}-{sources}-seed{seed}.tsv"
    conda:
        ENVIRONMENT
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=2000 if GPU == 0 else 16000,
        runtime=60,
    params:
        stores=lambda wildcards, input: repeated("--store", input.stores),
        latents=lambda wildcards, input: repeated("--latents", input.latents),
        device=SUITE.device,
        code=fingerprint("samples"),
    shell:
        "dcac samples --run $(dirname {input.report:q})"
        " --config {input.config:q}"
        " --encoder $(dirname {input.encoder:q})"
        " --prior $(dirname {input.prior:q})"
        " {params.stores:q}"
        " {params.latents:q}"
        " --device {params.device}"
        " --out {output.samples:q} >> {log:q} 2>&1"


rule correlation:
    """Find training people whom a run takes for each other."""
    input:
        config="results/{suite}/runs/{variant}/{sources}/config.yaml",
        report="results/{suite}/runs/{variant}/{sources}/seed{seed}/run.json",
        weights="results/{suite}/runs/{variant}/{sources}/seed{seed}/weights.safetensors",
        encoder=encoder_manifest,
        stores=source_stores,
    output:
        correlation="results/{suite}/correlation/{variant}/{sources}/seed{seed}.npz",
    log:
        "results/logs/correlation/{suite}-{variant}-{sources}-seed{seed}.log",
    benchmark:
        "results/benchmarks/correlation/{suite}-{variant}-{sources}-seed{seed}.tsv"
    conda:
        ENVIRONMENT
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=2000 if GPU == 0 else 16000,
        runtime=60,
    params:
        stores=lambda wildcards, input: repeated("--store", input.stores),
        device=SUITE.device,
        code=fingerprint("correlation"),
    shell:
        "dcac correlation --run $(dirname {input.report:q})"
        " --config {input.config:q}"
        " --encoder $(dirname {input.encoder:q})"
        " {params.stores:q}"
        " --device {params.device}"
        " --out {output.correlation:q} >> {log:q} 2>&1"


rule reference:
    """Extract the features of a reference on every target: chance, colour histogram, or the encoder not fine-tuned."""
    input:
        encoder=if_due("reference", reference_encoder),
        stores=if_due("reference", target_stores),
    output:
        features=expand("results/{{suite}}/features/{{reference}}/none/seed0/{target}.npz", target=PLAN.suite.evaluated),
        sidecars=expand(
            "results/{{suite}}/features/{{reference}}/none/seed0/{target}.npz.json", target=PLAN.suite.evaluated
        ),
    log:
        "results/logs/reference/{suite}-{reference}.log",
    benchmark:
        "results/benchmarks/reference/{suite}-{reference}.tsv"
    conda:
        ENVIRONMENT
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=2000,
        runtime=60,
        device=SUITE.device,
    params:
        stores=lambda wildcards: repeated("--store", target_stores(wildcards)),
        encoder=lambda wildcards: folder(reference_encoder(wildcards)),
    shell:
        "dcac reference {wildcards.reference:q}"
        " --encoder {params.encoder:q}"
        " {params.stores:q}"
        " --suite {wildcards.suite:q}"
        " --device {resources.device}"
        " --out $(dirname {output.features[0]:q}) >> {log:q} 2>&1"


rule score:
    """Score the features of a run or reference; a variant is also compared with its baseline, query by query."""
    input:
        features="results/{suite}/features/{variant}/{sources}/seed{seed}/{target}.npz",
        against=paired_features,
    output:
        score="results/{suite}/scores/{variant}/{sources}/seed{seed}/{target}.json",
        queries="results/{suite}/scores/{variant}/{sources}/seed{seed}/{target}.queries.parquet",
    log:
        "results/logs/score/{suite}-{variant}-{sources}-seed{seed}-{target}.log",
    benchmark:
        "results/benchmarks/score/{suite}-{variant}-{sources}-seed{seed}-{target}.tsv"
    wildcard_constraints:
        variant=PLAN.pattern([*PLAN.variants, *SUITE.references]),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        against=lambda wildcards, input: repeated("--against", input.against),
        code=fingerprint("score"),
    shell:
        "dcac score --features {input.features:q}" " {params.against:q}" " --out {output.score:q} >> {log:q} 2>&1"
