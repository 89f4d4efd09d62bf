"""Which of ONNX Runtime's packages is installed. There is one for each kind of device, and all of them are the same import package.

Only one can be installed: of two, the files of the later one lie over those of the other, and a provider is gone without a word.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

FLAVOURS = {
    "cpu": "onnxruntime",
    "cuda": "onnxruntime-gpu",
    "directml": "onnxruntime-directml",
    "openvino": "onnxruntime-openvino",
    "rocm": "onnxruntime-migraphx",
    "webgpu": "onnxruntime-webgpu",
}
"""Our extra, and the package that it installs."""
REMEDY = "install it with: pip install '.[cpu]' (for a graphics card '.[cuda]' and others: see docs/back-ends.md)"


def installed() -> dict[str, str]:
    """The packages of `FLAVOURS` that are installed, with their versions."""
    return {package: number for package in FLAVOURS.values() if (number := installed_version(package)) is not None}


def clash() -> str | None:
    """What is wrong and how it is mended where more than one of them is installed."""
    packages = installed()
    if len(packages) < 2:
        return None
    return (
        f"{' and '.join(packages)} are installed over one another, and only one of them can be: "
        f"pip uninstall -y {' '.join(packages)}, then install the one that is wanted (docs/back-ends.md)"
    )


def installed_version(package: str) -> str | None:
    """The version of an installed package, None where it is not."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
