"""Operations of a network, against counting by hand."""

from torch import nn
from torch.nn.utils import parametrizations

from mrfusion.training.flops import count_flops


class Two(nn.Module):
    """A convolution and one of single points, on two modalities."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 5, 3, padding=1), nn.Conv2d(5, 1, 1)

    def forward(self, images, present):
        return self.second(self.first(images)) * present[:, :1, None, None]


def test_convolutions_by_hand():
    network = Two()
    found = count_flops(network, (1, 8, 6), modalities=2, dimensions=2)
    assert found == 2 * 8 * 6 * (2 * 5 * 9 + 5 * 1)
    assert not network.training


def test_weights_that_are_computed_are_no_hindrance():
    network = Two()
    plain = count_flops(network, (1, 8, 6), modalities=2, dimensions=2)
    network.turn = parametrizations.orthogonal(nn.Linear(5, 5, bias=False))
    network.second.register_forward_pre_hook(lambda _, given: (given[0] + network.turn.weight.sum(),))
    assert count_flops(network, (1, 8, 6), modalities=2, dimensions=2) >= plain
