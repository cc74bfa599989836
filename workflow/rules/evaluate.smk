"""Features and scores of every run and reference on every target; on demand, a look into a run.

In: trained runs, networks, normalised files. Out: results/{suite}/features/, scores/, samples/, correlation/, attention/.
Steps: extract, reference, embed, score, samples, correlation, attention.
"""


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
        HEAVY
    threads: THREADS
    resources:
        **asked(gpus=GPU),
        mem_mb=memory(2000 if GPU == 0 else 16000, inputs=1),
        runtime=60,
        device=SUITE.device,
    params:
        report=at("results/{suite}/runs/{variant}/{sources}/seed{seed}/run.json"),
        config=at("results/{suite}/runs/{variant}/{sources}/config.yaml"),
        encoder=at(encoder_manifest),
        stores=at(target_stores),
        out=at("results/{suite}/features/{variant}/{sources}/seed{seed}"),
    shell:
        "python -m dcac --log {log:q} extract {params.stores:q}"
        " --run {params.report:q}"
        " --config {params.config:q}"
        " --encoder {params.encoder:q}"
        " --suite {wildcards.suite:q}"
        " --variant {wildcards.variant:q}"
        " --sources {wildcards.sources:q}"
        " --seed {wildcards.seed}"
        " --device {resources.device}"
        " --out {params.out:q}"


rule reference:
    """Extract the features of a reference without a network on every target: chance, or colour histograms."""
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
    wildcard_constraints:
        reference="chance|histogram",
    conda:
        LIGHT
    threads: 1
    resources:
        **asked(),
        mem_mb=memory(2000, inputs=2),
        runtime=60,
        device="cpu",
    params:
        encoder=at(reference_encoder),
        stores=at(target_stores),
        out=at("results/{suite}/features/{reference}/none/seed0"),
    shell:
        "python -m dcac --log {log:q} reference {wildcards.reference:q} {params.stores:q}"
        " --encoder {params.encoder:q}"
        " --suite {wildcards.suite:q}"
        " --device {resources.device}"
        " --out {params.out:q}"


use rule reference as pretrained with:
    # The same for the encoder not fine-tuned, which computes on a card where there is one.
    wildcard_constraints:
        reference="pretrained",
    conda:
        HEAVY
    threads: THREADS
    resources:
        **asked(gpus=GPU),
        mem_mb=memory(2000, inputs=2),
        runtime=60,
        device=SUITE.device,


rule embed:
    """Embed the test images of every target with a network of a card, whoever trained it."""
    input:
        network=if_due("embed", network_manifest),
        stores=if_due("embed", target_stores),
    output:
        features=expand(
            "results/{{suite}}/features/{{network}}/{{sources}}/seed0/{target}.npz", target=PLAN.suite.evaluated
        ),
        sidecars=expand(
            "results/{{suite}}/features/{{network}}/{{sources}}/seed0/{target}.npz.json", target=PLAN.suite.evaluated
        ),
    log:
        "results/logs/embed/{suite}-{network}-{sources}.log",
    benchmark:
        "results/benchmarks/embed/{suite}-{network}-{sources}.tsv"
    conda:
        HEAVY
    threads: THREADS
    resources:
        **asked(gpus=GPU),
        mem_mb=memory(2000 if GPU == 0 else 16000, inputs=1),
        runtime=60,
        device=SUITE.device,
    params:
        network=at(network_manifest),
        stores=at(target_stores),
        out=at("results/{suite}/features/{network}/{sources}/seed0"),
    shell:
        "python -m dcac --log {log:q} embed {wildcards.network:q} {params.stores:q}"
        " --weights {params.network:q}"
        " --suite {wildcards.suite:q}"
        " --sources {wildcards.sources:q}"
        " --device {resources.device}"
        " --out {params.out:q}"


rule score:
    """Score the features of a run or reference; a variant is also compared with its baseline, query by query."""
    input:
        features=if_due("score", "results/{suite}/features/{variant}/{sources}/seed{seed}/{target}.npz"),
        against=if_due("score", paired_features),
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
        LIGHT
    threads: 1
    resources:
        **asked(),
        mem_mb=memory(2000, inputs=2),
        runtime=30,
    params:
        features=at("results/{suite}/features/{variant}/{sources}/seed{seed}/{target}.npz"),
        against=at(against_option),
        metric=metric_option,
    shell:
        "python -m dcac --log {log:q} score {params.features:q} {params.against:q} {params.metric:q} --out {output.score:q}"


