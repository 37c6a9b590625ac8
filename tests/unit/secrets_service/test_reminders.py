from __future__ import annotations

from structlog.testing import capture_logs

from llm_platform.core import metrics
from llm_platform.secrets_service.info import Info, VersionInfo
from llm_platform.secrets_service.reminders import Reminders

DAY = 24 * 3600


def expiring(at: float) -> Info:
    return Info(last=1, updated_at=0, versions={1: VersionInfo()}, expires_at=int(at * 1000))


def test_what_expires_soon_is_counted_and_spoken_of_once_a_day() -> None:
    now = 1_000_000_000.0
    reminders = Reminders(14, clock=lambda: now)
    entries = {
        "never": Info(last=1, updated_at=0, versions={1: VersionInfo()}),
        "later": expiring(now + 15 * DAY),
        "soon": expiring(now + 13 * DAY),
        "past": expiring(now - 1),
        "deleted": Info(last=1, updated_at=0, versions={}, expires_at=1),
    }
    with capture_logs() as logs:
        reminders.look(entries)
        reminders.look(entries)
    assert [(line["path"], line["state"]) for line in logs] == [("soon", "soon"), ("past", "expired")]
    shown = metrics.exposition()
    assert b'llm_secrets_expiring{state="soon"} 1.0' in shown
    assert b'llm_secrets_expiring{state="expired"} 1.0' in shown
    now += 2 * DAY
    with capture_logs() as logs:
        reminders.look(entries)
    assert [line["path"] for line in logs] == ["later", "soon", "past"]
    entries["past"] = expiring(now + 100 * DAY)
    with capture_logs() as logs:
        reminders.look(entries)
    assert not logs
    assert b'llm_secrets_expiring{state="expired"} 0.0' in metrics.exposition()
