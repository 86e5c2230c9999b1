"""What Alertmanager posts: its webhook body, version 4, with bounds of our own."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

__all__ = ["MOST_ALERTS", "Alert", "Notification"]

MOST_ALERTS = 1_000
"""In one body; the configuration that ships asks for far fewer."""

_Text = Annotated[str, StringConstraints(max_length=4_096)]
_Name = Annotated[str, StringConstraints(max_length=256)]
_Texts = Annotated[dict[_Name, _Text], Field(max_length=64)]
_Moment = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]


class _Part(BaseModel):
    # Alertmanager adds fields as it grows: those are not an error.
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Alert(_Part):
    """One alert: what it is about stands in its labels, what to do in its annotations."""

    status: Literal["firing", "resolved"]
    labels: _Texts
    annotations: _Texts = Field(default_factory=dict)
    starts_at: _Moment = Field(alias="startsAt")
    ends_at: _Moment | None = Field(None, alias="endsAt")

    @property
    def name(self) -> str:
        """The rule's name."""
        return self.labels.get("alertname", "alert without a name")

    @property
    def ended_at(self) -> datetime | None:
        """When it was over; None while it fires (Alertmanager then says the year 1, or when it would expire)."""
        return self.ends_at if self.status == "resolved" else None


class Notification(_Part):
    """One message of Alertmanager: alerts that belong together."""

    version: Literal["4"]
    status: Literal["firing", "resolved"]
    alerts: Annotated[tuple[Alert, ...], Field(min_length=1, max_length=MOST_ALERTS)]
    truncated: int = Field(0, alias="truncatedAlerts", ge=0)
