import io
import itertools
import json
import math
import multiprocessing
import os
import resource
import runpy
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from torch.nn.functional import mse_loss
from torch.utils.tensorboard import SummaryWriter

from helpers import checkpoints, provenance, runs, training
from helpers.checks import TrainingError
from helpers.experiments import RunError

torch.set_num_threads(1)  # with more, sums may differ from process to process
SAMPLES, BATCH, EPOCHS = 45, 10, 3
STEPS = EPOCHS * 5


class Toy:
    """Batches that draw from every generator there is, and remember what they were asked for."""

    def __init__(self, before=lambda call: None):
        self.x = torch.linspace(-1, 1, SAMPLES)[:, None]
        self.before, self.asked = before, []

    def __call__(self, index):
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


def a_run(folder, profile="full", **settings):
    """A run that keeps its things in ``folder``."""
    return runs.Run("toy", {"profile": profile, "run": "a", "seed": 0} | settings, build=folder)


def kept(folder, profile="full"):
    """Where the run keeps its things."""
    return folder / profile / "experiments" / "toy" / "a"


def run(
    folder, data=None, loss=loss, validate=validate_at_random, profile="full", parameters=None, rate=0.01, **options
):
    """Train the toy network; return its weights and what `fit` returned."""
    training.seed_everything(5)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    batch = training.Epochs(data or Toy(), SAMPLES, options.pop("batch_size", BATCH), options.pop("seed", 0))
    options = {"steps": STEPS, "validate_every": 5, "warmup": 3, "clip": 1.0, "log_every": 1} | options
    result = training.fit(
        a_run(folder, profile, **parameters or {}), model, loss, batch, optimizer, validate=validate, **options
    )
    return model.state_dict(), result


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return run(tmp_path_factory.mktemp("undisturbed"))


def progress(folder):
    return json.loads((kept(folder) / "progress.json").read_text())


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


@pytest.mark.thorough
@settings(max_examples=5, deadline=None, phases=[Phase.generate])  # to shrink takes minutes
@given(deaths=st.lists(points, min_size=1, max_size=3), every=st.integers(0, 20))
def test_a_run_killed_anywhere_ends_with_the_same_weights(undisturbed, tmp_path_factory, deaths, every):
    ends_with_the_same_weights(undisturbed, tmp_path_factory.mktemp("killed"), deaths, every)


@pytest.mark.parametrize("deaths", [[("batch", 8)], [("validation", 1), ("checkpoint", 1)]])
def test_a_run_that_is_killed_ends_with_the_same_weights(undisturbed, tmp_path, deaths):
    ends_with_the_same_weights(undisturbed, tmp_path, deaths, every=0)


def ends_with_the_same_weights(undisturbed, folder, deaths, every):
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
    board = kept(tmp_path) / "tensorboard"
    assert scalars(board, "step/loss") == list(range(1, STEPS + 1))
    assert scalars(board, "validation/score") == [5, 10, 15]


