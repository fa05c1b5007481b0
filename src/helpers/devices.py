"""Where to compute, and how precisely."""

import os

import torch

PRECISIONS = ("bfloat16", "float16", "float32")


def choose(device="auto", precision="auto", deterministic=False):
    """Return ``(device, precision)`` with the "auto" of each decided.

    The device is "cuda" where PyTorch finds a GPU, else "cpu"; the precision is "bfloat16" where the device multiplies
    it in hardware, else "float32", which is meant in full: TF32, with its 10 bits of mantissa, is switched off.
    "float16" is for GPUs older than bfloat16; ``fit`` then scales the loss. With ``deterministic``, every operation
    adds in one order, or raises RuntimeError: a run on a GPU can then be repeated bit for bit, and is slower.

    Raises ValueError for a device that is not there.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device = 'cuda', and PyTorch finds no GPU here: expected 'auto' or 'cpu'")
    if precision == "auto":
        precision = "bfloat16" if _multiplies_bfloat16(device) else "float32"
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs for it
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = False  # which would choose by a race
    return device, precision


def _multiplies_bfloat16(device):
    if device == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    able = torch.cpu.get_capabilities()
    return any(able.get(name) for name in ("avx512_bf16", "amx_bf16"))


def autocast(device, precision):
    """A context in which PyTorch's autocast computes in ``precision``, one of PRECISIONS, on a ``torch.device``."""
    return torch.autocast(torch.device(device).type, getattr(torch, precision), enabled=precision != "float32")
