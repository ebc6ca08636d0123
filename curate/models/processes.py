"""New processes of this program that run models: what they may use, and how they end."""

import gc
import json
import multiprocessing
import os
import sys

from curate import errors
from curate.errors import BadSettings, CurateError
from curate.models.pretrained import device


def check_devices(count: int) -> None:
    """Raise BadSettings if this machine cannot run models in `count` processes, each with a device of its own."""
    if count == 1:
        return
    import torch

    on = device()
    if on == "mps":
        raise BadSettings("an Apple GPU serves one process; leave out --devices")
    if on == "cuda" and count > torch.cuda.device_count():
        raise BadSettings(f"--devices is {count}, but this machine has {torch.cuda.device_count()} GPUs")


def free_gpu() -> None:
    """Release the GPU memory that torch keeps for later, because another process will use the same GPU."""
    import torch

    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        gc.collect()
        torch.cuda.empty_cache()


def end_with_starter() -> None:
    """Wait until the process that started this one has ended for any reason, then end too.

    A signal would not be enough: background processes of a script ignore SIGINT.
    """
    starter = multiprocessing.parent_process()
    if starter:
        starter.join()
        end(1)


def end(code: int) -> None:
    """End this process without the interpreter's shutdown.

    After an error the shutdown would wait for the other processes, and gloo's threads have aborted in it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def packed_error(error: CurateError) -> str:
    """Return an error as text that another process can read."""
    return json.dumps([type(error).__name__, vars(error)])


def unpacked_error(text: str) -> CurateError:
    """Return the error that `packed_error` has put into text."""
    kind, fields = json.loads(text)
    made: CurateError = getattr(errors, kind, CurateError)(**fields)
    return made
