"""An invoice as a page of its own: one HTML file that prints well and loads nothing.

Everything that came from outside is escaped and set apart (``bdi``), so that a name in any script, or one that is
markup, is shown as it is and changes nothing around it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from html import escape
from importlib import resources

from llm_platform.billing.invoices.invoice import NANO_DIGITS, Invoice, Line
from llm_platform.billing.periods import EPOCH

_SCOPES = {"organization": "Organisation", "team": "Team", "user": "User"}
# https://html.spec.whatwg.org/multipage/parsing.html: these are errors in a page even when they are escaped.
_CONTROLS = dict.fromkeys((*range(10), *range(11, 32), *range(127, 160)), "\ufffd")
_MINUS, _NONE = "\N{MINUS SIGN}", "\N{EN DASH}"


def page(invoice: Invoice) -> str:
    """The whole file."""
    title = f"{'Draft of invoice' if invoice.draft else 'Invoice'} {invoice.number}"
    style = (resources.files(__package__) / "invoice.css").read_text()
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{_plain(title)}</title>
<style>
{style}</style>
</head>
<body{' class="draft"' if invoice.draft else ""}>
<main>
{_head(invoice)}
{_facts(invoice)}
{_lines(invoice)}
{_foot(invoice)}
</main>
</body>
</html>
"""


def _head(invoice: Invoice) -> str:
    seller = f'<p class="seller">{_text(invoice.seller)}</p>' if invoice.seller else ""
    draft = '<p class="mark">Draft: the period has not ended</p>' if invoice.draft else ""
    return f"""<header>
<div><h1>Invoice</h1>{draft}</div>
<div class="from">{seller}<p class="number">{_text(invoice.number)}</p></div>
</header>"""


def _facts(invoice: Invoice) -> str:
    subject = invoice.subject
    name = f"<strong>{_text(subject.name)}</strong><br>" if subject.name else ""
    return f"""<section class="facts">
<div><h2>Billed to</h2><p>{name}{_SCOPES[subject.scope]} <span class="id">{_text(subject.id)}</span></p></div>
<div><h2>Period</h2><p>{_moment(invoice, invoice.period.since)}<br>to {_moment(invoice, invoice.period.until)}</p></div>
<div><h2>Issued</h2><p>{invoice.issued.isoformat()}</p></div>
<div class="due"><h2>Total</h2><p>{_money(invoice.total, invoice.digits)}</p></div>
</section>"""


def _lines(invoice: Invoice) -> str:
    rows = "\n".join(_usage_row(line, invoice.digits) for line in invoice.lines)
    if not invoice.lines:
        rows = '<tr><td colspan="6" class="none">Nothing was used in this period.</td></tr>'
    corrections = ""
    if invoice.corrections:
        corrected = "\n".join(_correction_row(line, invoice.digits) for line in invoice.corrections)
        heading = '<tr class="group"><th colspan="6" scope="colgroup">Corrections of earlier charges</th></tr>'
        corrections = f"<tbody>\n{heading}\n{corrected}\n</tbody>"
    return f"""<table>
<thead><tr><th scope="col">Model</th><th scope="col">Calls</th><th scope="col">Input tokens</th>
<th scope="col">Output tokens</th><th scope="col">USD / 1M tokens</th><th scope="col">Amount</th></tr></thead>
<tbody>
{rows}
</tbody>
{corrections}
<tfoot><tr>
<th colspan="5" scope="row">Total in US dollars</th><td>{_money(invoice.total, invoice.digits)}</td>
</tr></tfoot>
</table>"""


def _usage_row(line: Line, digits: int) -> str:
    cached = f"<small>{line.cached_input_tokens:,} cached</small>" if line.cached_input_tokens else ""
    price = _NONE if line.price is None else _price(line.price)
    return (
        f'<tr><th scope="row">{_text(line.model)}<small>{_text(line.provider)}</small></th>'
        f"<td>{line.requests:,}</td><td>{line.input_tokens:,}{cached}</td><td>{line.output_tokens:,}</td>"
        f"<td>{price}</td><td>{_money(line.shown, digits)}</td></tr>"
    )


def _correction_row(line: Line, digits: int) -> str:
    return (
        f'<tr><th scope="row" colspan="5">{_text(line.model)}<small>{_text(line.provider)}</small></th>'
        f"<td>{_money(line.shown, digits)}</td></tr>"
    )


def _foot(invoice: Invoice) -> str:
    exact = _money(invoice.exact, NANO_DIGITS)
    return f"""<footer>
<p>Amounts are in US dollars. Charges are exact to a billionth of a dollar ({exact} in all); the total is
rounded once, and the lines so that they add up to it. The price of a million tokens is the average of what was
charged.</p>
<p>Days are those of the time zone {_text(invoice.zone.key)}.</p>
</footer>"""


def _moment(invoice: Invoice, at: int) -> str:
    local = (EPOCH + timedelta(microseconds=at)).astimezone(invoice.zone)
    return f"<time>{_date(local)}</time> <small>{local:%H:%M} {_text(local.tzname() or '')}</small>"


def _date(local: datetime) -> str:
    return f"{local.year:04d}-{local.month:02d}-{local.day:02d}"


def _money(units: int, digits: int) -> str:
    whole, rest = divmod(abs(units), 10**digits)
    fraction = f".{rest:0{digits}d}" if digits else ""
    return f"{_MINUS if units < 0 else ''}${whole:,}{fraction}"


def _price(nano: int) -> str:
    whole, rest = divmod(abs(nano), 10**NANO_DIGITS)
    return f"{_MINUS if nano < 0 else ''}{whole:,}.{rest // 100_000:04d}"


def _text(value: str) -> str:
    return f"<bdi>{_plain(value)}</bdi>"


def _plain(value: str) -> str:
    return escape(value.translate(_CONTROLS))