def test_scalars_from_after_the_checkpoint_are_told_once(tmp_path, monkeypatch):
    """What a killed process told of steps that are then repeated is taken back."""
    save = runs.Run.save
    with monkeypatch.context() as patch:
        patch.setattr(
            runs.Run, "save", lambda *a, place, **k: save(*a, place=place, **k) if place["step"] == 5 else None
        )

        def stop(call):
            if call == 8:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, Toy(stop), checkpoint_seconds=0)
    (before,) = (kept(tmp_path) / "tensorboard").iterdir()
    before.rename(
        before.with_name("events.out.tfevents.0")
    )  # files are read in the order of the seconds in their names
    run(tmp_path)
    board = EventAccumulator(str(kept(tmp_path) / "tensorboard"))
    board.Reload()
    assert [event.step for event in board.Scalars("step/loss")] == list(range(1, STEPS + 1))


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
    with pytest.raises(runs.Locked, match=rf"process {pid} on .* works on this run"):
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
    with pytest.raises(RunError, match=r"other parameters \(hidden 8 is now 16, steps 15 is now 20\): delete it"):
        run(tmp_path, parameters={"hidden": 16}, steps=20)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 20},
        {"batch_size": 9},
        {"seed": 1},
        {"rate": 0.02},
        {"clip": 2.0},
        {"warmup": 2},
        {"precision": "bfloat16"},
        {"schedule": training.constant},
        {"validate_every": 3},
        {"parameters": {"seed": 1}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_a_result_depends_on_is_among_the_settings(tmp_path, change):
    run(tmp_path, steps=5, batch_size=BATCH)
    with pytest.raises(RunError, match="other parameters"):
        run(tmp_path, **{"steps": 5, **change})


def test_another_number_of_threads_is_another_run(tmp_path, monkeypatch):
    run(tmp_path, steps=5)
    monkeypatch.setenv("THREADS", "2")
    try:
        with pytest.raises(RunError, match="threads 1 is now 2"):
            run(tmp_path, steps=5)
    finally:
        torch.set_num_threads(1)


def test_another_number_of_samples_is_another_run(tmp_path):
    def train(samples):
        model = torch.nn.Linear(1, 1)
        batch = training.Epochs(Toy(), samples, BATCH)
        training.fit(a_run(tmp_path), model, loss, batch, torch.optim.SGD(model.parameters(), lr=0.1), steps=1)

    train(SAMPLES)
    with pytest.raises(RunError, match="samples 45 is now 44"):
        train(SAMPLES - 1)


def test_a_rehearsal_starts_anew_where_a_full_run_is_refused(undisturbed, tmp_path):
    run(tmp_path, profile="smoke", rate=0.5)
    weights, _ = run(tmp_path, profile="smoke")
    assert same(weights, undisturbed[0])
    (kept(tmp_path, "smoke") / "checkpoint.pt").write_bytes(b"damaged")
    data = Toy()
    assert same(run(tmp_path, data, profile="smoke")[0], undisturbed[0]) and len(data.asked) == STEPS
    again = Toy()
    run(tmp_path, again, profile="smoke")
    assert again.asked == [], "nothing has changed, so nothing is done again"


def test_a_rehearsal_of_other_code_starts_anew(tmp_path, monkeypatch):
    run(tmp_path, profile="smoke")
    monkeypatch.setattr(provenance, "code", lambda: {"notebook": "another loss"})
    data = Toy()
    run(tmp_path, data, profile="smoke")
    assert len(data.asked) == STEPS


def test_a_full_run_resumed_under_other_code_says_so(tmp_path, monkeypatch):
    def stop(call):
        if call == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(provenance, "commit", lambda: "first")
    monkeypatch.setattr(provenance, "code", lambda: {"helpers/a.py": "1", "notebook": "1"})
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Toy(stop), checkpoint_seconds=0)
    monkeypatch.setattr(provenance, "commit", lambda: "second")
    monkeypatch.setattr(provenance, "code", lambda: {"helpers/a.py": "1", "notebook": "2"})
    _, result = run(tmp_path)
    assert [(entry["step"], entry["commit"]) for entry in result.history] == [(0, "first"), (7, "second")]
    told = runs.resumptions([result.history], [None])
    assert told == [{"step": 7, "commit": "second", "changed": ["notebook"]}]
    _, again = run(tmp_path)
    assert again.history == result.history, "it is told once"
    monkeypatch.setattr(provenance, "commit", lambda: "third")
    _, result = run(tmp_path)
    told = runs.resumptions([result.history], [None])
    assert told[1:] == [{"step": STEPS, "commit": "third", "changed": []}], "what is shown was scored by it"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_is_told_and_never_trained_on(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "damage"
    checkpoint, good = kept(folder) / "checkpoint.pt", kept(folder) / "good.pt"
    if not good.exists():
        run(folder)
        checkpoint.rename(good)
        assert not checkpoints.before(checkpoint).exists(), "which would take its place"
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
    except RunError as error:
        assert "checkpoint.pt is damaged" in str(error) and "delete it" in str(error)
    else:  # only what a zip file says of dates and the like was changed
        assert same(weights, expected)
    assert asked.asked == []


@settings(max_examples=20, deadline=None)
@given(kill=st.integers(6, STEPS - 1), cut=st.floats(0, 0.99))
def test_a_truncated_checkpoint_gives_way_to_the_one_before(undisturbed, tmp_path_factory, kill, cut):
    folder = tmp_path_factory.mktemp("truncated")

    def stop(call):
        if call == kill:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(folder, Toy(stop), checkpoint_seconds=0)
    newest = kept(folder) / "checkpoint.pt"
    os.truncate(newest, int(cut * newest.stat().st_size))

    def stop_at_once(call):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # before it has saved another
        run(folder, Toy(stop_at_once), checkpoint_seconds=0)
    assert torch.load(newest)["place"]["step"] == kill - 1, "the good one is never the one that is replaced first"
    asked = Toy()
    weights, _ = run(folder, asked)
    assert same(weights, undisturbed[0]) and len(asked.asked) == STEPS - kill + 1, "one step is computed again"


def test_a_checkpoint_is_never_executed(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the checkpoint was executed",))

    run(tmp_path)
    state = checkpoints.load(kept(tmp_path) / "checkpoint.pt", torch.load(kept(tmp_path) / "checkpoint.pt")["settings"])
    torch.save(state | {"place": Trap()}, kept(tmp_path) / "checkpoint.pt")
    with pytest.raises(RunError, match="is damaged"):
        run(tmp_path)


def test_numbers_of_numpy_and_nan_come_back_from_a_checkpoint(tmp_path):
    odd = {"width": np.float32(0.5), "count": np.int64(3), "nothing": math.nan, "everything": np.float64(np.inf)}
    weights, _ = run(tmp_path, parameters=odd, rate=np.float64(0.01))
    data = Toy()
    again, _ = run(tmp_path, data, parameters=odd, rate=np.float64(0.01))
    assert same(weights, again) and data.asked == []


@pytest.mark.parametrize("rate", [torch.tensor(0.01), np.array([0.01])])
def test_a_setting_that_no_checkpoint_could_be_compared_by_is_named_before_anything_runs(tmp_path, rate):
    with pytest.raises(RunError, match=r"width = .* is no setting of a run"):
        run(tmp_path, parameters={"width": rate})
    assert not (kept(tmp_path) / "checkpoint.pt").exists()


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_run_and_spoils_nothing(undisturbed, tmp_path, poison):
    data = Toy()

    def sometimes(model, batch):
        return loss(model, batch) * (poison if len(data.asked) == 8 else 1.0)

    with pytest.raises(TrainingError, match=rf"loss {poison:g}, .* at step 7;"):
        run(tmp_path, data, sometimes, checkpoint_seconds=0)
    assert progress(tmp_path)["state"] == "failed" and "at step 7" in progress(tmp_path)["error"]
    assert same(run(tmp_path)[0], undisturbed[0]), "the checkpoint from before the failure was to be kept"


def test_a_gradient_that_is_not_finite_does_not_reach_the_weights(tmp_path):
    model = torch.nn.Linear(1, 1)
    torch.nn.init.ones_(model.weight)

    def steep(model, batch):
        return (model.weight - 1).sqrt().sum()  # 0, with an infinite slope

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(TrainingError, match="gradient_norm inf at step 0"):
        training.fit(a_run(tmp_path), model, steep, lambda step: None, optimizer, steps=1)
    assert model.weight.item() == 1


def test_a_loop_that_runs_ahead_of_its_device_ends_where_one_that_waits_does(undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "hurries", lambda device: True)
    assert same(run(tmp_path, log_every=4)[0], undisturbed[0])
    assert run(tmp_path, log_every=4)[1].curves == undisturbed[1].curves


def test_a_loop_that_runs_ahead_names_the_first_step_that_is_not_finite_and_saves_none(
    undisturbed, tmp_path, monkeypatch
):
    monkeypatch.setattr(training, "hurries", lambda device: True)
    data, read = Toy(), []

    def sometimes(model, batch):
        return loss(model, batch) * (math.nan if len(data.asked) >= 7 else 1.0)

    with monkeypatch.context() as patch:
        patch.setattr(
            training, "read", lambda unread, *rest, real=training.read: read.append(len(unread)) or real(unread, *rest)
        )
        with pytest.raises(TrainingError, match=r"loss nan, .* at step 6;"):
            run(tmp_path, data, sometimes, log_every=100)
    assert read == [5, 5], "it waits where it validates, and only there"
    monkeypatch.undo()
    assert same(run(tmp_path)[0], undisturbed[0]), "the checkpoint from before the failure was to be kept"


def test_a_gradient_that_overflows_in_float16_leaves_its_step_out_and_halves_the_scale(tmp_path):
    model, weights = torch.nn.Linear(1, 1, bias=False), []
    torch.nn.init.ones_(model.weight)

    def steep(model, batch):
        weights.append(model.weight.item())
        return model(torch.full((1, 1), 1e4)).float().sum() / 4  # times 65536, no number of 16 bits is as large

    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    training.fit(a_run(tmp_path), model, steep, lambda step: None, optimizer, steps=30, precision="float16")
    skipped = [before == after for before, after in itertools.pairwise(weights)]
    assert skipped[0] and not skipped[-1] and skipped == sorted(skipped, reverse=True)


def test_a_scaled_run_goes_on_with_its_scale(tmp_path):
    def train(folder, stop_at=None):
        data = Toy(lambda call: (_ for _ in ()).throw(KeyboardInterrupt) if call == stop_at else None)
        return run(folder, data, precision="float16", checkpoint_seconds=0)[0]

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", stop_at=9)
    assert same(train(tmp_path / "stopped"), train(tmp_path / "whole"))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_never_saved(tmp_path, bad):
    """The last step of all can spoil them without any loss to tell."""

    class Spoiler(torch.optim.SGD):
        def step(self):
            with torch.no_grad():
                self.param_groups[0]["params"][0].fill_(bad)

    model = torch.nn.Linear(1, 1)
    with pytest.raises(TrainingError, match=r"weight .* at step 1"):
        training.fit(a_run(tmp_path), model, loss, Epochs(), Spoiler(model.parameters(), lr=1.0), steps=1)
    assert not (kept(tmp_path) / "checkpoint.pt").exists()


def test_a_score_that_is_not_finite_stops_the_run(tmp_path):
    with pytest.raises(TrainingError, match="score nan at step 5"):
        run(tmp_path, validate=lambda model: {"score": math.nan})


def test_after_a_divergence_a_smaller_rate_does_not_go_on_from_there(tmp_path):
    def sometimes(model, batch):
        return loss(model, batch) * (math.nan if progress(tmp_path)["step"] == 8 else 1.0)

    with pytest.raises(TrainingError):
        run(tmp_path, loss=sometimes, rate=1e3, checkpoint_seconds=0)
    with pytest.raises(RunError, match="delete it to start anew"):
        run(tmp_path, rate=1e-3)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"batch_size": -1}, "batch_size = -1: expected a whole number from 1 on"),
        ({"batch_size": 0}, "batch_size = 0"),
        ({"steps": 0}, "steps = 0: expected a whole number from 1 on"),
        ({"steps": 1.5}, "steps = 1.5"),
        ({"steps": True}, "steps = True"),
        ({"validate_every": 0}, "validate_every = 0"),
        ({"log_every": 0}, "log_every = 0"),
        ({"warmup": -1}, "warmup = -1: expected a whole number from 0 on"),
        ({"clip": -1}, "clip = -1: expected a number above 0"),
        ({"clip": 0}, "clip = 0: expected a number above 0"),
        ({"clip": math.nan}, "clip = nan: expected a number above 0"),
        ({"clip": None}, "clip = None: expected a number above 0, or math.inf for none"),
        ({"clip": "1"}, "clip = '1': expected a number above 0"),
        ({"checkpoint_seconds": -1}, "checkpoint_seconds = -1: expected a number from 0 on"),
        ({"checkpoint_seconds": None}, "checkpoint_seconds = None: expected a number from 0 on"),
    ],
)
def test_an_option_out_of_range_is_named_before_anything_runs(tmp_path, options, says):
    with pytest.raises(ValueError, match=says):
        run(tmp_path, **options)
    assert not (kept(tmp_path) / "progress.json").exists()