rule samples:
    """Denoise training images under their own, no and another image's condition."""
    input:
        config=if_due("samples", "results/{suite}/runs/{variant}/{sources}/config.yaml"),
        report=if_due("samples", "results/{suite}/runs/{variant}/{sources}/seed{seed}/run.json"),
        weights=if_due("samples", "results/{suite}/runs/{variant}/{sources}/seed{seed}/weights.safetensors"),
        encoder=if_due("samples", encoder_manifest),
        prior=if_due("samples", prior_manifest),
        learnt_from=if_due("samples", learnt_from),
    output:
        samples="results/{suite}/samples/{variant}/{sources}/seed{seed}.npz",
        sidecar="results/{suite}/samples/{variant}/{sources}/seed{seed}.npz.json",
    log:
        "results/logs/samples/{suite}-{variant}-{sources}-seed{seed}.log",
    benchmark:
        "results/benchmarks/samples/{suite}-{variant}-{sources}-seed{seed}.tsv"
    conda:
        HEAVY
    threads: THREADS
    resources:
        **asked(gpus=GPU),
        mem_mb=memory(2000 if GPU == 0 else 16000, inputs=1),
        runtime=60,
        device=SUITE.device,
    params:
        report=at("results/{suite}/runs/{variant}/{sources}/seed{seed}/run.json"),
        config=at("results/{suite}/runs/{variant}/{sources}/config.yaml"),
        encoder=at(encoder_manifest),
        prior=at(prior_option),
        learnt_from=at(learnt_from),
    shell:
        "python -m dcac --log {log:q} samples {params.learnt_from:q}"
        " --run {params.report:q}"
        " --config {params.config:q}"
        " --encoder {params.encoder:q}"
        " {params.prior:q}"
        " --device {resources.device}"
        " --out {output.samples:q}"


rule correlation:
    """Find training people whom a run takes for each other."""
    input:
        config=if_due("correlation", "results/{suite}/runs/{variant}/{sources}/config.yaml"),
        report=if_due("correlation", "results/{suite}/runs/{variant}/{sources}/seed{seed}/run.json"),
        weights=if_due("correlation", "results/{suite}/runs/{variant}/{sources}/seed{seed}/weights.safetensors"),
        encoder=if_due("correlation", encoder_manifest),
        stores=if_due("correlation", source_stores),
    output:
        correlation="results/{suite}/correlation/{variant}/{sources}/seed{seed}.npz",
        sidecar="results/{suite}/correlation/{variant}/{sources}/seed{seed}.npz.json",
    log:
        "results/logs/correlation/{suite}-{variant}-{sources}-seed{seed}.log",
    benchmark:
        "results/benchmarks/correlation/{suite}-{variant}-{sources}-seed{seed}.tsv"
    conda:
        HEAVY
    threads: THREADS
    resources:
        **asked(gpus=GPU),
        mem_mb=memory(2000 if GPU == 0 else 16000, inputs=1),
        runtime=60,
        device=SUITE.device,
    params:
        report=at("results/{suite}/runs/{variant}/{sources}/seed{seed}/run.json"),
        config=at("results/{suite}/runs/{variant}/{sources}/config.yaml"),
        encoder=at(encoder_manifest),
        stores=at(source_stores),
    shell:
        "python -m dcac --log {log:q} correlation {params.stores:q}"
        " --run {params.report:q}"
        " --config {params.config:q}"
        " --encoder {params.encoder:q}"
        " --device {resources.device}"
        " --out {output.correlation:q}"


rule attention:
    """Map where a run's encoder looks in pictures of a target."""
    input:
        config=if_due("attention", "results/{suite}/runs/{variant}/{sources}/config.yaml"),
        report=if_due("attention", "results/{suite}/runs/{variant}/{sources}/seed{seed}/run.json"),
        weights=if_due("attention", "results/{suite}/runs/{variant}/{sources}/seed{seed}/weights.safetensors"),
        encoder=if_due("attention", encoder_manifest),
        store=if_due("attention", "results/data/{target}.parquet"),
    output:
        attention="results/{suite}/attention/{variant}/{sources}/seed{seed}/{target}.npz",
        sidecar="results/{suite}/attention/{variant}/{sources}/seed{seed}/{target}.npz.json",
    log:
        "results/logs/attention/{suite}-{variant}-{sources}-seed{seed}-{target}.log",
    benchmark:
        "results/benchmarks/attention/{suite}-{variant}-{sources}-seed{seed}-{target}.tsv"
    conda:
        HEAVY
    threads: THREADS
    resources:
        **asked(gpus=GPU),
        mem_mb=memory(2000 if GPU == 0 else 16000, inputs=1),
        runtime=60,
        device=SUITE.device,
    params:
        report=at("results/{suite}/runs/{variant}/{sources}/seed{seed}/run.json"),
        config=at("results/{suite}/runs/{variant}/{sources}/config.yaml"),
        encoder=at(encoder_manifest),
        store=at("results/data/{target}.parquet"),
    shell:
        "python -m dcac --log {log:q} attention {params.store:q}"
        " --run {params.report:q}"
        " --config {params.config:q}"
        " --encoder {params.encoder:q}"
        " --device {resources.device}"
        " --out {output.attention:q}"
