"""One run, or a sweep with -m: python run.py activation=relu seq_len=200."""

import sys

import hydra
from omegaconf import DictConfig

from rnnexp import cli
from rnnexp.runtime import output


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config: DictConfig) -> None:
    """Hand the composed configuration over."""
    cli.run(config)


if __name__ == "__main__":
    output.protect()
    cli.start(sys.argv[1:], main)