def test_an_optimizer_of_another_model_is_refused(tmp_path):
    another = torch.optim.Adam([*network().parameters()])
    with pytest.raises(ValueError, match=r"none of the model's: make it of model\.parameters\(\)"):
        training.fit(a_run(tmp_path), network(), loss, training.Epochs(Toy(), SAMPLES, BATCH), another, steps=1)


@pytest.mark.parametrize("said", [None, 0.5])
def test_scores_that_are_no_dictionary_are_refused(tmp_path, said):
    with pytest.raises(TypeError, match=f"validate returns a dictionary of numbers, and not {said}"):
        run(tmp_path, validate=lambda model: said)


def train_until_the_disk_is_full(folder, room):
    """Train in a process none of whose files may grow over ``room`` bytes from the eighth step on."""

    def before(call):
        if call == 7:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))

    try:
        run(folder, Toy(before), checkpoint_seconds=0)
    except RunError as error:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        (folder / "told").write_text(str(error))


@pytest.mark.parametrize("room", [100, 8000], ids=["scalars", "checkpoint"])
def test_a_full_disk_says_what_to_do_and_leaves_the_checkpoint_before(undisturbed, tmp_path, room):
    process = start(train_until_the_disk_is_full, tmp_path, room)
    process.join(120)
    told = (tmp_path / "told").read_text()
    assert "File too large" in told and "make room, and rerun to go on" in told
    assert ("checkpoint.pt" in told) == (room == 8000)
    assert not list(kept(tmp_path).glob(".*.tmp"))
    data = Toy()
    assert same(run(tmp_path, data)[0], undisturbed[0]) and len(data.asked) == STEPS - 7


