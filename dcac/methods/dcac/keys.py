"""The settings that act only where there is a diffusion prior."""

OF_THE_PRIOR = frozenset(
    {
        "noise_weight",
        "noise_image",
        "condition",
        "condition_temperature",
        "bottleneck",
        "prompt_std",
        "prompt_lr_multiplier",
        "diffusion",
        "unet_weights",
        "diffusion_image_size",
        "lora_rank",
        "lora_alpha",
        "lora_ffn_output",
        "lora_cross_attention_qk",
        "lora_qkv_bias",
        "lora_lr_multiplier",
        "diagnostic_images",
        "diagnostic_draws",
        "diagnostic_period",
    }
)
