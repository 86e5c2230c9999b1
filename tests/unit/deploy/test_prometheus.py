"""What promtool thinks of the configuration and the rules."""

import subprocess
from pathlib import Path

FOLDER = Path("deploy/prometheus")


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    told = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, told
    return told


def test_promtool_accepts_the_configuration_and_its_rules(promtool: str, root: Path) -> None:
    for name in ("prometheus.yml", "prometheus.local.yml"):
        assert "rules found" in run([promtool, "check", "config", str(root / FOLDER / name)])


def test_promtool_finds_nothing_to_complain_about_in_the_rules(promtool: str, root: Path) -> None:
    for file in sorted((root / FOLDER / "rules").glob("*.yml")):
        run([promtool, "check", "rules", "--lint=all", "--lint-fatal", str(file)])
