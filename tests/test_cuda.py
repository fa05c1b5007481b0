"""What the processor computes, a GPU computes too: only where PyTorch finds one."""

import pytest
import torch
from torch_geometric.data import Batch, Data

from helpers import runs, training
from helpers.cnn import architectures
from helpers.gnn.layers import GraphAttention, GraphConvolution
from helpers.gnn.molecule_models import NUM_BONDS, NUM_ELEMENTS, MoleculeGNN, MoleculeMLP
from helpers.rnn import cells, text

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def molecules():
    """A batch of seven rings, each with a chain: atoms and bonds of random kinds."""
    draw = torch.Generator().manual_seed(0)
    graphs = []
    for size in range(3, 10):
        ring = torch.stack([torch.arange(size), torch.arange(1, size + 1) % size])
        chain = torch.tensor([[0, size], [size, size + 1]])
        bonds = torch.cat([ring, chain], 1)
        kinds = torch.eye(NUM_BONDS)[torch.randint(NUM_BONDS, (bonds.shape[1],), generator=draw)]
        atoms = torch.eye(NUM_ELEMENTS)[torch.randint(NUM_ELEMENTS, (size + 2,), generator=draw)]
        both_ways = {"edge_index": torch.cat([bonds, bonds.flip(0)], 1), "edge_attr": torch.cat([kinds, kinds])}
        graphs.append(Data(x=atoms, y=torch.randn(1, generator=draw), **both_ways))
    batch = Batch.from_data_list(graphs)
    batch.x, batch.edge_attr = batch.x.double(), batch.edge_attr.double()
    return batch


def ring(size=8):
    nodes = torch.arange(size)
    there = torch.stack([nodes, (nodes + 1) % size])
    return torch.cat([there, there.flip(0)], 1)


def on_both(make, *inputs):
    """What a network says of ``inputs``, and its gradients, from the processor and from the GPU."""
    torch.manual_seed(0)
    network = make().double()
    told = []
    for device in ("cpu", "cuda"):
        network = network.to(device)
        network.zero_grad()
        said = network(*training.to_device(inputs, device))
        said.square().sum().backward()
        told.append([said.detach().cpu(), *(p.grad.cpu().clone() for p in network.parameters() if p.grad is not None)])
    return zip(*told, strict=True)


@pytest.mark.parametrize("make", [MoleculeGNN, MoleculeMLP])
def test_models_of_molecules(make):
    for here, there in on_both(make, molecules()):
        torch.testing.assert_close(there, here, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("make", [GraphConvolution, GraphAttention])
def test_layers_on_graphs(make):
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(1)).double()
    for here, there in on_both(lambda: make(3, 4), x, ring()):
        torch.testing.assert_close(there, here, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("make", [cells.VanillaRNN, cells.LSTM])
def test_recurrent_layers(make):
    class States(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = make(3, 4)

        def forward(self, x):
            return self.cell(x)[0]

    x = torch.randn(6, 2, 3, generator=torch.Generator().manual_seed(1)).double()
    for here, there in on_both(States, x):
        torch.testing.assert_close(there, here, rtol=1e-9, atol=1e-9)


def test_a_layer_under_autocast():
    torch.manual_seed(0)
    cell = cells.LSTM(64, 32).cuda()
    x = torch.randn(6, 2, 64, device="cuda")
    with torch.autocast("cuda", torch.bfloat16):
        h, _ = cell(x)
    h.float().square().sum().backward()
    assert h.dtype == torch.bfloat16 and cell.W_x.grad.dtype == torch.float32
    torch.testing.assert_close(h.float(), cell(x)[0], rtol=0.05, atol=0.05)


def test_generated_text():
    torch.manual_seed(0)
    vocabulary = text.Vocabulary("the raven said nothing")
    model = text.TextGenerationModel(len(vocabulary), 8, 16)
    here = text.generate(model, vocabulary, 40, "the", 1.0)
    assert text.generate(model.cuda(), vocabulary, 40, "the", 1.0) == here


@pytest.mark.parametrize("name", architectures.NAMES)
def test_networks_for_images(name):
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)).double()
    stem = "cifar" if name == "resnet20" else "imagenet"
    torch.manual_seed(0)
    network = architectures.build(name, stem=stem).double().eval()
    here = network(images)
    torch.testing.assert_close(network.cuda()(images.cuda()).cpu(), here, rtol=1e-7, atol=1e-7)


def trained(folder, stop_at=None, precision=None):
    """The weights of a small network after twelve steps on the GPU, and the precision that it computed in."""
    training.seed_everything(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Dropout(0.3), torch.nn.Linear(8, 1))
    model, seen = model.cuda(), set()

    def batch(step):
        if step == stop_at:
            raise KeyboardInterrupt
        return torch.randn(16, 4), torch.ones(16, 1)

    def loss(model, sample):
        assert all(part.is_cuda for part in sample)
        y = model(sample[0])
        seen.add(y.dtype)
        return (y.float() - sample[1]).square().mean()

    run = runs.Run("toy", {"profile": "full", "run": "a", "seed": 0}, build=folder)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    done = training.fit(
        run, model, loss, batch, optimizer, steps=12, precision=precision, checkpoint_seconds=0, validate_every=4
    )
    return done, model.state_dict(), seen


def test_training_goes_on_from_its_checkpoint(tmp_path):
    whole, weights, seen = trained(tmp_path / "whole")
    assert seen == {torch.bfloat16} and whole.curves["train_loss"][-1] < whole.curves["train_loss"][0]
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "stopped", stop_at=7)
    again, weights_again, _ = trained(tmp_path / "stopped")
    assert again.curves == whole.curves
    assert all(torch.equal(weights[name], weights_again[name]) for name in weights)
    assert trained(tmp_path / "exact", precision="float32")[2] == {torch.float32}
