"""`addersesr upscale`: files and folders in, upscaled files out."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from addersesr_app.arguments import add_engine, add_strength, did_you_mean, file, percent, positive
from addersesr_app.job_output import JobPrinter
from addersesr_app.places import places
from addersesr_app.stopping import Stopping
from addersesr_app.within import within
from engine import bench, jobs, planning
from engine.catalogue import Catalogue
from engine.errors import UsageError
from engine.events import Summary
from engine.network import SCALES
from engine.power import find_meters
from engine.selection import Target
from engine.video_options import CODECS, EFFORTS, GRADES, Excerpt, seconds

if TYPE_CHECKING:
    import argparse

    from addersesr_app.console import Console
    from engine.video_options import Grade

FORMAT_ENDINGS = {"jpeg": ".jpg", "tiff": ".tif"}
"""Formats whose usual ending is not their name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("inputs", nargs="+", type=file, metavar="INPUT", help="pictures, videos, and folders of them")
    parser.add_argument("-o", "--output", type=file, metavar="FILE|DIR", help="where to write (default: beside each input)")
    parser.add_argument("--model", metavar="ID|FILE", help="the network (see `addersesr models`), or a model file")
    parser.add_argument("--scale", type=int, choices=SCALES, help="how many times as wide and high (default: the model's, else 2)")
    parser.add_argument("--width", type=positive, metavar="PIXELS", help="the output's width")
    parser.add_argument("--height", type=positive, metavar="PIXELS", help="the output's height")
    parser.add_argument(
        "--within", metavar="BUDGET", help="choose the best network that stays within a time or energy, such as “2 min” or “5 Wh”"
    )
    add_strength(parser)
    add_engine(parser)
    parser.add_argument("--tile", type=positive, metavar="PIXELS", help="side of the pieces a picture is worked in (default: automatic)")
    parser.add_argument("--format", metavar="NAME", help="output format, such as png, jpeg, webp or mp4 (default: the input's)")
    words = ", ".join(GRADES)
    parser.add_argument("--quality", type=quality, metavar="1-100|WORD", help=f"for formats that lose something; of videos also {words}")
    parser.add_argument("--no-provenance", action="store_true", help="do not note in a picture's XMP how it was made")
    parser.add_argument("--redo", type=file, metavar="RESULT", help="make RESULT again exactly, as its XMP says; INPUT is its original")
    parser.add_argument("--no-metadata", action="store_true", help="leave out EXIF and XMP (not the ICC profile), and a video's notes")
    parser.add_argument("--codec", choices=("auto", *CODECS), default="auto", metavar="NAME", help=f"of videos: {', '.join(CODECS)}")
    parser.add_argument("--effort", choices=EFFORTS, default="balanced", help="of videos: encode faster, or into smaller files")
    parser.add_argument("--keep-interlaced", action="store_true", help="of videos: do not deinterlace")
    parser.add_argument("--from", type=moment, dest="start_s", metavar="TIME", help="of videos: begin here, as 12.5 (seconds) or 1:02:03")
    parser.add_argument("--to", type=moment, dest="end_s", metavar="TIME", help="of videos: end before this")
    parser.add_argument("--plan", action="store_true", help="do nothing but say what would be made, of videos also how large and how soon")
    parser.add_argument("--name", metavar="TEMPLATE", help="names without ending, of {stem} {scale} {model} {precision} {folder}")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace outputs that exist (default: take the next free name)")
    existing.add_argument("--skip-existing", action="store_true", help="leave inputs alone whose output exists")


def run(args: argparse.Namespace, console: Console) -> int:
    """Upscale; 0 where all went well, 1 where some input failed."""
    where = places()
    meters, _ = find_meters()
    tools = jobs.Tools(Catalogue(where.models), bench.load(where.calibration), meters)
    job = jobs.Job(tuple(args.inputs), settings(args))
    if args.within is not None:
        job = within(args.within, job, tools, console)
    printer = JobPrinter(console)
    failed = 0
    with Stopping() as stopping:
        for event in jobs.run(job, tools, stopping.asked, dry=args.plan):
            printer.show(event)
            if isinstance(event, Summary):
                failed = event.failed
    return 1 if failed else 0


def settings(args: argparse.Namespace) -> jobs.Settings:
    """Return the settings that the options ask for. Raises UsageError where they contradict one another."""
    if args.redo is not None:
        _check_redo(args)
    extension = None if args.format is None else ending(args.format)
    if extension and args.output is not None and planning.is_file_name(args.output) and args.output.suffix.lower() != extension:
        raise UsageError(f"--format {args.format} and -o {args.output} ask for different formats")
    return jobs.Settings(
        model=args.model,
        target=Target(args.scale, args.width, args.height),
        backend=args.backend,
        device=args.device,
        precision=args.precision,
        threads=args.threads,
        tile=args.tile,
        destination=args.output,
        template=args.name,
        extension=extension,
        quality=None if isinstance(args.quality, str) else args.quality,
        grade=cast("Grade", args.quality) if isinstance(args.quality, str) else "balanced",
        excerpt=Excerpt(args.start_s, args.end_s),
        codec=args.codec,
        effort=args.effort,
        keep_interlaced=args.keep_interlaced,
        provenance=not args.no_provenance,
        metadata=not args.no_metadata,
        redo=args.redo,
        strength=args.strength,
        existing="overwrite" if args.overwrite else "skip" if args.skip_existing else "rename",
    )


def quality(text: str) -> int | str:
    """A percentage, or one of the words for it."""
    return text if text in GRADES else percent(text)


def moment(text: str) -> float:
    """A time in seconds."""
    return seconds(text)


quality.__name__ = "percentage or word"  # what argparse calls the types in its messages
moment.__name__ = "time"


def _check_redo(args: argparse.Namespace) -> None:
    """Raise UsageError for options that say otherwise than the record may."""
    given = {
        "--scale": args.scale is not None,
        "--width": args.width is not None,
        "--height": args.height is not None,
        "--backend": args.backend != "auto",
        "--device": args.device != "auto",
        "--precision": args.precision != "auto",
        "--strength": args.strength != 1,
        "--tile": args.tile is not None,
        "--quality": args.quality is not None,
    }
    if names := [name for name, is_given in given.items() if is_given]:
        raise UsageError(f"--redo takes {', '.join(names)} from {args.redo}: leave out what it says")


def ending(name: str) -> str:
    """Return the file name ending of a format, with its dot. Raises UsageError for one that cannot be written."""
    plain = name.lower().lstrip(".")
    extension = FORMAT_ENDINGS.get(plain, f".{plain}")
    known = planning.WRITABLE_PICTURES | planning.WRITABLE_VIDEOS
    if extension not in known:
        names = sorted(known_ending.lstrip(".") for known_ending in known)
        raise UsageError(f"--format {name}: not one of {', '.join(names)}{did_you_mean(plain, names)}")
    return extension
