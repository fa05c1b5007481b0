"""What needs all of QM9 at once: linear models of counted environments, molecules that look alike, errors one by one.

    python tools/benchmarks/chemistry.py

writes ``records/benchmarks/chemistry.json`` (`make benchmark` runs it as well). The models are ridge regressions on the
split of the experiment ``qm9``, the penalty chosen on its validation molecules; the errors are those of the networks
whose weights come with the book, on its test molecules, in the order of the split.
"""

import itertools
import time

import networkx as nx
import numpy as np
import torch
from scipy.sparse import coo_array
from sklearn.linear_model import Ridge

from helpers import records
from helpers.gnn import colours, folding
from helpers.gnn import molecules as qm9
from helpers.gnn.molecule_models import MoleculeGNN, returns

PENALTIES = (0.01, 0.1, 1.0, 10.0)
ROUNDS = 12  # two layers in each of the six blocks of the network
WALKS = 8


def counted(owner, kind, size):
    """How many of each kind each molecule has: a sparse matrix [M, kinds]."""
    ones = np.ones(len(kind))
    return coo_array((ones, (owner.numpy(), kind.numpy())), shape=(size, int(kind.max()) + 1)).tocsr()


def bonds(molecules):
    """The molecule of each bond, and a number for its kind and the elements at its ends."""
    owner = torch.arange(len(molecules)).repeat_interleave(molecules.edge_ptr.diff())
    i, j = molecules.element.long()[molecules.edge_index.long() + molecules.atom_ptr[owner]]
    kind = (5 * torch.minimum(i, j) + torch.maximum(i, j)) * 4 + molecules.bond.long()
    return owner[::2], kind[::2]  # of the two directions, the first


def fitted(features, y, parts):
    """A ridge regression on what the training molecules show: its errors, and the penalty that validation chose."""
    train, validation, test = (part.numpy() for part in parts)
    features = features[:, np.flatnonzero(features[train].sum(axis=0))]
    best = None
    for penalty in PENALTIES:
        model = Ridge(alpha=penalty, solver="sparse_cg", tol=1e-6, max_iter=3000).fit(features[train], y[train])
        error = {k: model.predict(features[part]) - y[part] for k, part in enumerate((train, validation, test))}
        if best is None or abs(error[1]).mean() < abs(best[1][1]).mean():
            best = penalty, error
    penalty, error = best
    return {
        "num_features": features.shape[1],
        "penalty": penalty,
        "train_mae_mev": 1000 * abs(error[0]).mean(),
        "test_mae_mev": 1000 * abs(error[2]).mean(),
        "test_median_mev": 1000 * np.median(abs(error[2])),
    }


def baselines(molecules, by_round):
    """Linear models of what is counted: atoms, bonds, and atoms with what is one bond and two bonds around them."""
    owner = torch.arange(len(molecules)).repeat_interleave(molecules.atom_ptr.diff())
    atoms, one_hop, two_hops = (counted(owner, by_round[k], len(molecules)) for k in range(3))
    both = coo_array(np.hstack([atoms.toarray(), counted(*bonds(molecules), len(molecules)).toarray()])).tocsr()
    features = {"atoms": atoms, "bonds": both, "one_hop": one_hop, "two_hops": two_hops}
    parts, y = qm9.split(len(molecules), seed=0), molecules.y.numpy()
    return {name: fitted(matrix, y, parts) for name, matrix in features.items()}


def classes(molecules, rows, found):
    """The classes of two or more molecules, as lists of the rows that these have in all of QM9."""
    of_class = {}
    for row, name in zip(rows, found.tolist(), strict=True):
        of_class.setdefault(name, []).append(row)
    return [group for group in of_class.values() if len(group) > 1]


def graph_of(smiles):
    batch = qm9.from_smiles(smiles).batch([0])
    graph = nx.Graph()
    graph.add_nodes_from((i, {"kind": kind}) for i, kind in enumerate(batch.x.argmax(1).tolist()))
    ends = zip(*batch.edge_index.tolist(), batch.edge_attr.argmax(1).tolist(), strict=True)
    graph.add_edges_from((i, j, {"kind": kind}) for i, j, kind in ends)
    return graph


def same(one, other):
    def equal(a, b):
        return a["kind"] == b["kind"]

    return nx.is_isomorphic(one, other, node_match=equal, edge_match=equal)


def with_another_graph(molecules, groups):
    """Those of ``groups`` in which two molecules differ as graphs, and those in which all are one graph."""
    graphs = {row: graph_of(molecules.smiles[row]) for row in itertools.chain(*groups)}
    other = [g for g in groups if not all(same(graphs[g[0]], graphs[row]) for row in g[1:])]
    return other, [g for g in groups if g not in other]


def confused(molecules, by_round):
    """Classes of molecules that colour refinement has alike: of several graphs, of one graph, and despite walks."""
    found = classes(molecules, range(len(molecules)), colours.alike(molecules, by_round[-1]))
    rows = sorted(itertools.chain(*found))  # all that may be alike; to refine these alone takes no time
    some = qm9.from_smiles([molecules.smiles[row] for row in rows])
    refined = classes(some, rows, colours.alike(some, colours.refine(some, ROUNDS)))
    several, one = with_another_graph(molecules, refined)
    folded = folding.fold(some)
    batch = folded.batch(torch.arange(len(folded)))
    batch.x = batch.x.double()
    chances = (1e9 * returns(batch, WALKS)).round().long()
    kind = torch.unique(chances, dim=0, return_inverse=True)[1]
    despite_walks = classes(some, rows, colours.alike(folded, colours.refine(folded, ROUNDS, kind)))
    return {
        "alike": several,
        "one_graph": one,
        "alike_despite_walks": with_another_graph(molecules, despite_walks)[0],
    }


@torch.no_grad()
def errors(name, graphs, index):
    """Prediction less truth of a network of the book on the molecules ``index``, in whole meV."""
    weights, about = records.load_weights(name)
    network = MoleculeGNN(**about["architecture"]).eval()
    network.load_state_dict(weights)
    z = torch.cat([network(graphs.batch(part)) for part in index.split(1000)]).double()
    predicted = qm9.Standardizer(about["mean"], about["std"]).restore(z)
    return (1000 * (predicted - graphs.y[index])).round().int().tolist()


def main():
    start = time.perf_counter()
    torch.set_num_threads(1)
    molecules = qm9.load()
    *_, test = qm9.split(len(molecules), seed=0)
    by_round = [colours.refine(molecules, rounds) for rounds in range(4)]
    metrics = {
        "num_molecules": len(molecules),
        "num_colours": [int(colour.max()) + 1 for colour in by_round],
        "baselines": baselines(molecules, by_round),
        **confused(molecules, by_round),
        "test_errors_mev": {
            "gnn": errors("qm9_gnn", molecules, test),
            "folded": errors("qm9_folded", folding.fold(molecules), test),
        },
    }
    path = records.save(
        "benchmarks",
        "chemistry",
        parameters={"penalties": list(PENALTIES), "rounds": ROUNDS, "walks": WALKS, "threads": 1},
        metrics=metrics,
        packages=("torch-geometric", "rdkit", "qm9pack", "scikit-learn", "networkx"),
        seconds=time.perf_counter() - start,
    )
    print(metrics["baselines"])
    print({name: (len(metrics[name]), sum(map(len, metrics[name]))) for name in ("alike", "one_graph")})
    print("alike despite walks:", len(metrics["alike_despite_walks"]))
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
