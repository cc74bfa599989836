"""The model card of a finished run, written from its own report."""

from dcac import declared
from dcac.settings import Settings

NEEDED_TO_TEST = "encoder and BNNeck (`reid.backbone.*`, `reid.bnneck.*`)"


def model_card(report: dict, settings: Settings) -> str:
    """Write what a stranger needs to know of a run: what it learnt from, with what, and what its files hold.

    Args:
        report: content of `run.json`.
    """
    data = "\n".join(f"- {name}: sha256 {digest}" for name, digest in report["data"].items())
    losses = ", ".join(
        f"{k.removeprefix('loss_')} {v:.4g}" for k, v in report["epoch"].items() if k.startswith("loss_")
    )
    adapted = declared.needed(settings, "prior") is not None and settings.diffusion == "lora"
    adapter = "\n- `lora/`: the U-Net's adapter, for `unet.load_lora_adapter(folder, prefix=None, use_safetensors=True)` of diffusers"
    return f"""# Re-ID model, seed {report["seed"]}

Person re-identification model trained by dcac; for research on data that its user may use. Not meant to identify people at large.

- encoder: {settings.encoder_weights}, images {settings.image_height} x {settings.image_width}
- {declared.method(settings).facts(settings)}
- last epoch {report["epoch"]["epoch"]} of {settings.epochs} (never chosen by a target); losses: {losses}
- code {report["code"]}, identity {report["identity"][:16]}

Trained on:

{data}

Files:

- `weights.safetensors`: {NEEDED_TO_TEST}, and what training continues from: classifier, prompts, adapters
- `run.json`: every setting, version and diagnostic; `log.jsonl`: the course of training{adapter if adapted else ""}
"""