# --- the loop itself ---


def test_the_last_step_is_validated_wherever_it_falls(tmp_path):
    assert run(tmp_path, steps=7)[1].curves["step"] == [5, 7]


def test_a_step_is_clipped_and_each_group_of_parameters_has_its_own_rate(tmp_path):
    model = torch.nn.Linear(2, 1)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    groups = [{"params": [model.weight], "lr": 0.5}, {"params": [model.bias], "lr": 2.0}]
    once = {"steps": 1, "schedule": training.constant, "warmup": 4, "clip": 0.1}
    training.fit(a_run(tmp_path), model, lambda model, x: 100 * model(x).sum(), lambda step: torch.ones(1, 2),
                 torch.optim.SGD(groups), **once)  # fmt: skip
    moved = [old - new for old, new in zip(before, model.parameters(), strict=True)]
    gradient = 0.1 / math.sqrt(3)  # of two weights and a bias, all the same, their norm being 0.1
    assert moved[0].tolist() == [pytest.approx([0.5 / 4 * gradient] * 2, rel=1e-4)]
    assert moved[1].tolist() == pytest.approx([2.0 / 4 * gradient], rel=1e-4)


@settings(max_examples=50, deadline=None)
@given(samples=st.integers(1, 60), batch_size=st.integers(1, 60), seed=st.integers(0, 2**31 - 1))
def test_every_epoch_takes_every_sample_once_in_an_order_of_its_own(samples, batch_size, seed):
    batch = training.Epochs(lambda index: index.tolist(), samples, batch_size, seed)
    assert len(batch) == math.ceil(samples / batch_size)
    epochs = [[batch(epoch * len(batch) + step) for step in range(len(batch))] for epoch in range(3)]
    orders = [tuple(itertools.chain.from_iterable(epoch)) for epoch in epochs]
    assert all(sorted(order) == list(range(samples)) for order in orders)
    assert max(map(len, epochs[0])) == min(batch_size, samples)
    assert training.Epochs(lambda index: index.tolist(), samples, batch_size, seed)(2 * len(batch)) == epochs[2][0]


