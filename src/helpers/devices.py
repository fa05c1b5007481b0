"""Where to compute, and how precisely."""

import torch


def choose(device="auto", precision="auto"):
    """Return ``(device, precision)`` with the "auto" of each decided.

    The device is "cuda" where PyTorch finds a GPU, else "cpu"; the precision is "bfloat16" where the device multiplies
    it in hardware, else "float32".
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if precision == "auto":
        able = {"cuda": True} if device == "cuda" else torch.cpu.get_capabilities()
        able = any(able.get(name) for name in ("cuda", "avx512_bf16", "amx_bf16"))
        precision = "bfloat16" if able else "float32"
    return device, precision
