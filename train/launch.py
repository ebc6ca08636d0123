"""Several processes for one training, started here (`--devices N`) or by torchrun."""

import gc
import json
import os
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from curate import errors
from curate.errors import CurateError
from curate.models.devices import end, end_with_starter
from curate.models.threads import VARIABLE, use_threads

from .world import World, join, leave

Worker = Callable[..., None]
"""Takes a World and the arguments of `launch`; a module-level function, so that a new process can import it."""


def launch(devices: int, work: Worker, *arguments: Any) -> None:
    """Call `work(world, *arguments)` in `devices` new processes and wait for all of them.

    Raises the CurateError that a process raised. Raises CurateError if a process died for another reason.
    """
    from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, spawn

    _free_gpu()
    threads = max(1, use_threads() // devices)
    with tempfile.TemporaryDirectory() as folder:
        context = spawn(_enter, (devices, threads, folder, work, arguments), devices, join=False)  # type: ignore[no-untyped-call]
        try:
            while not context.join():
                pass
        except (ProcessExitedException, ProcessRaisedException) as error:
            written = sorted(Path(folder).glob("error-*.json"))
            if written:
                raise _written_error(written[0]) from None
            reason = str(error).strip().splitlines()[-1]
            raise CurateError(
                f"process {error.error_index} of {devices} ended early: {reason}. The last checkpoint is kept; to "
                "resume, run the same command again."
            ) from error
        finally:  # the processes must not go on training if this one is interrupted
            for process in context.processes:
                process.kill()
                process.join()


@contextmanager
def environment() -> Iterator[World]:
    """Yield the world that torchrun describes in the environment, or a world of one process."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    yield join(int(os.environ["RANK"]), size, "env://", int(os.environ.get("LOCAL_RANK", "0")))
    leave()  # not after an error: NCCL would wait for the other processes, which wait for this one


def is_first() -> bool:
    """Return whether this process is alone or the first one that torchrun started."""
    return int(os.environ.get("RANK", "0")) == 0


def is_first_here() -> bool:
    """Return whether this process is the first one on its machine."""
    return int(os.environ.get("LOCAL_RANK", "0")) == 0


def _free_gpu() -> None:
    """Release the GPU memory that earlier stages left in torch's cache: the first process uses the same GPU."""
    import torch

    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        gc.collect()
        torch.cuda.empty_cache()


def _enter(rank: int, size: int, threads: int, folder: str, work: Worker, arguments: tuple[Any, ...]) -> None:
    Thread(target=end_with_starter, daemon=True).start()
    os.environ[VARIABLE] = str(threads)
    try:
        world = join(rank, size, f"file://{folder}/meeting-place", rank)
        work(world, *arguments)
        world.wait()
        leave()
    except CurateError as error:
        written = Path(folder, f"{rank:05d}.part")
        written.write_text(json.dumps([type(error).__name__, vars(error)]), "utf-8")
        written.rename(Path(folder, f"error-{rank:05d}.json"))  # the starter never sees a partly written file
        end(1)
    except KeyboardInterrupt:
        end(130)
    except BaseException:  # noqa: BLE001  (the traceback is shown here; the parent reports that the process ended)
        traceback.print_exc()
        end(1)
    end(0)


def _written_error(path: Path) -> CurateError:
    kind, fields = json.loads(path.read_text("utf-8"))
    made: CurateError = getattr(errors, kind, CurateError)(**fields)
    return made
