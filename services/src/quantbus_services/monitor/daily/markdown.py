"""The report as Markdown, for mail, chat and diffs."""

from collections.abc import Iterable, Iterator, Sequence

from quantbus_services.monitor.daily.report import DayReport, StrategyDay
from quantbus_services.monitor.daily.telling import OUTCOMES, headline, money, share, totals_of
from quantbus_services.monitor.pages.words import amount, count, moment, percent, span

__all__ = ["markdown_of"]

_ESCAPED = str.maketrans({"|": r"\|", "<": "&lt;", "\n": " ", "\r": " ", "*": r"\*", "[": r"\["})


def markdown_of(report: DayReport) -> str:
    """Return the whole report."""
    so_far = "" if report.complete else ", so far"
    lines = [
        f"# quantbus, {report.day} (UTC{so_far})",
        "",
        f"**{headline(report)[0]}.** Made {moment(report.made_at)} UTC.",
        "",
        *_questions(report),
        *_strategies(report),
        *(line for strategy in report.strategies for line in _strategy(strategy)),
        *_bot(report),
        *_data(report),
        *_findings(report),
        *_controls(report),
        *_left_out(report),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _text(value: object) -> str:
    return str(value).translate(_ESCAPED)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_text(cell) for cell in row)} |"
    yield ""


def _questions(report: DayReport) -> Iterator[str]:
    yield from ("## Open questions", "")
    for question in report.questions:
        yield f"- **{question.severity}**: {_text(question.what)} — `{question.command}`"
    if not report.questions:
        yield "None."
    yield ""


def _strategies(report: DayReport) -> Iterator[str]:
    totals = totals_of(report.strategies)
    yield from ("## Strategies", "")
    if not report.strategies:
        yield from ("No strategy is declared, and none said anything.", "")
        return
    yield from _table(
        (
            "strategy",
            "published",
            "traded",
            "refused",
            "rejected",
            "seen by no bot",
            "silent bars",
            "realised",
        ),
        (
            (
                own.strategy_id,
                own.published,
                own.outcomes.traded,
                own.outcomes.refused,
                own.outcomes.rejected,
                own.outcomes.unseen,
                "–" if own.bars_due is None else f"{own.bars_silent} of {own.bars_due}",
                ", ".join(f"{money(profit.realised)} {profit.currency}" for profit in own.profits) or "–",
            )
            for own in report.strategies
        ),
    )
    told = ", ".join(f"{money(value)} {currency}" for currency, value in totals.realised.items()) or "nothing"
    yield from (f"All together: {count(totals.published, 'live signal')}, realised {told}, before fees.", "")


def _strategy(own: StrategyDay) -> Iterator[str]:
    mode = " (dry run)" if own.dry_run else ""
    yield from (f"### {_text(own.strategy_id)}{mode}", "")
    yield from _in_sentences(own)
    yield ""
    if own.refusals:
        yield from _table(
            ("reason", "times", "what it means", "what to do"),
            ((item.reason, item.count, item.meaning, item.remedy or "–") for item in own.refusals),
        )
    yield from _spreads(own)
    if own.held:
        yield from _table(
            ("held now", "by", "side", "amount", "entry", "newest close", "not realised"),
            (
                (
                    held.pair,
                    held.consumer_id,
                    held.side,
                    amount(held.amount),
                    amount(held.entry_price),
                    amount(held.last_price),
                    f"{money(held.unrealised)} {held.currency}",
                )
                for held in own.held
            ),
        )


def _in_sentences(own: StrategyDay) -> Iterator[str]:
    became = [
        f"{getattr(own.outcomes, name)} {word}" for name, word, _ in OUTCOMES if getattr(own.outcomes, name)
    ]
    yield f"- {count(own.published, 'live signal')}: {', '.join(became) or 'nothing became of any'}; {own.late} late"
    for origin, number in own.other_origins.items():
        yield f"- {number} of origin {_text(origin)}, which never trade"
    if own.degraded:
        yield f"- {count(own.degraded, 'evaluation')} said to be worth less than usual (degraded)"
    for silence in own.silent:
        yield f"- silent for {count(silence.bars, 'bar')}: {moment(silence.first)} to {moment(silence.last)}"
    if own.fills_without_ref_price:
        yield f"- {count(own.fills_without_ref_price, 'fill')} without a ref_price to compare with"
    for profit in own.profits:
        unknown = f", {profit.unknown_exits} of them of unknown entry" if profit.unknown_exits else ""
        yield (
            f"- realised {money(profit.realised)} {profit.currency} with {count(profit.exits, 'exit')}{unknown}, "
            f"turnover {amount(round(profit.turnover, 2))}"
        )


def _spreads(own: StrategyDay) -> Iterator[str]:
    rows = [
        (item.hop, item.seconds.count, *map(span, (item.seconds.p50, item.seconds.p95, item.seconds.worst)))
        for item in own.hops
    ]
    if own.slippage is not None:
        slipped = own.slippage
        told = map(percent, (slipped.p50, slipped.p95, slipped.worst))
        rows.append(("slippage against ref_price", slipped.count, *told))
    if rows:
        yield from _table(("hop", "times", "p50", "p95", "worst"), rows)


def _bot(report: DayReport) -> Iterator[str]:
    bot = report.bot
    if bot is None:
        return
    yield from ("## The bot, when this was made", "")
    if bot.error:
        yield f"Unknown: {_text(bot.error)}"
    else:
        yield (
            f"{_text(bot.name)}: equity {amount(bot.equity)} {_text(bot.currency)}, free {amount(bot.free)}, "
            f"{bot.open_trades} open trades, {percent(bot.profit_ratio)} since it began, "
            f"{share(bot.drawdown_ratio)} below its highest."
        )
    yield ""


def _data(report: DayReport) -> Iterator[str]:
    yield from ("## Data", "")
    if not report.data and not report.refused_rows:
        yield from ("No gaps, no corrections, nothing stale.", "")
        return
    if report.data:
        yield from _table(
            ("what", "series", "", "since", "open"),
            (
                (item.kind, item.subject, item.told, moment(item.since), "yes" if item.open else "no")
                for item in report.data
            ),
        )
    for told in report.refused_rows:
        yield f"- not taken by the bus: {_text(told)}"
    yield ""


def _findings(report: DayReport) -> Iterator[str]:
    yield from ("## Findings", "")
    if not report.findings:
        yield from ("None.", "")
        return
    yield from _table(
        ("finding", "about", "severity", "raised", "resolved", "taken on by", "message"),
        (
            (
                item.check,
                item.subject,
                item.severity,
                moment(item.raised_at),
                moment(item.resolved_at) if item.resolved_at else "stands",
                f"{item.acknowledged_by}: {item.acknowledged_reason}" if item.acknowledged_by else "–",
                item.message,
            )
            for item in report.findings
        ),
    )


def _controls(report: DayReport) -> Iterator[str]:
    yield from ("## Controls", "")
    if not report.controls:
        yield from ("None was set, lifted or in force.", "")
        return
    yield from _table(
        ("control", "scope", "what happened", "by", "from", "to", "reason"),
        (
            (
                item.kind,
                item.scope,
                ", ".join(item.what),
                f"{item.by} ({item.source})" + (f", lifted by {item.lifted_by}" if item.lifted_by else ""),
                moment(item.at),
                moment(item.expires_at),
                item.reason,
            )
            for item in report.controls
        ),
    )


def _left_out(report: DayReport) -> Iterator[str]:
    if report.left_out:
        yield from ("## Not covered", "", *(f"- {_text(told)}" for told in report.left_out), "")
