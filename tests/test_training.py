import io
import itertools
import json
import math
import multiprocessing
import os
import runpy
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from torch.nn.functional import mse_loss

from helpers import training
from helpers.training import TrainingError

SAMPLES, BATCH, EPOCHS = 45, 10, 3
STEPS = EPOCHS * 5


class Toy:
    """A data set that draws from every generator there is, and remembers what it was asked for."""

    def __init__(self, before=lambda call: None):
        self.x = torch.linspace(-1, 1, SAMPLES)[:, None]
        self.before, self.asked = before, []

    def __len__(self):
        return SAMPLES

    def batch(self, index):
        self.before(len(self.asked))
        self.asked.append(index.tolist())
        noise = np.random.rand() + torch.rand(len(index), 1) + training.random.random()
        return self.x[index], (3 * self.x[index]).sin() + 0.1 * noise


def loss(model, batch):
    x, y = batch
    return mse_loss(model(x), y)


def network():
    hidden = [torch.nn.Linear(1, 8), torch.nn.BatchNorm1d(8), torch.nn.Tanh(), torch.nn.Dropout(0.2)]
    return torch.nn.Sequential(*hidden, torch.nn.Linear(8, 1))


def validate_at_random(model):
    return {"score": torch.rand(()).item()}


def run(folder, data=None, loss=loss, validate=validate_at_random, **options):
    """Train the toy network; return its weights and what `fit` returned."""
    training.seed_everything(5)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    options = {"epochs": EPOCHS, "batch_size": BATCH, "warmup": 3, "clip": 1.0, "log_every": 1} | options
    result = training.fit(model, loss, data or Toy(), optimizer, folder=folder, validate=validate, **options)
    return model.state_dict(), result


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return run(tmp_path_factory.mktemp("undisturbed"))


def progress(folder):
    return json.loads((folder / "progress.json").read_text())


# --- killed and resumed, in processes of their own ---

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["helpers.training", "hypothesis", "pytest", "torch.utils.tensorboard"])


def start(function, *arguments):
    """Call a function of this file in another process: by path, since tests are in no package."""
    call = {"CALL": (function.__name__, arguments)}
    process = processes.Process(target=runpy.run_path, args=(__file__, call, "child"))
    process.start()
    return process


def die(folder, where, count, every):
    """Train and be killed: at a batch, in a validation, or in the middle of writing a checkpoint."""
    torch.set_num_threads(1)
    training.time = SimpleNamespace(monotonic=itertools.count().__next__)  # a clock that ticks when it is read
    deadly = itertools.count(1)

    def maybe(*_):
        if next(deadly) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    def save(state, file):
        whole = io.BytesIO()
        save_whole(state, whole)
        file.write(whole.getvalue()[:1000])
        file.flush()
        maybe()
        file.write(whole.getvalue()[1000:])

    if where == "checkpoint":
        save_whole, torch.save = torch.save, save
    data = Toy(before=maybe if where == "batch" else lambda call: None)

    def validate(model):
        if where == "validation":
            maybe()
        return validate_at_random(model)

    run(folder, data, validate=validate, checkpoint_seconds=every)


points = st.one_of(
    st.tuples(st.just("batch"), st.integers(1, STEPS)),
    st.tuples(st.just("validation"), st.integers(1, EPOCHS)),
    st.tuples(st.just("checkpoint"), st.integers(1, 4)),
)


@settings(max_examples=5, deadline=None, phases=(Phase.explicit, Phase.generate))  # to shrink takes minutes
@example(deaths=[("batch", 8)], every=0)
@example(deaths=[("validation", 1), ("checkpoint", 1)], every=0)
@given(deaths=st.lists(points, min_size=1, max_size=3), every=st.integers(0, 20))
def test_a_run_killed_anywhere_ends_with_the_same_weights(undisturbed, tmp_path_factory, deaths, every):
    folder = tmp_path_factory.mktemp("killed")
    for where, count in deaths:
        process = start(die, folder, where, count, every)
        process.join()
        assert process.exitcode in (-signal.SIGKILL, 0)  # 0: a resumed run can be over before that many batches
    weights, result = run(folder)
    assert same(weights, undisturbed[0])
    assert result.curves == undisturbed[1].curves


def test_a_resumed_run_does_not_repeat_what_it_has_done(undisturbed, tmp_path):
    process = start(die, tmp_path, "batch", 8, 0)  # when it asks for the 8th of 15 batches
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert progress(tmp_path)["step"] == 7
    data = Toy()
    weights, _ = run(tmp_path, data)
    assert len(data.asked) == STEPS - 7
    assert same(weights, undisturbed[0])
    assert scalars(tmp_path / "tensorboard", "step/loss") == list(range(1, STEPS + 1))
    assert scalars(tmp_path / "tensorboard", "epoch/score") == [5, 10, 15]


