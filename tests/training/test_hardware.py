"""The device, the precision, and a step that never makes the CPU wait for the device."""

import subprocess
import sys

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from dcac.settings import Runtime
from dcac.training import state
from dcac.training import train as train_step
from dcac.training.hardware import Hardware, messages
from dcac.training.inputs import Inputs
from dcac.training.loop import Training

READS = (
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "is_nonzero",
    "equal",
    "unique",
)  # wait for the device's answer


class ReadsRefused(TorchDispatchMode):
    """Refuse every operation whose result the CPU has to wait for on a GPU."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if any(function.__name__.startswith(name) for name in READS):
            raise AssertionError(f"{function} makes the CPU wait for the device")
        return function(*args, **(kwargs or {}))


@pytest.fixture
def step(arguments, tmp_path):
    """Return a function that makes a training and returns one training step of it, not yet done."""

    def prepare(settings, runtime, hardware):
        given = arguments(tmp_path / "run", settings)
        inputs = Inputs(given["stores"], given["encoder"], given["latents"], given["prior"])
        training = Training(settings, inputs, seed=0, hardware=hardware, runtime=runtime)
        progress = state.RunState(memory=training.build_memory())
        training.model.train()
        rows = torch.arange(16).numpy()
        return lambda: training.step(rows, "1/0", progress, diagnose=False)

    return prepare


def test_the_guard_sees_a_read():
    with pytest.raises(AssertionError, match="_local_scalar_dense"), ReadsRefused():
        torch.ones(()).item()


@pytest.mark.parametrize("runtime", [Runtime(), Runtime(micro_batch=5)], ids=["whole", "sliced"])
@pytest.mark.parametrize("condition", ["fc", "fc+pcl", "feature", "hard"])
def test_a_step_reads_nothing_back(step, settings, condition, runtime):
    """What reads a tensor's value on the CPU is a wait for the device on a GPU: none in the step, whatever the scheme."""
    changed = settings.model_copy(update={"condition": condition, "prototype_update": "all"})
    run = step(changed, runtime, Hardware("cpu", "fp32"))
    with ReadsRefused():
        run()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("runtime", [Runtime(), Runtime(micro_batch=5)], ids=["whole", "sliced"])
def test_a_step_on_a_gpu_never_waits(step, settings, runtime):
    run = step(settings.model_copy(update={"precision": "fp16"}), runtime, Hardware("cuda", "fp16"))
    run()  # compiles kernels, makes the optimiser's state
    torch.cuda.set_sync_debug_mode("error")
    try:
        run()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_cpu_computes_fp32_where_fp16_is_asked_and_says_so():
    hardware = Hardware("cpu", "fp16")
    assert hardware.facts()["precision"] == "fp32" and not hardware.scaler.is_enabled()
    with hardware.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_bf16_computes_products_in_bf16():
    hardware = Hardware("cpu", "bf16")
    with hardware.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    assert hardware.facts()["precision"] == "bf16"


def test_one_process_leaves_tensors_alone():
    hardware = Hardware("cpu", "fp32")
    rows = torch.arange(3.0)
    hardware.add([rows])
    assert (
        hardware.gather(rows) is rows and rows.tolist() == [0, 1, 2] and hardware.any(True) and not hardware.any(False)
    )
    assert hardware.loss_scale() == 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_gpu_follows_the_losses_of_a_cpu(train, settings, tmp_path, arguments, read_run, precision):
    alone = train(tmp_path / "cpu", settings)
    chosen = settings.model_copy(update={"precision": precision})
    train_step.run(**{**arguments(tmp_path / "gpu", chosen), "device": "cuda"})
    found = read_run(tmp_path / "gpu")
    for first, second in zip(alone.epochs, found.epochs, strict=True):
        for term in ("loss_id", "loss_prototype", "loss_noise"):
            assert second[term] == pytest.approx(first[term], rel=2e-3 if precision == "fp32" else 5e-2)


def test_messages_hold_every_tensor_once_and_no_more_values_than_asked():
    tensors = [torch.zeros(size) for size in (3, 4, 2, 9, 1, 1)]
    assert [[len(t) for t in group] for group in messages(tensors, 7)] == [[3, 4], [2], [9], [1, 1]]
    assert list(messages([], 7)) == []


TALK = """
import torch
from dcac.training import hardware as module
from dcac.training.hardware import Hardware

module.MESSAGE = 4
hardware = Hardware("cpu", "fp32")
rank, tensors = hardware.rank, [torch.full((2,), hardware.rank + 1.0), torch.full((1, 3), 10.0 * (hardware.rank + 1))]
assert hardware.count == 2 and hardware.facts()["processes"] == 2
assert hardware.agree(torch.tensor([float(rank)])).tolist() == [0.0]
hardware.add(tensors)
assert tensors[0].tolist() == [3.0, 3.0] and tensors[1].tolist() == [[30.0, 30.0, 30.0]]
assert hardware.gather(torch.tensor([[float(rank)]])).tolist() == [[0.0], [1.0]]
assert hardware.any(rank == 1) and not hardware.any(False)
assert list(hardware.share(6)) == [[0, 1, 2], [3, 4, 5]][rank]
hardware.wait()
"""


@pytest.mark.slow
def test_two_processes_add_gather_and_agree(tmp_path):
    script = tmp_path / "talk.py"
    script.write_text(TALK)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script]
    for _ in range(
        2
    ):  # starting two processes may fail by itself on a busy machine; what they say of each other may not
        result = subprocess.run(launch, capture_output=True, text=True, timeout=200, check=False)
        assert "AssertionError" not in result.stderr, result.stderr[-2000:]
        if result.returncode == 0:
            break
    assert result.returncode == 0, result.stderr[-2000:]
