"""Invoices: amounts that add up, and pages that show what they are given and nothing else."""

from __future__ import annotations

import random
from datetime import date
from html.parser import HTMLParser

import pytest

from llm_platform.billing.invoices.invoice import Invoice, Line, Subject, make, rounded
from llm_platform.billing.invoices.page import page
from llm_platform.billing.periods import month, rfc3339, zone
from llm_platform.billing.service import DatabaseLedger
from llm_platform.core.errors import PlatformError
from llm_platform.proto import ledger_pb2
from tests.unit.billing.calls import outcome, record, reserve, reserve_each
from tests.unit.billing.conftest import Clock

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}&lt;\u202e\x00\x1b"
NAMES = ("Größe & Söhne", "株式会社テスト", "شركة", "Компания", HOSTILE)


@pytest.mark.parametrize("digits", [0, 1, 7, 9])
def test_rounded_lines_add_up_to_the_rounded_sum_and_none_is_off_by_a_unit(digits: int) -> None:
    chance = random.Random(digits)  # noqa: S311
    for _ in range(300):
        amounts = [chance.randrange(-(10**10), 10**11) for _ in range(chance.randrange(8))]
        shown = rounded(amounts, digits)
        exact = sum(amounts)
        assert abs(sum(shown) * 10**digits - exact) * 2 <= 10**digits
        assert all(abs(units * 10**digits - amount) < 10**digits for units, amount in zip(shown, amounts, strict=True))


def test_remainders_that_are_equal_go_to_the_first_and_halves_to_even() -> None:
    assert rounded([5, 5, 5], 1) == [1, 1, 0]
    assert rounded([5], 1) == [0]
    assert rounded([15], 1) == [2]
    assert rounded([-5, 5], 1) == [0, 0]
    assert rounded([], 7) == []


def invoice(**changes: object) -> Invoice:
    berlin = zone("Europe/Berlin")
    fields: dict[str, object] = {
        "number": "2026-10-A",
        "subject": Subject("organization", "org_1", "Test"),
        "seller": "",
        "period": month("2026-10", berlin),
        "zone": berlin,
        "issued": date(2026, 11, 2),
        "draft": False,
        "digits": 2,
        "lines": [Line("echo", "m", 2, 1_000, 10, 500, 12_345_678_901, 1_235)],
        "corrections": [Line("echo", "m", 0, 0, 0, 0, -5_000_000, -1)],
    }
    return Invoice(**{**fields, **changes})  # type: ignore[arg-type]


class Elements(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def elements(text: str) -> Elements:
    found = Elements()
    found.feed(text)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_as_it_is_and_is_no_markup(name: str) -> None:
    plain = elements(page(invoice()))
    named = elements(
        page(
            invoice(
                number=name,
                subject=Subject("user", name, name),
                seller=name,
                lines=[Line(name, name, 2, 1_000, 10, 500, 12_345_678_901, 1_235)],
                corrections=[Line(name, name, 0, 0, 0, 0, -5_000_000, -1)],
            )
        )
    )
    assert set(named.tags) == set(plain.tags)
    assert named.attributes == plain.attributes
    shown = name.replace("\x00", "\ufffd").replace("\x1b", "\ufffd")
    assert sum(text == shown for text in named.texts) >= 8
    assert "script" not in named.tags


def test_the_page_has_the_period_in_its_zone_and_loads_nothing() -> None:
    text = page(invoice(draft=True))
    for shown in (
        "2026-10-01",
        "<bdi>CEST</bdi>",
        "2026-11-01",
        "<bdi>CET</bdi>",
        "$12.34",
        "\N{MINUS SIGN}$0.01",
        "8,230.45",
        "Draft",
    ):
        assert shown in text, shown
    assert "http" not in text.replace("http-equiv", "")
    assert "Nothing was used" in page(invoice(lines=[], corrections=[]))


async def test_the_lines_are_the_usage_of_the_subject_in_the_period(ledger: DatabaseLedger, clock: Clock) -> None:
    berlin = zone("Europe/Berlin")
    clock.now = 1_792_879_200.0  # 2026-10-25T00:00:00+02:00
    for model, organization in (("echo", "org_1"), ("parrot", "org_1"), ("echo", "org_2")):
        call = reserve(model=model)
        call.organization_id = organization
        await reserve_each(ledger, call)
        await record(ledger, outcome(call, kind="uncertain" if model == "parrot" else "exact", input_tokens=7))
    attempt = next(
        each.attempt_id
        for each in (await ledger.entries(ledger_pb2.EntriesQuery())).items
        if each.model == "parrot" and each.kind == "settle"
    )
    await ledger.resolve(ledger_pb2.ResolveBatch(items=[ledger_pb2.Resolution(attempt_id=attempt, absent=True)]))
    clock.now += 40 * 86_400
    subject = Subject("organization", "org_1", "")
    made = await make(ledger, subject, month("2026-10", berlin), berlin, issued=date(2026, 11, 2), digits=6)
    assert [(line.model, line.amount, line.shown, line.price) for line in made.lines] == [
        ("echo", 7_000, 7, 1_000_000_000),
        ("parrot", 200_000, 200, None),
    ]
    assert [(line.model, line.amount) for line in made.corrections] == [("parrot", -200_000)]
    assert (made.total, made.exact) == (7, 7_000)
    again = await make(ledger, subject, month("2026-10", berlin), berlin, issued=date(2027, 1, 1))
    assert again.number == made.number
    empty = await make(ledger, subject, month("2026-09", berlin), berlin, issued=date(2026, 11, 2))
    assert (empty.lines, empty.total) == ([], 0)
    assert empty.number != made.number


@pytest.mark.parametrize(
    "wrong", ["2026-13", "2026-00", "26-10", "2026-1", "2026-10-01", "9999-12", "\uff12026-10", "%"]
)
def test_a_month_that_does_not_exist_is_refused(wrong: str) -> None:
    with pytest.raises(PlatformError):
        month(wrong, zone(""))


def test_months_begin_and_end_where_clocks_are_set() -> None:
    lisbon, beirut = zone("Europe/Lisbon"), zone("Asia/Beirut")
    assert [rfc3339(at)[:16] for at in month("2026-10", lisbon)] == ["2026-09-30T23:00", "2026-11-01T00:00"]
    assert [rfc3339(at)[:16] for at in month("2026-03", beirut)] == ["2026-02-28T22:00", "2026-03-31T21:00"]
    assert [rfc3339(at)[:16] for at in month("2026-12", zone(""))] == ["2026-12-01T00:00", "2027-01-01T00:00"]
