"""Pre-trained networks: the demo's own, or fetched ones; and the latents of the prior's autoencoder."""


rule pretrain_encoder:
    """Pre-train the demo's encoder on the broad synthetic domain."""
    input:
        sidecar=lambda wildcards: f"results/data/{PLAN.recipe(wildcards.weights).data}.json",
        store=lambda wildcards: ancient(f"results/data/{PLAN.recipe(wildcards.weights).data}.parquet"),
    output:
        manifest="results/weights/{weights}/manifest.json",
    log:
        "results/logs/pretrain_encoder/{weights}.log",
    benchmark:
        "results/benchmarks/pretrain_encoder/{weights}.tsv"
    wildcard_constraints:
        weights=PLAN.pattern(PLAN.weights_made_here("encoder")),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        recipe=lambda wildcards: PLAN.recipe_text(wildcards.weights),
        code=fingerprint("pretrain_encoder"),
    shell:
        "dcac pretrain_encoder {wildcards.weights:q}"
        " --store {input.store:q}"
        " --out $(dirname {output.manifest:q}) > {log:q} 2>&1"


rule pretrain_diffusion:
    """Pre-train the demo's latent diffusion model on the broad synthetic domain."""
    input:
        sidecar=lambda wildcards: f"results/data/{PLAN.recipe(wildcards.weights).data}.json",
        store=lambda wildcards: ancient(f"results/data/{PLAN.recipe(wildcards.weights).data}.parquet"),
    output:
        manifest="results/weights/{weights}/manifest.json",
    log:
        "results/logs/pretrain_diffusion/{weights}.log",
    benchmark:
        "results/benchmarks/pretrain_diffusion/{weights}.tsv"
    wildcard_constraints:
        weights=PLAN.pattern(PLAN.weights_made_here("diffusion")),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        recipe=lambda wildcards: PLAN.recipe_text(wildcards.weights),
        code=fingerprint("pretrain_diffusion"),
    shell:
        "dcac pretrain_diffusion {wildcards.weights:q}"
        " --store {input.store:q}"
        " --out $(dirname {output.manifest:q}) > {log:q} 2>&1"


rule weights:
    """Fetch pre-trained networks once; needs the network, so it runs where there is one."""
    output:
        manifest="results/weights/{weights}/manifest.json",
    log:
        "results/logs/weights/{weights}.log",
    benchmark:
        "results/benchmarks/weights/{weights}.tsv"
    wildcard_constraints:
        weights=PLAN.pattern(PLAN.weights_fetched),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=8000,  # a single file of 8 GB takes 5
        runtime=120,
    params:
        card=lambda wildcards: PLAN.weights[wildcards.weights].model_dump_json(),
        code=fingerprint("weights"),
    shell:
        "dcac weights {wildcards.weights:q}" " --out $(dirname {output.manifest:q}) > {log:q} 2>&1"


rule latents:
    """Cache the autoencoder's posterior moments of a data set, once for all runs."""
    input:
        sidecar="results/data/{dataset}.json",
        store=ancient("results/data/{dataset}.parquet"),
        prior="results/weights/{prior}/manifest.json",
    output:
        moments="results/latents/{dataset}-{prior}.safetensors",
    log:
        "results/logs/latents/{dataset}-{prior}.log",
    benchmark:
        "results/benchmarks/latents/{dataset}-{prior}.tsv"
    conda:
        ENVIRONMENT
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=4000 if GPU == 0 else 16000,
        runtime=120,
    params:
        size=PLAN.diffusion_image_size,
        device=SUITE.device,
        code=fingerprint("latents"),
    shell:
        "dcac latents --store {input.store:q}"
        " --prior $(dirname {input.prior:q})"
        " --size {params.size}"
        " --device {params.device}"
        " --out {output.moments:q} > {log:q} 2>&1"
