"""The record of a study's runs, results/{study}/run.json: which code, settings, machine and weights made what is there.

Limits: a run counts the time of its own jobs and of the workflow around them; jobs that were up to date count nothing,
and whatever else the machine did is only seen in the load averages.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from syncvoice.files import read_json, sha256_of, write_json
from syncvoice.study.study import Study

PACKAGES = ("torch", "numpy", "snakemake", "mediapipe", "onnxruntime", "pandas", "av")
KEPT = 20  # runs in the record, the newest last


def start_of_run() -> dict[str, Any]:
    """Return what has to be known when a run begins: the time, and how busy the machine is."""
    return {"started": time.time(), "load_before": os.getloadavg()[0]}


def record_run(study: Study, start: dict[str, Any], status: str, repository: Path) -> Path:
    """Add a run to the study's record.

    Args:
        study: the study that was run.
        start: as `start_of_run` returned it.
        status: "finished" or "failed".
        repository: folder of the code.

    Returns:
        the file of the record.
    """
    path = Path("results") / study.name / "run.json"
    earlier = read_json(path)["runs"] if path.is_file() else []
    run = {
        "status": status,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start["started"])),
        "wall_seconds": round(time.time() - start["started"], 1),
        "load_average": {"before": round(start["load_before"], 2), "after": round(os.getloadavg()[0], 2)},
        "code": code_of(repository),
        "config_sha256": config_digest(study),
        "machine": machine(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
        "weights_sha256": {file: sha256_of(file) for file in sorted(weight_files(study)) if Path(file).is_file()},
    }
    limits = (
        "wall time of this run alone: jobs that were up to date count nothing; other load shows in load_average only"
    )
    write_json(path, {"study": study.name, "limits": limits, "runs": [*earlier, run][-KEPT:]})
    return path


def code_of(repository: Path) -> dict[str, Any]:
    """Return commit, and whether files differ from it; None outside a git checkout."""
    git = shutil.which("git")
    if git is None or not (repository / ".git").exists():
        return {"commit": None, "changed": None}

    def ask(*words: str) -> str:
        command = [git, "-C", str(repository), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    return {"commit": ask("rev-parse", "HEAD") or None, "changed": bool(ask("status", "--porcelain", "-uno"))}


def config_digest(study: Study) -> str:
    """Return the SHA-256 digest of the resolved study: equal for equal settings, wherever they were written."""
    text = json.dumps(study.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def machine() -> dict[str, Any]:
    """Return processor, cores, memory and system; no name of the machine and no path."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(pages / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "gpu": shutil.which("nvidia-smi") is not None,
    }


def weight_files(study: Study) -> Iterable[str]:
    """Return the weight files that the study's models and rows start from, and the networks that it adapts."""
    recipes = (study.recipes[name] for name in study.models_used())
    files = {file for recipe in recipes for file in recipe.weights()}
    files |= {file for row in study.experiments for file in study.weights_read_by(row)}
    return files | {study.network_file(network) for network in ("vocoder", "syncnet", "recogniser")}


def _processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _version(package: str) -> str | None:
    """Return the installed version of a package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
