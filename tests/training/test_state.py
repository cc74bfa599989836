"""The checkpoint: everything that training changes comes back; nothing else is trusted."""

import errno
import fcntl
import logging

import pytest
import torch

from dcac.seeding import torch_generator
from dcac.training import state
from dcac.training.inputs import Inputs
from dcac.training.setup import build_model, build_optimiser
from dcac.training.state import RunState, learnt_state


@pytest.fixture
def build(encoder_folder, prior_folder, settings):
    """Return a function that builds model and optimiser of a mode."""

    def make(mode="lora", seed=0):
        changed = settings.model_copy(update={"diffusion": mode, "bottleneck": "bn"})
        model = build_model(changed, Inputs([], encoder_folder, prior=prior_folder), num_identities=16, seed=seed)
        return model, build_optimiser(model, changed)

    return make


def step(model, optimiser):
    """Move every trained parameter by a made-up gradient."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.grad = torch.randn(parameter.shape, generator=torch_generator(0, name))
    optimiser.step()


def test_everything_comes_back(build, tmp_path):
    model, optimiser = build()
    step(model, optimiser)
    model.reid.bnneck.running_mean.fill_(3.0)
    memory = torch.randn(16, 24, generator=torch_generator(0))
    progress = RunState(
        epoch=3, batch=2, memory=memory, sums={"id": torch.tensor(1.5)}, scaler={"scale": 8.0}, log_bytes=77
    )
    state.save(tmp_path, "me", model, optimiser, progress)
    fresh, its_optimiser = build(seed=1)
    found = state.load(tmp_path, "me", fresh, its_optimiser)
    assert (found.epoch, found.batch, found.log_bytes, found.scaler) == (3, 2, 77, {"scale": 8.0})
    assert torch.equal(found.memory, memory) and found.sums["id"].item() == 1.5
    assert all(torch.equal(value, fresh.state_dict()[name]) for name, value in model.state_dict().items())
    for trained in ((model, optimiser), (fresh, its_optimiser)):
        step(*trained)  # with the same moments, the next step is the same
    assert all(torch.equal(value, fresh.state_dict()[name]) for name, value in model.state_dict().items())


def test_without_a_checkpoint_a_run_starts_at_epoch_one(build, tmp_path):
    assert state.load(tmp_path, "me", *build()) == RunState(epoch=1, batch=0, memory=None, log_bytes=0)


def test_checkpoint_of_another_run_is_kept_aside(build, tmp_path, caplog):
    folder = tmp_path / "run.state"
    folder.mkdir()
    model, optimiser = build()
    state.save(folder, "me", model, optimiser, RunState(epoch=3))
    fresh, its_optimiser = build(seed=1)
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    with caplog.at_level(logging.WARNING):
        assert state.load(folder, "you", fresh, its_optimiser).epoch == 1
    assert all(torch.equal(value, before[name]) for name, value in fresh.state_dict().items())
    assert "it is kept in" in caplog.text
    assert (tmp_path / "run.state.previous" / "checkpoint.pt").is_file() and not (folder / "checkpoint.pt").exists()


@pytest.fixture
def three(build, tmp_path):
    """A folder in which epochs 1 to 3 were saved."""
    model, optimiser = build()
    for epoch in (1, 2, 3):
        state.save(tmp_path, "me", model, optimiser, RunState(epoch=epoch))
    return tmp_path


def test_the_checkpoint_before_is_kept_and_no_more(three):
    assert sorted(path.name for path in three.iterdir()) == ["checkpoint.before.pt", "checkpoint.pt"]


@pytest.mark.parametrize("kept", [0, 10, 3000, -100])
def test_a_damaged_checkpoint_is_set_aside_for_the_one_before(build, three, caplog, kept):
    path = three / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:kept])
    with caplog.at_level(logging.WARNING):
        assert state.load(three, "me", *build()).epoch == 2
    assert f"checkpoint {path} is damaged" in caplog.text and "kept as checkpoint.pt.damaged" in caplog.text
    assert (three / "checkpoint.pt.damaged").is_file() and not path.exists()
    state.save(three, "me", *build(), RunState(epoch=3))
    assert state.load(three, "me", *build()).epoch == 3


def test_flipped_bytes_never_end_in_another_error(build, three):
    content = (three / "checkpoint.pt").read_bytes()
    model, optimiser = build()
    for place in (0, 50, 100, 200, len(content) - 10, len(content) - 200):
        torn = content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]
        (three / "checkpoint.pt").write_bytes(torn)
        assert state.load(three, "me", model, optimiser).epoch in (2, 3), place


def test_something_else_under_a_checkpoints_name_is_set_aside(build, three):
    torch.save({"identity": "me"}, three / "checkpoint.pt")
    assert state.load(three, "me", *build()).epoch == 2
    torch.save([1], three / "checkpoint.pt")
    assert state.load(three, "me", *build()).epoch == 2


def test_with_both_checkpoints_damaged_training_starts_from_scratch(build, three):
    for name in ("checkpoint.pt", "checkpoint.before.pt"):
        (three / name).write_bytes(b"")
    assert state.load(three, "me", *build()) == RunState()


def test_a_stop_between_the_two_renamings_loses_one_save_at_most(build, three):
    (three / "checkpoint.pt").unlink()
    assert state.load(three, "me", *build()).epoch == 2


def test_a_full_disk_leaves_the_checkpoints_and_no_temporary_file(build, three, monkeypatch):
    real = torch.save

    def save(content, _stream):
        with open("/dev/full", "wb") as full:
            real(content, full)

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(OSError, match=r"checkpoint.pt could not be written whole: the disk.* is full .*MB needed"):
        state.save(three, "me", *build(), RunState(epoch=4))
    assert sorted(path.name for path in three.iterdir()) == ["checkpoint.before.pt", "checkpoint.pt"]
    assert state.load(three, "me", *build()).epoch == 3


def test_torn_write_leaves_the_last_checkpoint(build, tmp_path, monkeypatch):
    model, optimiser = build()
    state.save(tmp_path, "me", model, optimiser, RunState(epoch=3))

    def tear(_content, stream):
        stream.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", tear)
    with pytest.raises(OSError, match="disk full"):
        state.save(tmp_path, "me", model, optimiser, RunState(epoch=4))
    assert state.load(tmp_path, "me", *build()).epoch == 3


def test_checkpoint_that_lacks_a_tensor_is_refused(build, tmp_path):
    model, optimiser = build()
    state.save(tmp_path, "me", model, optimiser, RunState())
    content = torch.load(tmp_path / "checkpoint.pt")
    del content["model"]["prompts.table"]
    torch.save(content, tmp_path / "checkpoint.pt")
    with pytest.raises(RuntimeError, match="does not fit the model; delete it"):
        state.load(tmp_path, "me", *build())


@pytest.mark.parametrize("mode", ["none", "lora", "all", "freeze"])
def test_learnt_state_is_all_but_what_is_frozen_in_the_prior(build, mode):
    model, _ = build(mode)
    names = set(learnt_state(model))
    assert {name for name in model.state_dict() if not name.startswith("prior.")} <= names
    assert "reid.bnneck.bias" in names and "reid.bnneck.running_var" in names
    prior = {name for name in names if name.startswith("prior.")}
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert prior == {name for name in trained if name.startswith("prior.")}
    assert bool(prior) is (mode in ("lora", "all"))


def test_lock_keeps_a_second_writer_out_and_opens_again(tmp_path):
    message = "is in use: another process trains this run; wait for it or stop it"
    with state.locked(tmp_path), pytest.raises(RuntimeError, match=message), state.locked(tmp_path):
        pass
    with state.locked(tmp_path):
        pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_no_second_process(tmp_path, monkeypatch, caplog, number):
    def refuse(*_):
        raise OSError(number, "no")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with caplog.at_level(logging.WARNING), state.locked(tmp_path):
        pass
    assert not caplog.text  # a lock of the other kind is held
    monkeypatch.setattr(fcntl, "lockf", refuse)
    with caplog.at_level(logging.WARNING), state.locked(tmp_path):
        pass
    assert f"{tmp_path} lies on a file system without locks" in caplog.text


@pytest.mark.parametrize("number", [errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES])
def test_a_lock_that_is_held_means_in_use(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, "held")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(RuntimeError, match="another process trains this run"), state.locked(tmp_path):
        pass
