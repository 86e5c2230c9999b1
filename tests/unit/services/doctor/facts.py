"""A server without fault, to take something from."""

from quantbus_contracts.mongo.schema_guard import SCHEMA_VERSION
from quantbus_contracts.mongo.server_facts import (
    ClockFacts,
    DiskFacts,
    ServerFacts,
    SetFacts,
    StartFacts,
    UserFacts,
)
from quantbus_contracts.schema import MemberHealth

PRIMARY = MemberHealth("a:1", "primary", 0.0)
START = StartFacts(
    scripting=False, compressors=("snappy", "zstd"), bound_to=("127.0.0.1", "bus"), journal=True
)
MEMBERS = SetFacts("quantbus", (PRIMARY,), majority_is_journaled=True, default_write="majority")
SOUND = ServerFacts(
    version="7.0.28",
    access_control=True,
    user=UserFacts("quantbus_admin", None),
    start=START,
    members=MEMBERS,
    transaction_seconds=3.0,
    roles=(),
    schema=SCHEMA_VERSION,
    layout=(),
    retention=(),
    disk=DiskFacts(100e9, 50e9),
    clock=ClockFacts(0.01, 0.005),
)
