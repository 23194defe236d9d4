"""`landmix VERB [override ...]`: find the verb, let hydra compose, run the task, end with the right exit code."""

from __future__ import annotations

import contextlib
import difflib
import io
import math
import os
import re
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landmix.cli.signals import importing, signals
from landmix.cli.streams import prepare, visible
from landmix.cli.verbs import VERBS, Verb, usage
from landmix.errors import LandmixError, Terminated, UsageError
from landmix.files import check_text
from landmix.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from omegaconf import DictConfig

    from landmix.cli.sweep import Job


def main(arguments: list[str] | None = None) -> int:  # noqa: PLR0911 - one return a kind of ending
    """Run one command; returns its exit code."""
    command = arguments is None
    if arguments is None:
        prepare()
        arguments = sys.argv[1:]
    tell = bool(os.environ.get("HYDRA_FULL_ERROR"))
    _quieten(tell=tell)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())  # noqa: T201
        return 0
    if arguments[0] == "--version":
        print(f"landmix {__version__}")  # noqa: T201
        return 0
    try:
        with signals(last=command):
            return _run(arguments)
    except (KeyboardInterrupt, Terminated) as stop:
        return _stopped(arguments[0], 130 if isinstance(stop, KeyboardInterrupt) else 143)
    except UsageError as error:
        return _end(2, str(error), tell=tell)
    except LandmixError as error:
        return _end(1, str(error), tell=tell)
    except MemoryError:
        return _end(1, "the memory is full: choose smaller tiles with tiling.core or fewer executor.workers", tell=tell)
    except OSError as error:
        return _end(1, f"cannot use {error.filename or 'a file'}: {error.strerror or error}", tell=tell)
    except Exception as error:  # noqa: BLE001 - a user never sees a traceback
        what = f"{type(error).__name__}: {error}"
        return _end(1, f"landmix failed unexpectedly ({what}); HYDRA_FULL_ERROR=1 shows where", tell=tell)


def _quieten(*, tell: bool) -> None:
    """Set what libraries read when they are imported."""
    # Before torch is imported: threads that wait by spinning starve each other on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if not tell:
        # What GDAL tells of a stranger's file comes in our errors; else it prints each complaint, from every thread.
        os.environ.setdefault("CPL_LOG", os.devnull)


def _stopped(verb: str, code: int) -> int:
    """What is left by a command that somebody stopped; a page that is shown ends so, and has nothing to say."""
    if verb == "view":
        return code
    what = "interrupted" if code == 130 else "terminated"  # noqa: PLR2004 - 128 + SIGINT
    kept = ": what is finished stays for the next run" if verb in ("demo", "predict", "train") else ""
    return _end(code, what + kept)


def _end(code: int, message: str, *, tell: bool = False) -> int:
    """Print the last line on standard error."""
    if tell:
        traceback.print_exc()
    print(f"error: {visible(' '.join(message.split()))}", file=sys.stderr, flush=True)  # noqa: T201
    return code


