"""Time training steps at the paper's size, with random weights: seconds a step, images/s, peak memory, parameters.

    python tests/benchmarks/training.py [--batch 64] [--steps 10] [--device cuda] [--precision fp16]
        [--micro-batch 16] [--gradient-checkpointing] [--channels-last] [--compile]

Prints one row for the baseline and one for DCAC with LoRA (r = 8), measured in processes of their own.
CLIP ViT-B/16 at 256 x 128 and the U-Net of Stable Diffusion v1.5 on 16 x 16 latents; N = 751 as in Market-1501.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

CONFIG = Path(__file__).parents[2] / "config"
IDENTITIES = 751  # of Market-1501
ENCODER = "vit_base_patch16_clip_quickgelu_224.openai"


def build(diffusion: str, options: argparse.Namespace):
    """Build the model of a Market-1501 run with random weights on the device."""
    import timm
    import torch
    from diffusers import UNet2DConditionModel
    from torch import nn

    from dcac.foreign.stable_diffusion import UNET
    from dcac.methods.dcac.model import DCAC
    from dcac.methods.trained import TrainedModel
    from dcac.model.conditioning import Prompts
    from dcac.model.diffusion import DiffusionPrior, prepare_fine_tuning, use_single_token
    from dcac.model.encoder import ReIDModel
    from dcac.settings import Runtime
    from dcac.suites import load_suite, run_settings
    from dcac.training.runtime import speed_up

    settings = run_settings(load_suite("paper", CONFIG), "dcac", "MA", CONFIG)
    settings = settings.model_copy(update={"diffusion": diffusion, "precision": options.precision})
    torch.manual_seed(0)
    with torch.device(options.device):
        backbone = timm.create_model(ENCODER, img_size=(256, 128))
        backbone.head = nn.Linear(768, 512, bias=False)
        backbone.patch_embed.requires_grad_(False)
        reid = ReIDModel(backbone, 512, IDENTITIES)
        prior = prompts = None
        if diffusion != "none":
            unet = use_single_token(UNet2DConditionModel(**UNET["sd-1"]))
            prior = DiffusionPrior(unet, torch.linspace(0.999, 0.005, 1000))
            prompts = Prompts(IDENTITIES, prior.context_width, settings.bottleneck)
            nn.init.normal_(prompts.table)
    if prior is not None:
        prepare_fine_tuning(prior, settings, seed=0)
    model = TrainedModel(reid, settings) if prior is None else DCAC(reid, settings, prior, prompts)
    model.to(options.device)
    switches = {name: getattr(options, name) for name in ("gradient_checkpointing", "channels_last", "compile")}
    speed_up(model, Runtime(**switches))
    return model.train(), settings


def measure(diffusion: str, options: argparse.Namespace) -> dict:
    """Run the steps of one variant in this process; the first step, which warms up, is not counted."""
    import torch

    from dcac.model.latents import DiffusionBatch
    from dcac.training.backward import sliced, whole
    from dcac.training.batches import Batch
    from dcac.training.hardware import Hardware
    from dcac.training.setup import build_optimiser

    model, settings = build(diffusion, options)
    device, optimiser = torch.device(options.device), build_optimiser(model, settings)
    hardware = Hardware(options.device, options.precision)
    size = options.batch
    generator = torch.Generator(device).manual_seed(0)
    draw = {"generator": generator, "device": device}
    noisy = DiffusionBatch(
        torch.randn(size, 4, 16, 16, **draw),
        torch.randn(size, 4, 16, 16, **draw),
        torch.randint(0, 1000, (size,), **draw),
    )
    memory = torch.nn.functional.normalize(torch.randn(IDENTITIES, 512, **draw), dim=1)
    labels = torch.arange(size, device=device) // 4
    batch = Batch(torch.randn(size, 3, 256, 128, **draw), labels, memory, noisy if diffusion != "none" else None)
    started = None
    for _ in range(options.steps + 1):
        optimiser.zero_grad(set_to_none=True)
        with hardware.autocast():
            if options.micro_batch:
                losses = sliced(model, batch, settings, size=options.micro_batch, hardware=hardware)
            else:
                losses = whole(model, batch, settings)
        hardware.scaler.scale(sum(losses.terms.values())).backward()
        losses.finish()
        hardware.scaler.step(optimiser)
        hardware.scaler.update()
        _wait(device)
        started = started or time.perf_counter()
    seconds = (time.perf_counter() - started) / options.steps
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {
        "total": sum(p.numel() for p in model.parameters()),
        "trained": trained,
        "seconds": seconds,
        "images_per_second": size / seconds,
        "peak_bytes": hardware.peak_memory(),
        "finite": all(bool(torch.isfinite(term)) for term in losses.terms.values()),
        "reached": model.reid.backbone.cls_token.grad is not None,
    }


def _wait(device) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    """Measure both variants, each in its own process, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16", "fp16"])
    parser.add_argument("--micro-batch", type=int)
    for switch in ("--gradient-checkpointing", "--channels-last", "--compile"):
        parser.add_argument(switch, action="store_true")
    parser.add_argument("--worker", choices=["none", "lora"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(options.worker, options)))
        return
    print("| variant | parameters | trained | s a step | images/s | peak memory, GiB |\n|---|--:|--:|--:|--:|--:|")
    for diffusion, name in (("none", "baseline"), ("lora", "DCAC, r = 8")):
        command = [sys.executable, __file__, *sys.argv[1:], "--worker", diffusion]
        result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        f = json.loads(result.stdout.splitlines()[-1])
        print(
            f"| {name} | {f['total']:,} | {f['trained']:,} | {f['seconds']:.3f} | {f['images_per_second']:.1f} "
            f"| {f['peak_bytes'] / 2**30:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
