"""Time what QM9 is trained with: graphs from SMILES; against PyG, batches of molecules and the network's layers.

    python tools/benchmarks/molecules.py

writes ``records/benchmarks/molecules.json``. `make benchmark` runs it with all other work stopped.
"""

import os
import tempfile
import time
from statistics import median
from unittest.mock import patch

import torch
from torch_geometric.data import Data, InMemoryDataset
from torch_geometric.loader import DataLoader
from torch_geometric.nn import MFConv, RGCNConv

from helpers import records
from helpers.gnn import molecules as qm9
from helpers.gnn.molecule_models import Bonds, DegreeConvolution, RelationalConvolution

SEED = 0
MOLECULES = 12_800
BATCH_SIZE = 128
HIDDEN = 128
REPEATS = 7


class InMemory(InMemoryDataset):
    def __init__(self, graphs):
        super().__init__()
        self.data, self.slices = self.collate(graphs)


def graphs_of(molecules):
    for i in range(len(molecules)):
        graph = molecules.batch([i])
        yield Data(x=graph.x, edge_index=graph.edge_index, edge_attr=graph.edge_attr, y=graph.y)


def graphs_per_second(*epochs):
    """The median of REPEATS rates for each of ``epochs``, which take turns: what slows the machine slows them all."""
    rates = [[] for _ in epochs]
    for repeat in range(REPEATS + 1):  # the first is for warming up
        for rate, epoch in zip(rates, epochs, strict=True):
            start = time.perf_counter()
            graphs = epoch()
            if repeat:
                rate.append(graphs / (time.perf_counter() - start))
    return [median(rate) for rate in rates]


def time_batches(molecules):
    loader = DataLoader(InMemory(list(graphs_of(molecules))), batch_size=BATCH_SIZE, shuffle=True)

    def of_pyg():
        return sum(len(batch.y) for batch in loader)

    def of_ours():
        return sum(len(molecules.batch(i).y) for i in torch.randperm(len(molecules)).split(BATCH_SIZE))

    return graphs_per_second(of_pyg, of_ours)


def time_layers(molecules):
    """Forward and backward through ReLU, RGCN, ReLU and MF layer, one block of the network, on the same batches."""
    batches = [molecules.batch(index) for index in torch.arange(16 * BATCH_SIZE).split(BATCH_SIZE)]
    inputs = [torch.randn(batch.num_nodes, HIDDEN, requires_grad=True) for batch in batches]
    theirs = RGCNConv(HIDDEN, HIDDEN, num_relations=4), MFConv(HIDDEN, HIDDEN, max_degree=4)
    ours = RelationalConvolution(HIDDEN, HIDDEN), DegreeConvolution(HIDDEN, HIDDEN)

    def of_pyg():
        for batch, h in zip(batches, inputs, strict=True):
            h = theirs[0](h.relu(), batch.edge_index, batch.edge_attr.argmax(1))
            theirs[1](h.relu(), batch.edge_index).sum().backward()
        return BATCH_SIZE * len(batches)

    def of_ours():
        for batch, h in zip(batches, inputs, strict=True):
            bonds = Bonds(batch)  # in a network of several blocks, worked out once for all of them
            ours[1](ours[0](h.relu(), bonds).relu(), bonds).sum().backward()
        return BATCH_SIZE * len(batches)

    return graphs_per_second(of_pyg, of_ours)


def time_loading():
    """Build the graphs of all of QM9 and write them to an empty cache; read them from there."""
    times = [time.perf_counter()]
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict(os.environ, SHARED_WEIGHTS_DATA=folder),
    ):
        for _ in range(2):
            molecules = qm9.load()
            times.append(time.perf_counter())
    return {
        "num_molecules": len(molecules),
        "num_disagreeing": len(molecules.disagreeing),
        "build_seconds": times[1] - times[0],
        "read_seconds": times[2] - times[1],
    }


def main():
    start = time.perf_counter()
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    molecules = qm9.load(limit=MOLECULES)
    loader, batch = time_batches(molecules)
    pyg_layers, layers = time_layers(molecules)
    metrics = time_loading() | {
        "loader_graphs_per_second": loader,
        "batch_graphs_per_second": batch,
        "batch_ratio": batch / loader,
        "pyg_layers_graphs_per_second": pyg_layers,
        "layers_graphs_per_second": layers,
        "layers_ratio": layers / pyg_layers,
    }
    path = records.save(
        "benchmarks",
        "molecules",
        parameters={
            "seed": SEED,
            "molecules": MOLECULES,
            "batch_size": BATCH_SIZE,
            "hidden": HIDDEN,
            "repeats": REPEATS,
            "threads": 1,
        },
        metrics=metrics,
        packages=("torch-geometric", "rdkit", "qm9pack"),
        seconds=time.perf_counter() - start,
    )
    for name, value in metrics.items():
        print(f"{name}: {value:,.1f}")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