def scalars(folder, tag):
    """The steps with a scalar of that name, over the files of all processes that wrote one."""
    events = itertools.chain.from_iterable(EventFileLoader(str(path)).Load() for path in folder.iterdir())
    return sorted(event.step for event in events if any(value.tag == tag for value in event.summary.value))


def pause_in_training(folder, ready):
    def pause(call):
        ready.send(os.getpid())
        signal.pause()

    run(folder, Toy(before=pause))


def test_a_run_has_one_process_at_a_time(undisturbed, tmp_path):
    here, there = processes.Pipe(duplex=False)
    process = start(pause_in_training, tmp_path, there)
    there.close()  # so that a child that dies is not waited for
    pid = here.recv()
    before = progress(tmp_path)
    with pytest.raises(TrainingError, match=rf"process {pid} on .* works on this run"):
        run(tmp_path)
    assert progress(tmp_path) == before and before["state"] == "running" and before["pid"] == pid
    process.kill()
    process.join()
    assert same(run(tmp_path)[0], undisturbed[0])


# --- what a checkpoint is good for, and when it is refused ---


def test_a_finished_run_is_not_trained_again(undisturbed, tmp_path):
    run(tmp_path)
    data = Toy()
    weights, result = run(tmp_path, data)
    assert data.asked == []
    assert same(weights, undisturbed[0]) and result.curves == undisturbed[1].curves


def test_a_checkpoint_of_other_parameters_is_refused(tmp_path):
    run(tmp_path, parameters={"hidden": 8})
    with pytest.raises(TrainingError, match=r"other parameters \(epochs 3 is now 4, hidden 8 is now 16\)"):
        run(tmp_path, parameters={"hidden": 16}, epochs=4)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_is_told_and_never_trained_on(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "damage"
    checkpoint, good = folder / "checkpoint.pt", folder / "good.pt"
    if not good.exists():
        run(folder)
        checkpoint.rename(good)
    expected = torch.load(good)["model"]
    whole = bytearray(good.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1), "place")
    if data.draw(st.booleans(), "cut off there"):
        del whole[place:]
    else:
        whole[place] ^= data.draw(st.integers(1, 255), "flipped")
    checkpoint.write_bytes(whole)
    asked = Toy()
    try:
        weights, _ = run(folder, asked)
    except TrainingError as error:
        assert "checkpoint.pt is damaged" in str(error) and "delete it" in str(error)
    else:  # only what a zip file says of dates and the like was changed
        assert same(weights, expected)
    assert asked.asked == []


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_run_and_spoils_nothing(undisturbed, tmp_path, poison):
    data = Toy()

    def sometimes(model, batch):
        return loss(model, batch) * (poison if len(data.asked) == 8 else 1.0)

    with pytest.raises(TrainingError, match=rf"loss {poison:g}, .* at step 7 of {STEPS}"):
        run(tmp_path, data, sometimes, checkpoint_seconds=0)
    assert progress(tmp_path)["state"] == "failed" and "at step 7" in progress(tmp_path)["error"]
    assert same(run(tmp_path)[0], undisturbed[0]), "the checkpoint from before the failure was to be kept"


def test_a_gradient_that_is_not_finite_does_not_reach_the_weights(tmp_path):
    model = torch.nn.Linear(1, 1)
    torch.nn.init.ones_(model.weight)

    def steep(model, batch):
        return (model.weight - 1).sqrt().sum()  # 0, with an infinite slope

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(TrainingError, match="loss 0, gradient norm inf at step 0"):
        training.fit(model, steep, Toy(), optimizer, folder=tmp_path, epochs=1, batch_size=BATCH)
    assert model.weight.item() == 1


# --- the loop itself ---


@settings(max_examples=20, deadline=None)
@given(batch_size=st.integers(1, 60), epochs=st.integers(1, 3), seed=st.integers(0, 2**31 - 1))
def test_every_epoch_takes_every_sample_once(tmp_path_factory, batch_size, epochs, seed):
    data = Toy()
    folder = tmp_path_factory.mktemp("order")
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    options = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
    training.fit(model, loss, data, optimizer, folder=folder, **options)
    asked = list(itertools.chain.from_iterable(data.asked))
    orders = [asked[first : first + SAMPLES] for first in range(0, len(asked), SAMPLES)]
    assert len(orders) == epochs
    assert all(sorted(order) == list(range(SAMPLES)) for order in orders)
    assert len({tuple(order) for order in orders}) == epochs, "the same order twice"
    assert max(map(len, data.asked)) == min(batch_size, SAMPLES)
    assert progress(folder)["step"] == progress(folder)["steps"] == len(data.asked)


