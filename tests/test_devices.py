"""Where and how precisely experiments compute."""

import pytest
import torch

from helpers import devices


@pytest.fixture(autouse=True)
def as_before():
    yield
    devices.choose("cpu", "float32")


def test_deterministic_means_so_and_is_off_again_without():
    devices.choose("cpu", "float32", deterministic=True)
    assert torch.are_deterministic_algorithms_enabled()
    devices.choose("cpu", "float32")
    assert not torch.are_deterministic_algorithms_enabled()


def test_single_precision_is_meant_in_full():
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    devices.choose("cpu", "float32")
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize(("able", "chosen"), [({}, "float32"), ({"avx512_bf16": True}, "bfloat16")])
def test_bfloat16_is_chosen_where_a_processor_multiplies_it(able, chosen, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert devices.choose("cpu") == ("cpu", chosen)
    assert devices.choose("cpu", "float16") == ("cpu", "float16")


@pytest.mark.parametrize(("capability", "chosen"), [((7, 5), "float32"), ((8, 0), "bfloat16")])
def test_bfloat16_is_chosen_where_a_gpu_multiplies_it(capability, chosen, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert devices.choose() == ("cuda", chosen)


def test_a_gpu_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.choose()[0] == "cpu"
    with pytest.raises(ValueError, match="finds no GPU here: expected 'auto' or 'cpu'"):
        devices.choose("cuda")


@pytest.mark.parametrize("precision", devices.PRECISIONS)
def test_autocast_computes_in_the_precision_that_was_chosen(precision):
    with devices.autocast("cpu", precision):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == getattr(torch, precision)
