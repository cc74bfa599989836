"""Programs of torch.export are read right, or refused with the remedy; no pickle in one is run."""

import io
import json
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

import dcac
from dcac.networks.exported_program import refuse_pickles


class Pair(nn.Module):
    """Two named outputs."""

    def forward(self, images):
        return {"map": images, "vector": images.mean(dim=(2, 3))}


class Trap:
    """Says so when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was executed",))


@pytest.mark.parametrize(("batch", "dynamic"), [(2, True), (1, False), (4, False)])
def test_any_batch_gives_the_computation(write_program, stripes, pixels, expected, view, batch, dynamic):
    path = write_program(stripes, shape=(batch, 3, 32, 16), dynamic=dynamic)
    network = dcac.load(path, card={"view": view})
    np.testing.assert_allclose(network.encode_pixels(pixels), expected, atol=1e-5)


def test_a_bounded_batch_is_kept_within_its_bounds(stripes, pixels, expected, view, tmp_path):
    sizes = ({0: torch.export.Dim("batch", min=3, max=8)},)
    program = torch.export.export(stripes, (torch.zeros(4, 3, 32, 16),), dynamic_shapes=sizes)
    torch.export.save(program, tmp_path / "net.pt2")
    network = dcac.load(tmp_path / "net.pt2", card={"view": view})
    assert network.encoder.batch == (3, 8)
    np.testing.assert_allclose(network.encode_pixels(pixels), expected, atol=1e-5)  # 8, then 2 filled to 3


def test_outputs_have_names(write_program, pixels, view):
    path = write_program(Pair())
    with pytest.raises(ValueError, match=r"several outputs.*'map', 'vector'"):
        dcac.load(path, card={"view": view}).encode_pixels(pixels)
    assert dcac.load(path, card={"view": view, "feature": {"output": "vector"}}).encode_pixels(pixels).shape == (10, 3)


def test_a_size_that_is_not_the_programs_is_refused(write_program, stripes, view):
    with pytest.raises(ValueError, match=r"images of 32 x 16 pixels, its card says 32 x 32"):
        dcac.load(write_program(stripes), card={"view": {**view, "width": 32}})


def test_a_program_for_something_else_is_refused(write_program, view):
    with pytest.raises(ValueError, match=r"takes torch.float32 \[.*5\], not floats \[B, 3, H, W\] alone"):
        dcac.load(write_program(nn.Linear(5, 2), shape=(2, 5)), card={"view": view})


def test_what_is_no_program_is_refused(tmp_path, view):
    (tmp_path / "net.pt2").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"no program of torch.export.*save one with torch.export.save"):
        dcac.load(tmp_path / "net.pt2", card={"view": view})


@pytest.mark.parametrize("where", ["weights", "constants", "sample_inputs", "older"])
def test_a_pickle_is_refused_and_never_run(write_program, stripes, tmp_path, view, where):
    good, bad = write_program(stripes), tmp_path / "bad.pt2"
    stream = io.BytesIO()
    torch.save(Trap(), stream)
    with zipfile.ZipFile(good) as archive, zipfile.ZipFile(bad, "w") as copy:
        for name in archive.namelist():
            data = archive.read(name)
            if where == "older" and name.endswith("archive_format"):
                continue
            if where == "sample_inputs" and "/sample_inputs/" in name:
                data = stream.getvalue()
            if where == "weights" and name.endswith("weights_config.json"):
                config = json.loads(data)
                next(iter(config["config"].values()))["use_pickle"] = True
                data = json.dumps(config)
            if where == "constants" and name.endswith("constants_config.json"):
                data = json.dumps({"config": {"thing": {"path_name": "opaque_obj_0", "use_pickle": False}}})
            copy.writestr(name, data)
    refuse_pickles(good)
    with pytest.raises(ValueError, match=r"so it was refused and nothing in it was run"):
        dcac.load(bad, card={"view": view})