def test_neither_an_epoch_nor_a_seed_repeats_the_order_of_another():
    orders = [tuple(training.Epochs(list, SAMPLES, SAMPLES, seed)(epoch)) for seed in range(3) for epoch in range(3)]
    assert len({tuple(map(int, order)) for order in orders}) == len(orders)


def test_the_weights_are_those_of_the_loop_that_anyone_would_write(tmp_path):
    x = torch.linspace(-1, 1, SAMPLES, dtype=torch.float64)[:, None]
    asked = []

    def make(index):
        asked.append(index)
        return x[index], (3 * x[index]).sin()

    def plain():
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).double()

    model = plain()
    optimizer, batch = torch.optim.AdamW(model.parameters(), lr=0.02), training.Epochs(make, SAMPLES, BATCH)
    training.fit(a_run(tmp_path), model, loss, batch, optimizer, steps=STEPS, warmup=4, clip=0.1)

    expected = plain()
    optimizer = torch.optim.AdamW(expected.parameters(), lr=0.02)
    up = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1 / 4, total_iters=3)
    down = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS - 4)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [up, down], milestones=[4])
    for index in asked[:STEPS]:
        optimizer.zero_grad()
        mse_loss(expected(x[index]), (3 * x[index]).sin()).backward()
        torch.nn.utils.clip_grad_norm_(expected.parameters(), 0.1)
        optimizer.step()
        schedule.step()
    for name, weights in expected.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], weights, rtol=1e-9, atol=1e-12)


