"""Pre-train the demo's encoder on captions of the broad synthetic domain: a stand-in for CLIP.

In: the broad normalised file. Out: a folder in timm's layout. Images are contrasted with what a caption would say of person
and place, as web text does, and the attributes are regressed too; no identity labels are used.
"""

import logging
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dcac.model.demo_vit  # noqa: F401  (registers the demo encoder with timm)
from dcac.data.images import decode
from dcac.data.store import read_split, store_input
from dcac.data.views import draw_flips, draw_offsets, flip_and_crop, normalise
from dcac.demo.captions import captions_of
from dcac.demo.recipes import EncoderPretraining
from dcac.model.backbone import create
from dcac.model.encoder import save_backbone
from dcac.provenance import environment
from dcac.provenance.code import digest
from dcac.provenance.networks import finish_network, put_back_network, require_network_folder
from dcac.provenance.record import ask
from dcac.seeding import torch_generator

ARCHITECTURE = "vit_demo_conv16_128"
IMAGE_SIZE = (128, 64)
PAD_PIXELS = 2  # of the random crop
LOGIT_TEMPERATURE = 0.07  # CLIP's initial value
log = logging.getLogger(__name__)


class CaptionHeads(nn.Module):
    """Project images and captions into one space, and regress the caption from the image."""

    def __init__(self, feature: int, caption: int, hidden: int = 128, joint: int = 64):
        super().__init__()
        self.image = nn.Linear(feature, joint)
        self.caption = nn.Sequential(nn.Linear(caption, hidden), nn.GELU(), nn.Linear(hidden, joint))
        self.attributes = nn.Linear(feature, caption)

    def loss(self, feature: Tensor, caption: Tensor) -> Tensor:
        """Contrast images with captions, all images of one caption being positives, plus attribute regression."""
        logits = (
            F.normalize(self.image(feature), dim=1) @ F.normalize(self.caption(caption), dim=1).T / LOGIT_TEMPERATURE
        )
        target = (caption[:, None] == caption[None]).all(dim=2).float()
        target = target / target.sum(dim=1, keepdim=True)
        contrast = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        return contrast + F.mse_loss(self.attributes(feature), caption)


def run(*, store: Path, settings: EncoderPretraining, out: Path, device: str) -> None:
    """Train the demo encoder and save it as a timm folder with a manifest.

    Raises:
        ValueError: the set has no captions, or not one batch of train images.
    """
    require_network_folder(out)
    asked = ask(__name__, settings.model_dump(mode="json"), {"data": store_input(store)})
    if put_back_network(asked, out):
        return
    rows = read_split(store, "train")
    captions = captions_of(rows, store)
    if captions.shape[1] == 0:
        raise ValueError(
            f"{store} has no captions, from which this recipe learns; such a set can pre-train a diffusion prior "
            "(`dcac pretrain_diffusion`), and be trained and tested on; for an encoder take a card of config/weights.yaml, "
            "or a rendered set with captions such as broad"
        )
    if len(rows) < settings.batch:
        raise ValueError(f"{store} holds {len(rows)} train images, not one batch of {settings.batch}; lower `batch`")
    images = torch.from_numpy(decode(list(rows["data"]), height=IMAGE_SIZE[0], width=IMAGE_SIZE[1]))
    torch.manual_seed(settings.seed)
    encoder = create(ARCHITECTURE).to(device)
    heads = CaptionHeads(encoder.num_features, captions.shape[1]).to(device)
    optimiser = torch.optim.AdamW([*encoder.parameters(), *heads.parameters()], lr=settings.learning_rate, fused=True)
    steps = settings.epochs * (len(images) // settings.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, total_steps=steps, pct_start=0.1)
    for epoch in range(settings.epochs):
        generator = torch_generator(settings.seed, "pretrain_encoder", epoch)
        order, total = torch.randperm(len(images), generator=generator), 0.0
        for chosen in order[: len(order) // settings.batch * settings.batch].split(settings.batch):
            batch = flip_and_crop(
                images[chosen],
                draw_flips(len(chosen), 0.5, generator),
                draw_offsets(len(chosen), PAD_PIXELS, generator),
                PAD_PIXELS,
            )
            feature = encoder(normalise(batch.to(device), mean=0.5, std=0.5))
            loss = heads.loss(feature, captions[chosen].to(device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        log.info("epoch %d of %d: loss %.3f", epoch + 1, settings.epochs, total * settings.batch / len(images))
    save_backbone(encoder, out, architecture=ARCHITECTURE)
    notes = {"code": digest(asked.code), "settings": settings.model_dump(), "environment": environment()}
    finish_network(out, asked, notes)
