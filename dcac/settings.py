"""Every hyperparameter of one training run, as a closed and frozen model; how it is written and read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, model_validator

from dcac.closed import Closed, Count, NonNegative, Positive, Share, load_yaml, parse
from dcac.declared import Condition, MethodName, completed, ignored

TrainSplits = Literal["train", "all"]
Decay = Annotated[float, Field(ge=0, lt=1)]
VIEW = ("image_height", "image_width", "pixel_mean", "pixel_std")  # how images are seen, in training and in testing
TESTED = ("evaluation_resize",)  # read by testing only


class Settings(Closed):
    """The settings of one run; meanings, units and sources stand beside the values in `config/base`."""

    method: MethodName
    # training data
    train_splits: TrainSplits
    # input views
    image_height: Count
    image_width: Count
    pixel_mean: Share | tuple[Share, Share, Share] | Literal["encoder"]
    pixel_std: Positive | tuple[Positive, Positive, Positive] | Literal["encoder"]
    flip_probability: Share
    pad_pixels: Annotated[int, Field(ge=0)]
    erasing_probability: Share
    erasing_min_area: Share
    erasing_max_area: Share
    erasing_min_aspect: Positive
    erasing_fill: float
    evaluation_resize: Literal["bicubic", "bilinear"]
    # encoder
    encoder_weights: str
    freeze_patch_projection: bool
    classifier_std: Positive
    classifier_lr_multiplier: Positive
    bnneck_updates_per_step: Literal[1, 2]
    # losses
    id_weight: NonNegative
    label_smoothing: Share
    prototype_weight: NonNegative
    prototype_temperature: Positive
    prototype_momentum: Share
    prototype_update: Literal["hard", "all"]
    prototype_rebuild: Literal["epoch", "once"]
    prototype_logits_dtype: Literal["fp32", "autocast"]
    memory_dtype: Literal["fp32", "autocast"]
    noise_weight: NonNegative
    noise_image: Literal["own", "other"]
    # conditioning
    condition: Condition
    condition_temperature: Positive
    bottleneck: Literal["embedding", "silu", "bn", "bn+silu", "condition_net"]
    prompt_std: Positive
    prompt_lr_multiplier: Positive
    # diffusion
    diffusion: Literal["none", "lora", "all", "freeze"]
    diffusion_weights: str
    unet_weights: Literal["pretrained", "random"]
    diffusion_image_size: Count
    lora_rank: Count
    lora_alpha: Positive
    lora_ffn_output: bool
    lora_cross_attention_qk: Literal["drop", "keep"]
    lora_qkv_bias: Literal["none", "random_frozen"]
    lora_lr_multiplier: Positive
    # sampler and schedule
    identities_per_batch: Count
    images_per_identity: Count
    epochs: Count
    optimiser: Literal["adam", "sgd"]
    learning_rate: Positive
    weight_decay: NonNegative
    adam_beta1: Decay
    adam_beta2: Decay
    sgd_momentum: Share
    warmup_epochs: Annotated[int, Field(ge=0)]
    warmup_factor: Share
    decay_epochs: tuple[Count, ...]
    decay_factor: Share
    precision: Literal["fp32", "bf16", "fp16"]
    # report
    diagnostic_images: Count
    diagnostic_draws: Count
    diagnostic_period: Count

    @model_validator(mode="before")
    @classmethod
    def _without_diffusion(cls, content: Any) -> Any:
        """Call DCAC without diffusion what it is."""
        bare = isinstance(content, Mapping) and content.get("method") == "dcac" and content.get("diffusion") == "none"
        return {**content, "method": "baseline"} if bare else content

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        if self.erasing_min_area > self.erasing_max_area:
            raise ValueError(
                f"erasing_min_area {self.erasing_min_area} exceeds erasing_max_area {self.erasing_max_area}; swap them"
            )
        if any(epoch <= self.warmup_epochs for epoch in self.decay_epochs):
            raise ValueError(
                f"decay_epochs {list(self.decay_epochs)} must all lie after warmup_epochs {self.warmup_epochs}"
            )
        if self.identities_per_batch * self.images_per_identity < 2:
            raise ValueError(
                "identities_per_batch and images_per_identity are both 1, but batch normalisation needs two images; raise one"
            )
        if self.noise_image == "other" and self.identities_per_batch < 2:
            raise ValueError(
                "noise_image 'other' needs another person in the batch; raise identities_per_batch to 2 or more"
            )
        return self

    def trained(self) -> dict[str, Any]:
        """Return the settings that act in training, as plain JSON values: what a finished run depends on.

        Names of networks do not act, their files do; neither does what only testing, another optimiser or another method
        would read.
        """
        idle = {*TESTED, "encoder_weights", "diffusion_weights"}
        idle |= {"sgd_momentum"} if self.optimiser == "adam" else {"adam_beta1", "adam_beta2"}
        idle |= ignored(self)
        return {name: value for name, value in self.model_dump(mode="json").items() if name not in idle}

    def tested(self) -> dict[str, Any]:
        """Return the settings that act when features are extracted."""
        return {name: value for name, value in self.model_dump(mode="json").items() if name in (*VIEW, *TESTED)}


class Runtime(Closed):
    """How a training step is computed: memory and speed, never the result beyond rounding.

    No part of a run's identity: a run may continue under other switches.
    """

    micro_batch: Count | None = None  # images at a time on small cards; None: the whole batch
    gradient_checkpointing: bool = False  # compute activations again instead of keeping them
    channels_last: bool = False  # memory layout of the U-Net's convolutions
    compile: bool = False  # torch.compile of encoder and U-Net
    gpus_per_training: Count = 1  # processes that share each batch, a GPU each; a CPU trains in one


def dump_settings(settings: Settings) -> str:
    """Write settings as YAML in the order of the model."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def load_settings(path: Path) -> Settings:
    """Read the merged settings of one run, as `write_config` left them."""
    return parse_settings(load_yaml(path), str(path))


def parse_settings(content: Mapping[str, Any], origin: str) -> Settings:
    """Validate the settings of a run, with the keys that loss terms and methods bring along.

    Raises:
        ConfigError: as `parse` does.
    """
    return parse(completed(Settings), content, origin)