def test_the_training_loss_is_the_mean_since_the_time_before(tmp_path):
    model = torch.nn.Linear(1, 1)

    def counted(model, batch):
        return 0 * model.weight.sum() + batch

    def batch(step):
        return torch.tensor(float(step))

    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    result = training.fit(a_run(tmp_path), model, counted, batch, optimizer, steps=8, validate_every=3)
    assert result.curves == {"step": [3, 6, 8], "train_loss": [1.0, 4.0, 6.5]}


def test_validation_sees_the_model_as_it_will_be_used(tmp_path):
    seen, trained = [], []

    def validate(model):
        seen.append((model.training, torch.is_grad_enabled()))
        return {"constant": len(seen)}

    def watched(model, batch):
        trained.append(model.training)
        return loss(model, batch)

    _, result = run(tmp_path, loss=watched, validate=validate)
    assert seen == 3 * [(False, False)] and all(trained)
    assert result.curves["constant"] == [1.0, 2.0, 3.0] and result.curves["step"] == [5, 10, 15]


def test_a_trained_model_is_left_as_it_will_be_used(tmp_path):
    for _ in range(2):  # trained, and read from its checkpoint
        model = network()
        training.fit(a_run(tmp_path), model, loss, Epochs(), torch.optim.SGD(model.parameters(), lr=0.1), steps=1)
        assert not model.training


def test_a_rule_stops_the_run_early_and_it_stays_stopped(tmp_path):
    asked = []

    def stop(curves):
        asked.append(list(curves["step"]))
        return len(curves["train_loss"]) >= 2

    data = Toy()
    weights, result = run(tmp_path, data, validate_every=4, stop=stop)
    assert (result.steps, result.curves["step"], asked) == (8, [4, 8], [[4], [4, 8]])
    assert len(data.asked) == 8 and progress(tmp_path)["state"] == "done"
    again = Toy()
    weights_again, result_again = run(tmp_path, again, validate_every=4, stop=stop)
    assert again.asked == [] and same(weights, weights_again) and result_again.curves == result.curves