def test_neither_an_epoch_nor_a_seed_repeats_the_order_of_another(tmp_path):
    orders = []
    for seed in range(3):
        data = Toy()
        run(tmp_path / str(seed), data, seed=seed)
        asked = list(itertools.chain.from_iterable(data.asked))
        orders += [tuple(asked[first : first + SAMPLES]) for first in range(0, len(asked), SAMPLES)]
    assert len(set(orders)) == len(orders) == 9


def test_the_weights_are_those_of_the_loop_that_anyone_would_write(tmp_path):
    class Plain(Toy):
        def batch(self, index):
            self.asked.append(index.tolist())
            return self.x[index], (3 * self.x[index]).sin()

    def plain():
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).double()

    data, model = Plain(), plain()
    data.x = data.x.double()
    options = {"epochs": EPOCHS, "batch_size": BATCH, "warmup": 4, "clip": 0.1, "folder": tmp_path}
    training.fit(model, loss, data, torch.optim.AdamW(model.parameters(), lr=0.02), **options)

    expected = plain()
    optimizer = torch.optim.AdamW(expected.parameters(), lr=0.02)
    up = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1 / 4, total_iters=3)
    down = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS - 4)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [up, down], milestones=[4])
    for index in data.asked[:STEPS]:
        optimizer.zero_grad()
        mse_loss(expected(data.x[index]), (3 * data.x[index]).sin()).backward()
        torch.nn.utils.clip_grad_norm_(expected.parameters(), 0.1)
        optimizer.step()
        schedule.step()
    for name, weights in expected.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], weights, rtol=1e-9, atol=1e-12)


def test_the_training_loss_is_the_mean_over_samples(tmp_path):
    model = torch.nn.Linear(1, 1)
    data = Toy()
    data.batch = lambda index: (data.x[index], data.x[index] ** 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    result = training.fit(model, loss, data, optimizer, folder=tmp_path, epochs=2, batch_size=7)
    assert result.curves["train_loss"] == pytest.approx(2 * [loss(model, data.batch(range(SAMPLES))).item()])


def test_validation_sees_the_model_as_it_will_be_used(tmp_path):
    seen = []

    def validate(model):
        seen.append((model.training, torch.is_grad_enabled()))
        return {"constant": len(seen)}

    _, result = run(tmp_path, validate=validate)
    assert seen == 3 * [(False, False)]
    assert result.curves["constant"] == [1.0, 2.0, 3.0] and len(result.curves["train_loss"]) == 3


@pytest.mark.parametrize(("amp", "dtype"), [(None, torch.float32), (True, torch.bfloat16)])
def test_reduced_precision_is_for_those_who_ask_where_there_is_no_cuda_device(tmp_path, amp, dtype):
    seen = set()

    def watched(model, batch):
        y = model(batch[0])
        seen.add(y.dtype)
        return mse_loss(y.float(), batch[1])

    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    training.fit(model, watched, Toy(), optimizer, folder=tmp_path, epochs=1, batch_size=BATCH, amp=amp)
    assert seen == {dtype}
    assert model.weight.dtype == torch.float32


@given(steps=st.integers(2, 500), data=st.data())
def test_schedules_stay_between_nothing_and_the_full_rate(steps, data):
    warmup = data.draw(st.integers(0, steps - 1))
    for schedule in (training.cosine, training.constant):
        factors = [schedule(step, steps, warmup) for step in range(steps)]
        assert all(0 < factor <= 1 for factor in factors)
        assert factors[:warmup] == sorted(factors[:warmup]) and factors[warmup] == 1
    assert all(factor == 1 for factor in factors[warmup:])


def test_progress_tells_how_far_a_run_is(tmp_path, capfd):
    told = []
    run(tmp_path / "a", validate=lambda model: told.append(progress(tmp_path / "a")) or {"score": 0.5})
    assert [(at["state"], at["step"], at["steps"], at["run"]) for at in told] == [
        ("running", step, STEPS, "a") for step in (5, 10, 15)
    ]
    assert all(at["seconds"] > 0 and at["seconds_left"] >= 0 and at["pid"] == os.getpid() for at in told)
    assert told[1]["latest"]["score"] == 0.5
    assert (progress(tmp_path / "a")["state"], progress(tmp_path / "a")["seconds_left"]) == ("done", 0)
    assert capfd.readouterr() == ("", ""), "a progress bar belongs on a terminal only"


if __name__ == "child":
    name, arguments = CALL  # noqa: F821 (given by `start`)
    globals()[name](*arguments)
