"""Each member installs alone, imports, and brings nothing that belongs to another."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
ROOT = Path(__file__).resolve().parents[2]
FOREIGN = {
    "contracts": ["pymongo", "pandas", "fastapi", "ccxt", "lightgbm", "freqtrade", "quantbus_services"],
    "services": ["lightgbm", "freqtrade", "quantbus_research", "quantbus_executor"],
    "research": ["ccxt", "freqtrade", "fastapi", "quantbus_services", "quantbus_executor"],
    "executor": ["ccxt", "lightgbm", "fastapi", "freqtrade", "quantbus_services", "quantbus_research"],
}


def uv() -> str:
    found = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    assert Path(found).exists(), "uv is neither on PATH nor in .tools; run `make setup`"
    return found


@pytest.mark.parametrize("member", FOREIGN)
def test_a_member_installs_alone_and_imports(member: str, tmp_path: Path) -> None:
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(tmp_path / "venv")}
    environment.pop("VIRTUAL_ENV", None)
    command = [
        uv(),
        "sync",
        "--frozen",
        "--no-dev",
        "--no-editable",
        "--quiet",
        "--package",
        f"quantbus-{member}",
    ]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    script = (
        "import importlib.util, quantbus_contracts\n"
        f"import quantbus_{member}\n"
        f"print([name for name in {FOREIGN[member]!r} if importlib.util.find_spec(name)])"
    )
    python = tmp_path / "venv" / "bin" / "python"
    told = subprocess.run([python, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout.strip()) == (0, "[]"), told.stderr
