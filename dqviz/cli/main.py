"""The commands, their help, and what becomes of errors."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from dqviz import __version__

from . import examples, results_options, sweep_options
from . import options as shared
from .asked import experiment_spec
from .terminal import ProgressLine, message
from .values import out_folder, whole

BAD_INPUT = 2
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, text: str) -> NoReturn:
        message(f"{self.prog}: error: {text}")
        sys.exit(BAD_INPUT)


Command = Callable[[argparse.Namespace, ProgressLine], str | None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; its exit status is 0, 2 for bad input or 130 after Ctrl-C."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    progress = ProgressLine()
    try:
        text = _run(options, progress)
        if text:
            print(text, flush=True)
        return 0
    except KeyboardInterrupt:
        progress.clear()
        message("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, MemoryError, RuntimeError) as error:
        progress.clear()
        from dqviz.experiments.errors import describe, is_out_of_memory

        if isinstance(error, RuntimeError) and not is_out_of_memory(error):
            raise
        message(f"dqviz {options.command}: error: {describe(error)[0]}")
        return BAD_INPUT


def _run(options: argparse.Namespace, progress: ProgressLine) -> str | None:
    command: Command = options.run
    if options.command not in ("train", "sweep", "paper") and options.out is not None:
        from .output import check_writable, refuse_inputs

        refuse_inputs(options)
        check_writable(options.out)
    return command(options, progress)


def build_parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    parser = _Parser(
        prog="dqviz",
        description="See how errors grow inside a quantized neural network.",
        epilog="`python -m dqviz COMMAND --help` shows a command's options and examples.",
    )
    parser.add_argument("--version", action="version", version=f"dqviz {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, help: str, epilog: str, run: Command) -> argparse.ArgumentParser:
        command = shared.add_command(commands, name, help, epilog)
        command.set_defaults(run=run)
        return command

    models = add("models", "list the networks", examples.MODELS, _models)
    models.add_argument("--all", action="store_true", help="also torchvision's, one by one")
    shared.add_out(models)
    shared.add_out(add("data", "list the data sets", examples.DATA, _data))
    _add_train(add("train", "train a network by a recipe", examples.TRAIN, _train))
    amplify = add("amplify", "measure how noise grows layer by layer", examples.AMPLIFY, _amplify)
    _add_experiment(amplify)
    amplify.add_argument("--controls", action="store_true", help="also three matched controls")
    amplify.add_argument(
        "--details", action="store_true", help="also what bucket flips contribute, layer by layer"
    )
    lipschitz = add("lipschitz", "bound Lipschitz constants", examples.LIPSCHITZ, _lipschitz)
    _add_experiment(lipschitz)
    lipschitz.add_argument(
        "--details",
        action="store_true",
        help="also what needs images: measured gains, the network's lower bound, margins",
    )
    accuracy = add("accuracy", "measure clean and robust accuracy", examples.ACCURACY, _accuracy)
    _add_experiment(accuracy)
    shared.add_save_images(accuracy)
    smallest = add(
        "smallest-epsilon",
        "search for the smallest change that flips each image",
        examples.SMALLEST,
        _smallest,
    )
    _add_experiment(smallest, bound=True)
    _add_experiment(
        add("trust", "check whether an attack's result can be trusted", examples.TRUST, _trust)
    )
    corrupt = add(
        "corrupt", "measure accuracy under noise, blur and the like", examples.CORRUPT, _corrupt
    )
    _add_experiment(corrupt, attacked=False)
    shared.add_severities(corrupt)
    results = add("results", "look into a store of results", results_options.EXAMPLES, _results)
    results_options.add_options(results)
    report = add(
        "report", "write a study as one HTML file", results_options.REPORT_EXAMPLES, _report
    )
    results_options.add_report_options(report)
    sweep = add("sweep", "compute a grid of experiments into a store", examples.SWEEP, _sweep)
    sweep_options.add_options(sweep)
    _add_paper(add("paper", "put the paper's claims to the test", examples.PAPER, _paper))
    shared.add_out(add("doctor", "say what is on this machine", examples.DOCTOR, _doctor))
    return parser


def _add_experiment(
    parser: argparse.ArgumentParser, *, bound: bool = False, attacked: bool = True
) -> None:
    shared.add_network(parser)
    shared.add_data(parser)
    shared.add_quantization(parser)
    if attacked:
        shared.add_attack(parser, bound=bound)
    shared.add_out(parser)


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE.toml", help="what to train; see recipes/")
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=out_folder,
        required=True,
        help="the folder for the weights and the card",
    )


def _add_paper(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=out_folder,
        required=True,
        help="the folder for results, verdicts and figures",
    )
    parser.add_argument(
        "--quick", action="store_true", help="few images and one attack, to see that it runs"
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=whole(1, 64),
        default=2,
        help="processes of this machine (default: 2)",
    )


def _models(options: argparse.Namespace, progress: ProgressLine) -> str | None:
    from . import listings

    rows = listings.model_rows(options, progress)
    if options.all or options.out is not None:
        return listings.show(rows, listings.MODEL_COLUMNS, options)
    return listings.short_model_list(rows)


def _data(options: argparse.Namespace, progress: ProgressLine) -> str | None:
    from . import listings

    return listings.show(listings.data_rows(options, progress), listings.DATA_COLUMNS, options)


def _doctor(options: argparse.Namespace, progress: ProgressLine) -> str | None:
    from . import doctor, listings

    return listings.show(doctor.doctor_rows(options, progress), doctor.COLUMNS, options)


def _results(options: argparse.Namespace, progress: ProgressLine) -> str | None:
    from .results import run_results

    return run_results(options, progress)


def _report(options: argparse.Namespace, progress: ProgressLine) -> str | None:
    from dqviz.reports import write_report

    cells = write_report(
        options.store,
        options.out,
        wanted=results_options.wanted(options),
        title=options.title,
        report=progress,
    )
    progress.clear()
    return f"wrote {options.out}, a report on {cells} cells"


def _sweep(options: argparse.Namespace, progress: ProgressLine) -> str | None:
    from .sweep import run_sweep

    return run_sweep(options, progress)


def _paper(options: argparse.Namespace, progress: ProgressLine) -> str | None:
    from .paper import run_paper

    return run_paper(options, progress)


def _train(options: argparse.Namespace, progress: ProgressLine) -> str | None:
    from .training import train_recipe

    return train_recipe(options, progress)


def _amplify(options: argparse.Namespace, progress: ProgressLine) -> str | None:
    from .views import amplification_view

    return _experiment("amplification", amplification_view, options, progress)


def _lipschitz(options: argparse.Namespace, progress: ProgressLine) -> str | None:
    from .views import lipschitz_view

    return _experiment("lipschitz", lipschitz_view, options, progress)


def _accuracy(options: argparse.Namespace, progress: ProgressLine) -> str | None:
    from .views import accuracy_view

    if options.save_images is None:
        return _experiment("accuracy", accuracy_view, options, progress)
    from .output import check_folder
    from .saved_images import save_and_check

    check_folder(options.save_images, option="--save-images")
    text = _experiment("accuracy", accuracy_view, options, progress)
    said = save_and_check(options, progress)
    return said if text is None else f"{text}\n\n{said}"


def _smallest(options: argparse.Namespace, progress: ProgressLine) -> str | None:
    from .views import smallest_view

    return _experiment("smallest_epsilon", smallest_view, options, progress)


def _corrupt(options: argparse.Namespace, progress: ProgressLine) -> str | None:
    from .views import corruption_view

    return _experiment("corruptions", corruption_view, options, progress)


def _trust(options: argparse.Namespace, progress: ProgressLine) -> str | None:
    from .trust import trust_view

    return _experiment("masking", trust_view, options, progress)


def _experiment(
    kind: str, view: Callable[[Any], str], options: argparse.Namespace, progress: ProgressLine
) -> str | None:
    """Computes in this process; the same specification gives the app the same numbers."""
    spec = experiment_spec(kind, options)
    from dqviz.experiments.run import run

    result = run(spec, progress=progress)
    progress.clear()
    if options.out is None:
        return view(result)
    from .output import write_rows

    write_rows(result.table, options.out)
    for note in result.notes:
        message(note)
    message(f"wrote {len(result.table)} rows to {options.out}")
    return None
