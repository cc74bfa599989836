"""The shapes of Stable Diffusion's networks, so that a single weight file needs no configuration from a hub."""

# Source: the model cards' `config.json`; channels and levels of the U-Net also in method.md section 3.
_UNET = {
    "sample_size": 64,  # latent pixels of the pre-training
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
}
UNET = {
    "sd-1": {**_UNET, "cross_attention_dim": 768, "attention_head_dim": 8},
    # the 2.x models with "base" in their names; the others predict a velocity, and DCAC needs the noise
    "sd-2-base": {
        **_UNET,
        "cross_attention_dim": 1024,
        "attention_head_dim": [5, 10, 20, 20],
        "use_linear_projection": True,
    },
}
VAE = {
    "sample_size": 512,  # pixels
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "latent_channels": 4,
    "scaling_factor": 0.18215,
}
SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_start": 8.5e-4,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "prediction_type": "epsilon",
}
