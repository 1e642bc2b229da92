"""Recognise how a GPU ends a training: texts of torch, CUDA, NCCL, the driver and bitsandbytes.

This module uses the standard library only. The order counts: the first kind whose text occurs is the answer.
"""

from __future__ import annotations

# Kind → parts of messages, in lower case.
_TEXTS = {
    "out_of_memory": (
        "out of memory",
        "can't allocate memory",
        "cannot allocate memory",
        "cublas_status_alloc_failed",
        "cudnn_status_alloc_failed",
        # The libraries, torch's allocator and cuDNN's search say so if there is no room for their own memory.
        "cublas_status_not_initialized",
        "cudnn_status_not_initialized",
        "nvml_success == ",
        "unable to find an engine to execute this computation",
        "cuda_error_out_of_memory",
        "some modules are dispatched on the cpu or the disk",
        "cannot copy out of meta tensor",
    ),
    "no_kernel": ("no kernel image is available", "invalid device function", "named symbol not found"),
    "old_driver": (
        "driver on your system is too old",
        "driver version is insufficient",
        "unsupported ptx version",
    ),
    "no_gpu": (
        "no cuda gpus are available",
        "not compiled with cuda enabled",
        "no cuda-capable device is detected",
        "found no nvidia driver",
        "invalid device ordinal",
    ),
    "gpu_busy": ("devices are busy or unavailable",),
    "no_bfloat16": (
        "doesn't support bf16",
        "bf16 is not supported",
        "bfloat16 is not supported",
        "bf16/gpu",
    ),
    "lost_process": (
        "watchdog caught collective operation timeout",
        "nccl error",
        "ncclsystemerror",
        "ncclinternalerror",
        "ncclremoteerror",
        "ncclunhandledcudaerror",
        "connection closed by peer",
        "connection reset by peer",
    ),
    "bad_token": (
        "device-side assert",
        "srcindex < srcselectdimsize",
        "index out of range in self",  # the same on a CPU
    ),
    "small_gpu": ("out of resource: shared memory", "out of resources: shared memory"),
    "old_ptxas": ("is not defined for option 'gpu-name'",),
    "gpu_fault": (
        "xid",
        "illegal memory access",
        "unspecified launch failure",
        "uncorrectable ecc error",
        "gpu is lost",
        "fallen off the bus",
        "misaligned address",
        "cublas_status_execution_failed",
        "cublas_status_internal_error",
    ),
}
_WHOLE_WORDS = ("xid",)


def find_gpu_error(text: str) -> str | None:
    """Return the kind of the first GPU error in a text, or None."""
    low = text.lower()
    words = set(low.replace("(", " ").replace(":", " ").split())
    for kind, parts in _TEXTS.items():
        if any(part in words if part in _WHOLE_WORDS else part in low for part in parts):
            return kind
    return None