def _run(arguments: list[str]) -> int:
    check_text(*arguments)
    verb = VERBS.get(arguments[0])
    if verb is None:
        near = difflib.get_close_matches(arguments[0], VERBS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        msg = f"there is no verb '{arguments[0]}': landmix has {', '.join(VERBS)}{hint}"
        raise UsageError(msg)
    return Command(verb, arguments[1:]).run()


class Command:
    """One verb with its arguments, run by hydra."""

    def __init__(self, verb: Verb, arguments: list[str]) -> None:
        from landmix.cli.quoting import quote_paths  # noqa: PLC0415 - hydra is not wanted for --version

        self.verb = verb
        self.arguments = quote_paths(arguments)
        self.sweep_root: Path | None = None
        self.jobs: list[Job] = []
        self.multirun = False
        self.failed: list[BaseException] = []
        self.say: Callable[[str], None] = print

    def run(self) -> int:
        """Compose and run; hydra's and OmegaConf's complaints become usage errors."""
        from hydra.errors import HydraException  # noqa: PLC0415
        from omegaconf.errors import OmegaConfBaseException  # noqa: PLC0415

        self._check_flags()
        try:
            # only a sweep leaves something there; all else works with a full temporary folder too
            scratch = tempfile.TemporaryDirectory(prefix="landmix-") if self.multirun else contextlib.nullcontext("")
            with scratch as folder:
                self._hydra(folder)
        except (HydraException, OmegaConfBaseException) as error:
            raise UsageError(self._explain(error)) from error
        except (LandmixError, OSError, MemoryError):
            raise
        except Exception as error:  # what a job raises is kept: this is hydra, at an override that it did not expect
            msg = f"the settings cannot be put together: {error} (landmix {self.verb.name} --help shows what it takes)"
            raise UsageError(msg) from error
        finally:
            if self.jobs and self.sweep_root is not None:
                from landmix.cli.sweep import write_sweep  # noqa: PLC0415

                table = write_sweep(self.sweep_root, self.jobs)
                if self.verb.name == "train":
                    self.say(table)
        if len(self.failed) > 1 or (self.failed and self.multirun):
            msg = f"{len(self.failed)} of {len(self.jobs)} jobs failed, the first because: {self.failed[0]}"
            every_usage = len(self.failed) == len(self.jobs) and all(isinstance(e, UsageError) for e in self.failed)
            raise UsageError(msg) if every_usage else LandmixError(msg)
        if self.failed:
            raise self.failed[0]
        return 0

    def _check_flags(self) -> None:
        """Let hydra's own parser judge the flags, silently."""
        from hydra._internal.utils import get_args_parser  # noqa: PLC0415

        complaint = io.StringIO()
        try:
            with contextlib.redirect_stderr(complaint), contextlib.redirect_stdout(io.StringIO()):
                parsed = get_args_parser().parse_intermixed_args(self.arguments)
        except SystemExit as error:
            if error.code:
                last = complaint.getvalue().strip().splitlines()[-1].rpartition("error: ")[2]
                last = re.sub(r"^argument (-[\w-]+)\S*: ", r"the flag \1 cannot be read: ", last)
                last = last.replace("unrecognized arguments:", "there is no flag")
                msg = f"{last} (landmix {self.verb.name} --help shows which there are)"
                raise UsageError(msg) from None
            return
        self.multirun = bool(parsed.multirun)
        # hydra itself takes flags before overrides only
        flags = [argument for argument in self.arguments if argument not in parsed.overrides]
        self.arguments = [*flags, *parsed.overrides]
        stray = [o for o in parsed.overrides if "=" not in o and not o.startswith("~")]
        if stray:
            msg = f"'{stray[0]}' is no setting: write NAME=VALUE (landmix {self.verb.name} --help shows which)"
            raise UsageError(msg)

    def _hydra(self, scratch: str) -> None:
        """Hydra writes nothing of its own: no run folder, log file or .hydra; a sweep's leftovers go to `scratch`."""
        import hydra  # noqa: PLC0415

        from landmix.cli.config import config_folder  # noqa: PLC0415

        quiet = ["hydra.run.dir=.", "hydra.output_subdir=null", "hydra/job_logging=none", "hydra/hydra_logging=none"]
        if scratch:
            quiet += [f"hydra.sweep.dir='{scratch.replace(os.sep, '/')}'", "hydra.sweep.subdir=."]
        before = os.environ.get("HYDRA_FULL_ERROR"), sys.argv
        os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to us instead of being printed
        sys.argv = [f"landmix {self.verb.name}", *self.arguments, *quiet]
        try:
            hydra.main(version_base="1.3", config_path=config_folder(), config_name=self.verb.name)(self._job)()
        finally:
            sys.argv = before[1]
            if before[0] is None:
                del os.environ["HYDRA_FULL_ERROR"]

    def _job(self, config: DictConfig) -> Any:
        """What hydra calls for each job. Errors are kept: hydra would print lines of its own about them."""
        from landmix.cli.console import console  # noqa: PLC0415

        if self.multirun:
            return self._sweep_job(config)
        try:
            settings, task = self._settings(config), self._task()
            return task(settings, console(settings.progress))
        except Exception as error:  # noqa: BLE001 - raised again when hydra is done
            self.failed.append(error)
            return None

    def _settings(self, config: DictConfig) -> Any:
        """Checked settings: what is wrong with them is said before a slow library is imported."""
        from landmix.cli.config import settings_from  # noqa: PLC0415

        with importing():
            form = self.verb.settings_class()
        return settings_from(config, form)

    def _task(self) -> Callable[[Any, Any], Any]:
        with importing():
            return self.verb.task()

    def _sweep_job(self, config: DictConfig) -> Any:
        from hydra.core.hydra_config import HydraConfig  # noqa: PLC0415
        from omegaconf import OmegaConf  # noqa: PLC0415

        from landmix.cli.console import console  # noqa: PLC0415
        from landmix.cli.sweep import Job, figures_of, folder_name, swept, without_seed  # noqa: PLC0415

        start = time.monotonic()
        differing = swept(list(HydraConfig.get().overrides.task), self.arguments)
        figure, error = float("nan"), "interrupted"
        try:
            settings, task = self._settings(config), self._task()
            self.sweep_root = Path(settings.out_dir)
            OmegaConf.update(config, "out_dir", str(self.sweep_root / folder_name(differing)))
            settings = self._settings(config)
            progress = console(settings.progress)
            self.say = progress.say
            progress.say(f"job {len(self.jobs) + 1}: {', '.join(differing)}")
            figure = task(settings, progress)
            error = ""
        except Exception as problem:  # noqa: BLE001 - one failed job does not stop the rest
            self.failed.append(problem)
            error = " ".join(str(problem).split())
            print(f"warning: job {len(self.jobs) + 1} failed: {visible(error)}", file=sys.stderr, flush=True)  # noqa: T201
        finally:
            self.jobs.append(
                Job(
                    overrides=",".join(differing),
                    out_dir=str(config.get("out_dir")) if not error or self.sweep_root else "",
                    status="failed" if error else "done",
                    macro_f1=None if figure is None or math.isnan(figure) else figure,
                    seconds=round(time.monotonic() - start, 2),
                    error=error or None,
                    group=without_seed(differing),
                    seed=config.get("seed"),
                    **({} if error else figures_of(Path(settings.out_dir))),
                )
            )
        return figure

    def _explain(self, error: Exception) -> str:
        """Hydra's complaint in one sentence, with near names."""
        from hydra import compose, initialize_config_dir  # noqa: PLC0415
        from hydra.core.global_hydra import GlobalHydra  # noqa: PLC0415
        from hydra.errors import MissingConfigException, OverrideParseException  # noqa: PLC0415

        from landmix.cli.config import config_folder, near_keys  # noqa: PLC0415

        text = " ".join(str(error).split())
        if isinstance(error, OverrideParseException):
            return (
                f"cannot read '{error.override}': put quotes around names with blanks, commas, brackets or other"
                " special letters inside a list"
            )
        if several := re.match(r"Ambiguous value for argument '([^']+)'", text):
            key, _, values = several[1].partition("=")
            return (
                f"{several[1]} are several values: write landmix {self.verb.name} -m to run with each of them, or"
                f" {key}=[{values}] for a list"
            )
        options = getattr(error, "options", None) if isinstance(error, MissingConfigException) else None
        if options:
            wanted = str(getattr(error, "missing_cfg_file", ""))
            near = difflib.get_close_matches(wanted.rsplit("/", 1)[-1], options, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            return f"there is no {wanted.replace('/', '=')}: choose one of {', '.join(options)}{hint}"
        absent = re.search(r"Additional config directory '(.*)' not found", text)
        if absent is not None:
            return f"--config-dir must be a folder, but there is none called {absent[1]}"
        unknown = re.search(r"(?:Could not override|Could not delete from config\.|Key) '([^']+)'", text)
        if unknown is None:
            return text.rstrip(".")
        GlobalHydra.instance().clear()
        with initialize_config_dir(config_folder(), version_base="1.3"):
            near = near_keys(unknown[1], compose(self.verb.name))
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        return f"landmix {self.verb.name} has no setting '{unknown[1]}'{hint}"
