"""What a user may do, as the server itself says, against what a role needs."""

import pytest

from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.rights import rights_for
from quantbus_contracts.mongo.roles import ROLES, Role
from tests.integration.security.conftest import Guarded

pytestmark = pytest.mark.integration


def test_the_user_of_a_role_has_what_it_needs_and_not_more(guarded: Guarded) -> None:
    rights = rights_for(guarded.connection("executor"), "executor")
    assert (rights.user, rights.lacking, rights.excessive) == ("quantbus_executor", (), False)


@pytest.mark.parametrize("role", ROLES)
def test_no_user_of_ours_has_a_right_that_its_role_does_not_need(guarded: Guarded, role: Role) -> None:
    rights = rights_for(guarded.connection(role), role)
    assert (rights.lacking, rights.beyond, rights.excessive) == ((), (), False)


def test_the_user_of_another_role_lacks_some_of_it(guarded: Guarded) -> None:
    rights = rights_for(guarded.connection("research"), "executor")
    assert "executions: insert" in rights.lacking
    assert not any(line.startswith("risk_state:") for line in rights.lacking)


def test_an_administrator_may_what_no_process_should(guarded: Guarded) -> None:
    assert rights_for(guarded.admin, "executor").excessive


def test_where_nobody_has_to_log_in_there_is_no_user_to_judge(connection: Connection) -> None:
    rights = rights_for(connection, "executor")
    assert (rights.user, rights.lacking, rights.excessive) == ("", (), False)
