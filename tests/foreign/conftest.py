"""Shapes of foreign checkpoints, tensor by tensor, and a way to fill them."""

import pytest
import torch

from dcac.seeding import torch_generator


@pytest.fixture(scope="session")
def compvis_unet():
    """Return a function that lists the original U-Net's tensors, name -> shape, as its constructor makes them.

    Channels are those of each level; every level but the last attends; projections around a block are 1 x 1 convolutions.
    """

    def shapes(*, channels, context, layers=2):
        found, time = {}, 4 * channels[0]

        def add(name, *shape, bias=True):
            found[f"{name}.weight"] = shape
            if bias:
                found[f"{name}.bias"] = shape[:1]

        def resnet(name, inputs, outputs):
            add(f"{name}.in_layers.0", inputs)
            add(f"{name}.in_layers.2", outputs, inputs, 3, 3)
            add(f"{name}.emb_layers.1", outputs, time)
            add(f"{name}.out_layers.0", outputs)
            add(f"{name}.out_layers.3", outputs, outputs, 3, 3)
            if inputs != outputs:
                add(f"{name}.skip_connection", outputs, inputs, 1, 1)

        def attention(name, width):
            add(f"{name}.norm", width)
            add(f"{name}.proj_in", width, width, 1, 1)
            block = f"{name}.transformer_blocks.0"
            for part, source in (("attn1", width), ("attn2", context)):
                add(f"{block}.{part}.to_q", width, width, bias=False)
                add(f"{block}.{part}.to_k", width, source, bias=False)
                add(f"{block}.{part}.to_v", width, source, bias=False)
                add(f"{block}.{part}.to_out.0", width, width)
            add(f"{block}.ff.net.0.proj", 8 * width, width)
            add(f"{block}.ff.net.2", width, 4 * width)
            for norm in ("norm1", "norm2", "norm3"):
                add(f"{block}.{norm}", width)
            add(f"{name}.proj_out", width, width, 1, 1)

        add("time_embed.0", time, channels[0])
        add("time_embed.2", time, time)
        add("input_blocks.0.0", channels[0], 4, 3, 3)
        now, skips, last = channels[0], [channels[0]], len(channels) - 1
        for level, width in enumerate(channels):
            for _ in range(layers):
                resnet(f"input_blocks.{len(skips)}.0", now, width)
                if level != last:
                    attention(f"input_blocks.{len(skips)}.1", width)
                now = width
                skips.append(now)
            if level != last:
                add(f"input_blocks.{len(skips)}.0.op", now, now, 3, 3)
                skips.append(now)
        resnet("middle_block.0", now, now)
        attention("middle_block.1", now)
        resnet("middle_block.2", now, now)
        position = 0
        for level, width in reversed(list(enumerate(channels))):
            for layer in range(layers + 1):
                resnet(f"output_blocks.{position}.0", now + skips.pop(), width)
                now = width
                if level != last:
                    attention(f"output_blocks.{position}.1", width)
                if level and layer == layers:
                    add(f"output_blocks.{position}.{1 if level == last else 2}.conv", now, now, 3, 3)
                position += 1
        add("out.0", now)
        add("out.2", 4, now, 3, 3)
        return found

    return shapes


@pytest.fixture(scope="session")
def compvis_vae():
    """Return a function that lists the original autoencoder's tensors, name -> shape."""

    def shapes(*, channels, latent=4, layers=2):
        found = {}

        def add(name, *shape):
            found[f"{name}.weight"], found[f"{name}.bias"] = shape, shape[:1]

        def resnet(name, inputs, outputs):
            add(f"{name}.norm1", inputs)
            add(f"{name}.conv1", outputs, inputs, 3, 3)
            add(f"{name}.norm2", outputs)
            add(f"{name}.conv2", outputs, outputs, 3, 3)
            if inputs != outputs:
                add(f"{name}.nin_shortcut", outputs, inputs, 1, 1)

        def middle(half, width):
            resnet(f"{half}.mid.block_1", width, width)
            add(f"{half}.mid.attn_1.norm", width)
            for part in ("q", "k", "v", "proj_out"):
                add(f"{half}.mid.attn_1.{part}", width, width, 1, 1)
            resnet(f"{half}.mid.block_2", width, width)

        add("encoder.conv_in", channels[0], 3, 3, 3)
        now = channels[0]
        for level, width in enumerate(channels):
            for layer in range(layers):
                resnet(f"encoder.down.{level}.block.{layer}", now, width)
                now = width
            if level != len(channels) - 1:
                add(f"encoder.down.{level}.downsample.conv", now, now, 3, 3)
        middle("encoder", now)
        add("encoder.norm_out", now)
        add("encoder.conv_out", 2 * latent, now, 3, 3)
        add("quant_conv", 2 * latent, 2 * latent, 1, 1)
        add("post_quant_conv", latent, latent, 1, 1)
        add("decoder.conv_in", now, latent, 3, 3)
        middle("decoder", now)
        for level, width in reversed(list(enumerate(channels))):
            for layer in range(layers + 1):
                resnet(f"decoder.up.{level}.block.{layer}", now, width)
                now = width
            if level:
                add(f"decoder.up.{level}.upsample.conv", now, now, 3, 3)
        add("decoder.norm_out", now)
        add("decoder.conv_out", 3, now, 3, 3)
        return found

    return shapes


@pytest.fixture(scope="session")
def clip_visual():
    """Return a function that lists the tensors of OpenAI's CLIP image encoder, name -> shape."""

    def shapes(*, width, depth, patch, tokens, outputs):
        found = {
            "class_embedding": (width,),
            "positional_embedding": (tokens, width),
            "proj": (width, outputs),
            "conv1.weight": (width, 3, patch, patch),
        }
        sizes = {"attn.in_proj_": (3 * width, width), "attn.out_proj.": (width, width)}
        sizes |= {
            "mlp.c_fc.": (4 * width, width),
            "mlp.c_proj.": (width, 4 * width),
            "ln_1.": (width,),
            "ln_2.": (width,),
        }
        places = {f"transformer.resblocks.{i}.{name}": size for i in range(depth) for name, size in sizes.items()}
        for name, size in {**places, "ln_pre.": (width,), "ln_post.": (width,)}.items():
            found[f"{name}weight"], found[f"{name}bias"] = size, size[:1]
        return found

    return shapes


@pytest.fixture(scope="session")
def filled():
    """Return a function that fills a list of shapes with small random values; scales of norms lie around 1."""

    def fill(shapes, seed=0):
        generator = torch_generator(seed, "filled")
        tensors = {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in sorted(shapes.items())}
        return {
            name: value + 1 if value.ndim == 1 and name.endswith("weight") else value / max(1, value[0].numel()) ** 0.25
            for name, value in tensors.items()
        }

    return fill
