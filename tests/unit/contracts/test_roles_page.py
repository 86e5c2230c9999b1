"""The page about security says what the code does."""

from pathlib import Path

from quantbus_contracts.mongo.roles import ROLES, roles_table
from quantbus_contracts.runtime.settings import KNOWN_NAMES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "security.md"


def test_the_table_of_roles_is_the_codes_own() -> None:
    text = PAGE.read_text(encoding="utf-8")
    shown = text.partition("<!-- roles:")[2].partition("-->\n")[2].partition("<!-- /roles -->")[0]
    assert shown.strip() == roles_table()


def test_every_role_can_be_given_its_password_in_a_file() -> None:
    names = {f"QUANTBUS_{role.upper()}_PASSWORD_FILE" for role in ROLES}
    assert names <= set(KNOWN_NAMES)
