"""Pre-trained networks, and the latents of the prior's autoencoder.

In: cards of config/weights.yaml, normalised files. Out: results/weights/{weights}/ with its manifest, results/latents/.
Steps: pretrain_encoder, pretrain_diffusion, weights, latents.
"""


localrules:
    weights,


rule pretrain_encoder:
    """Pre-train the demo's encoder on the broad synthetic domain."""
    input:
        store=if_due("network", pretraining_store),
    output:
        network=NETWORK,
    log:
        "results/logs/pretrain_encoder/{weights}.log",
    benchmark:
        "results/benchmarks/pretrain_encoder/{weights}.tsv"
    wildcard_constraints:
        weights=PLAN.pattern(PLAN.weights_made_here("encoder")),
    conda:
        HEAVY
    threads: 1
    resources:
        **asked(),
        mem_mb=2000,
        runtime=60,
    params:
        step="pretrain_encoder",
        store=at(pretraining_store),
    shell:
        "python -m dcac --log {log:q} {params.step} {wildcards.weights:q} {params.store:q} --out {output.network:q}"


use rule pretrain_encoder as pretrain_diffusion with:
    # Pre-train the demo's latent diffusion model on the broad synthetic domain.
    output:
        network=NETWORK,
    log:
        "results/logs/pretrain_diffusion/{weights}.log",
    benchmark:
        "results/benchmarks/pretrain_diffusion/{weights}.tsv"
    wildcard_constraints:
        weights=PLAN.pattern(PLAN.weights_made_here("diffusion")),
    params:
        step="pretrain_diffusion",
        store=at(pretraining_store),


rule weights:
    """Fetch pre-trained networks once; needs the network, so it runs where there is one."""
    input:
        if_due("network", nothing),
    output:
        network=NETWORK,
    log:
        "results/logs/weights/{weights}.log",
    benchmark:
        "results/benchmarks/weights/{weights}.tsv"
    wildcard_constraints:
        weights=PLAN.pattern(PLAN.weights_fetched),
    conda:
        HEAVY
    threads: 1
    resources:
        mem_mb=8000,  # a single file of 8 GB takes 5
        runtime=120,
    shell:
        "python -m dcac --log {log:q} weights {wildcards.weights:q} --out {output.network:q}"


rule latents:
    """Cache the autoencoder's posterior moments of a data set, once for all runs."""
    input:
        store=if_due("latents", "results/data/{dataset}.parquet"),
        prior=if_due("latents", cached_prior),
    output:
        moments="results/latents/{dataset}-{prior}.safetensors",
        sidecar="results/latents/{dataset}-{prior}.safetensors.json",
    log:
        "results/logs/latents/{dataset}-{prior}.log",
    benchmark:
        "results/benchmarks/latents/{dataset}-{prior}.tsv"
    conda:
        HEAVY
    threads: THREADS
    resources:
        **asked(gpus=GPU),
        mem_mb=memory(4000 if GPU == 0 else 16000, inputs=6),
        runtime=120,
        device=SUITE.device,  # not among params: another device makes nothing due
    params:
        store=at("results/data/{dataset}.parquet"),
        prior=at(cached_prior),
        size=PLAN.diffusion_image_size,
    shell:
        "python -m dcac --log {log:q} latents {params.store:q}"
        " --prior {params.prior:q}"
        " --size {params.size}"
        " --device {resources.device}"
        " --out {output.moments:q}"
