"""The cells by their names in the configuration."""

from rnnexp.nn.cells.antisymmetric import AntisymmetricRnn
from rnnexp.nn.cells.conv_elman import ConvElman
from rnnexp.nn.cells.cornn import CoRnn
from rnnexp.nn.cells.elman import Elman
from rnnexp.nn.cells.gru import Gru
from rnnexp.nn.cells.indrnn import IndRnn
from rnnexp.nn.cells.leaky import Leaky
from rnnexp.nn.cells.lru import Lru
from rnnexp.nn.cells.lstm import Lstm
from rnnexp.nn.cells.lt_rnn import LtRnn
from rnnexp.nn.cells.mingru import MinGru
from rnnexp.nn.cells.spec import CellSpec

CATALOGUE: dict[str, type[CellSpec]] = {
    "elman": Elman,
    "lstm": Lstm,
    "gru": Gru,
    "leaky": Leaky,
    "conv_elman": ConvElman,
    "indrnn": IndRnn,
    "mingru": MinGru,
    "antisymmetric": AntisymmetricRnn,
    "cornn": CoRnn,
    "lru": Lru,
    "lt_rnn": LtRnn,
}
"""The specs of the cells by their names in the configuration."""