def carrying(folder, before=lambda step: None):
    """Train a network on a state that goes from batch to batch; return what the loss was given, and the weights."""
    torch.manual_seed(0)
    cell, given = torch.nn.RNNCell(1, 4), []

    def through_time(model, batch, state):
        assert not any(part.requires_grad for part in state)
        given.append(state[0].clone())
        following = model(batch, state[0])
        return following.square().mean(), (following, state[1] + 1)

    def batch(step):
        before(step)
        return torch.full((2, 1), step / 10)

    optimizer = torch.optim.SGD(cell.parameters(), lr=0.1)
    carry = (torch.zeros(2, 4), torch.zeros(()))
    training.fit(a_run(folder), cell, through_time, batch, optimizer, steps=9, carry=carry, checkpoint_seconds=0)
    return given, cell.state_dict()


def test_a_state_is_carried_from_batch_to_batch_and_through_a_stop(tmp_path):
    def stop(step):
        if step == 5:
            raise KeyboardInterrupt

    given, weights = carrying(tmp_path / "whole")
    assert len(given) == 9 and not given[0].any() and all(state.any() for state in given[1:])
    with pytest.raises(KeyboardInterrupt):
        carrying(tmp_path / "stopped", stop)
    later, weights_again = carrying(tmp_path / "stopped")
    assert all(torch.equal(a, b) for a, b in zip(given[5:], later, strict=True))
    assert same(weights, weights_again)


@pytest.mark.parametrize(
    ("precision", "dtype"), [(None, torch.float32), ("bfloat16", torch.bfloat16), ("float16", torch.float16)]
)
def test_reduced_precision_is_for_those_who_ask_where_there_is_no_cuda_device(tmp_path, precision, dtype):
    seen = set()

    def watched(model, batch):
        y = model(batch[0])
        seen.add(y.dtype)
        return mse_loss(y.float(), batch[1])

    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    training.fit(a_run(tmp_path), model, watched, Epochs(), optimizer, steps=1, precision=precision)
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
    run(tmp_path, validate=lambda model: told.append(progress(tmp_path)) or {"score": 0.5})
    assert [(at["state"], at["step"], at["steps"], at["run"]) for at in told] == [
        ("running", step, STEPS, "a") for step in (5, 10, 15)
    ]
    assert all(at["seconds"] > 0 and at["seconds_left"] >= 0 and at["pid"] == os.getpid() for at in told)
    assert told[1]["latest"]["score"] == 0.5 and "step" not in told[1]["latest"]
    assert (progress(tmp_path)["state"], progress(tmp_path)["seconds_left"]) == ("done", 0)
    assert capfd.readouterr() == ("", ""), "a progress bar belongs on a terminal only"


def test_the_seconds_of_all_processes_are_added_up(tmp_path, monkeypatch):
    def stop(call):
        if call == 7:
            raise KeyboardInterrupt

    clock = itertools.count().__next__
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=clock))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Toy(stop), checkpoint_seconds=0)
    first = torch.load(kept(tmp_path) / "checkpoint.pt")["place"]["seconds"]
    passed = clock()
    result = run(tmp_path, checkpoint_seconds=0)[1]
    assert first > 7 and first + 8 < result.seconds <= first + clock() - passed


def test_scalars_are_on_the_disk_before_the_checkpoint_that_comes_after_them(tmp_path, monkeypatch):
    """They are written by a thread of their own, which only a flush waits for."""
    events = []
    flush, save = SummaryWriter.flush, runs.Run.save
    monkeypatch.setattr(SummaryWriter, "flush", lambda board: (flush(board), events.append("flush")))
    monkeypatch.setattr(runs.Run, "save", lambda *a, **k: (events.append("save"), save(*a, **k)))
    run(tmp_path, steps=3, checkpoint_seconds=0)
    assert events[:6] == ["flush", "save"] * 3


def Epochs():
    return training.Epochs(Toy(), SAMPLES, BATCH)


if __name__ == "child":
    name, arguments = CALL  # noqa: F821 (given by `start`)
    globals()[name](*arguments)
