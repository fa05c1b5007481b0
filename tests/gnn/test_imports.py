"""What importing one thing brings with it: a reader who checks a ring waits for no chemistry."""

import subprocess
import sys

CHECK_A_RING = """
import numpy as np
from helpers import exercises
exercises.check("gnn/circulant/shift_kernel", lambda n, m: np.eye(n)[m % n])
"""
CHECK_A_GRAPH = """
from contextlib import suppress
from helpers import exercises
for name in ("depth/mean_aggregation", "dynamic_attention/gatv2_by_edge", "combining/typed_messages"):
    with suppress(exercises.ExerciseFailed):
        exercises.check(f"gnn/{name}", lambda *args: None)
"""


def imported(*steps):
    """The modules that stand in memory after each of ``steps``, one after the other in a process of their own."""
    code = "\n".join(f"{step}\nimport sys; print('modules', *sys.modules)" for step in steps)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return [set(line.split()) for line in done.stdout.splitlines() if line.startswith("modules ")]


def test_checking_a_ring_loads_neither_chemistry_nor_graph_layers():
    (modules,) = imported(CHECK_A_RING)
    assert "helpers.gnn.exercises.circulant" in modules
    assert not modules & {"rdkit", "torch_geometric", "pandas", "helpers.gnn.exercises.molecules"}


def test_checking_a_graph_loads_no_chemistry_and_molecules_are_data_and_know_no_network():
    after_checks, after_molecules = imported(CHECK_A_GRAPH, "from helpers.gnn import molecules")
    assert "helpers.gnn.exercises.combining" in after_checks
    assert not after_checks & {"rdkit", "helpers.gnn.molecules"}
    assert "helpers.gnn.molecules" in after_molecules and "helpers.gnn.molecule_models" not in after_molecules
