"""The sub-commands: a name, a line of help, and a module that is loaded only when its command is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import argparse

    from addersesr_app.arguments import Parser
    from addersesr_app.console import Console


class Command(NamedTuple):
    """One sub-command. Its module has ``add_arguments(parser)`` and ``run(args, console) -> exit status``."""

    name: str
    module: str
    help: str

    def add_arguments(self, parser: Parser) -> None:
        """Declare the command's own options."""
        import_module(f"{__name__}.{self.module}").add_arguments(parser)

    def run(self, args: argparse.Namespace, console: Console) -> int:
        """Do it."""
        status: int = import_module(f"{__name__}.{self.module}").run(args, console)
        return status


COMMANDS = (
    Command("gui", "gui", "open the window (what happens without a command, too)"),
    Command("upscale", "upscale", "upscale pictures, videos and folders of them"),
    Command("models", "models", "list the networks"),
    Command("energy", "energy", "what each network costs for a picture: multiplies, additions, energy"),
    Command("eval", "evaluate", "measure a network's quality on a folder of pictures: PSNR and SSIM"),
    Command("train", "train", "train a network"),
    Command("export", "export", "write a network as ONNX, TFLite or safetensors"),
    Command("bench", "bench", "measure how fast each network runs here"),
    Command("fit", "fit", "fit a network to your own pictures"),
    Command("serve", "serve", "the engine as a process: requests in, events out"),
    Command("doctor", "doctor", "what was found on this computer: versions, processor, back ends, folders"),
)
NAMES = tuple(command.name for command in COMMANDS)
