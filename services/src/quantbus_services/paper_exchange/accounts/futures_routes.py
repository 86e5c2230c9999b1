"""The signed routes of Binance USD-M futures: wallets, positions and their settings."""

from collections.abc import Mapping
from decimal import Decimal

from quantbus_services.paper_exchange.accounts import futures_answers as answers
from quantbus_services.paper_exchange.accounts.office import Call, Office
from quantbus_services.paper_exchange.accounts.pages import page_of
from quantbus_services.paper_exchange.accounts.records import ZERO, Position, PositionSide
from quantbus_services.paper_exchange.accounts.rights import Right, Signed
from quantbus_services.paper_exchange.binance.queries import Refusal
from quantbus_services.paper_exchange.listings.brackets import bracket_rows
from quantbus_services.paper_exchange.listings.listings import Listing

__all__ = ["ROUTES", "listing_of"]


def listing_of(office: Office, call: Call) -> Listing:
    """Return the perpetual that the mandatory ``symbol`` names."""
    return office.trading.board("futures").listing(call.fields.mandatory("symbol"), call.now_ms)


def _account(office: Office, call: Call) -> object:
    return answers.account_answer(call.account, call.key, office.clearing, call.now_ms)


def _balance(office: Office, call: Call) -> object:
    return answers.balance_answer(call.account, office.clearing, call.now_ms)


def _positions(office: Office, call: Call) -> object:
    symbol = listing_of(office, call).name if "symbol" in call.fields else None
    held = call.account.held(symbol)
    return [answers.position_answer(call.account, one, office.clearing, call.now_ms) for one in held]


def _every_position(office: Office, call: Call) -> object:
    """Return empty positions as well, as version 2 of the route does."""
    listed = office.trading.board("futures").market.listed(call.now_ms)
    chosen = [listing_of(office, call)] if "symbol" in call.fields else list(listed.values())
    sides: tuple[PositionSide, ...] = ("LONG", "SHORT") if call.account.is_hedged else ("BOTH",)
    rows: list[Position] = [
        call.account.position(listing.name, listing.quote, side) for listing in chosen for side in sides
    ]
    return [answers.position_answer(call.account, one, office.clearing, call.now_ms) for one in rows]


def _set_leverage(office: Office, call: Call) -> object:
    symbol, leverage = listing_of(office, call).name, call.fields.number("leverage")
    if leverage is None:
        call.fields.mandatory("leverage")
    if not leverage or leverage > office.clearing.most_leverage(symbol, call.now_ms):
        raise Refusal(-4028, f"Leverage {leverage} is not valid")
    setting = call.account.setting(symbol)
    held = call.account.held(symbol)
    if held and setting.is_isolated and leverage < setting.leverage:
        raise Refusal(
            -4161, "Leverage reduction is not supported in Isolated Margin Mode with open positions"
        )
    before, setting.leverage = setting.leverage, leverage
    assets = {one.asset for one in held}
    if any(_lacks(office, call, asset) for asset in assets):
        setting.leverage = before
        raise Refusal(-2028, "Leverage is smaller than permitted: insufficient margin balance")
    office.ledger.note(call.account)
    most = office.clearing.most_notional(symbol, leverage, call.now_ms)
    return {"symbol": symbol, "leverage": leverage, "maxNotionalValue": f"{most:.0f}"}


def _lacks(office: Office, call: Call, asset: str) -> bool:
    sums = office.clearing.margins(call.account, asset, call.now_ms)
    return sums.cross_wallet + sums.cross_profit < sums.cross_initial + sums.orders


def _set_margin_type(office: Office, call: Call) -> object:
    symbol = listing_of(office, call).name
    call.fields.mandatory("marginType")
    wants_isolated = call.fields.choice("marginType", ("ISOLATED", "CROSSED")) == "ISOLATED"
    setting = call.account.setting(symbol)
    if setting.is_isolated == wants_isolated:
        raise Refusal(-4046, "No need to change margin type.")
    if _has_orders(office, call, symbol):
        raise Refusal(-4047, "Margin type cannot be changed if there exists open orders.")
    if call.account.held(symbol):
        raise Refusal(-4048, "Margin type cannot be changed if there exists position.")
    setting.is_isolated = wants_isolated
    office.ledger.note(call.account)
    return {"code": 200, "msg": "success"}


def _has_orders(office: Office, call: Call, symbol: str | None = None) -> bool:
    orders = office.ledger.open_orders("futures", symbol)
    return any(order.account == call.account.name for order in orders)


def _position_mode(office: Office, call: Call) -> object:
    return {"dualSidePosition": call.account.is_hedged}


def _set_position_mode(office: Office, call: Call) -> object:
    call.fields.mandatory("dualSidePosition")
    wants = call.fields.flag("dualSidePosition")
    if wants == call.account.is_hedged:
        raise Refusal(-4059, "No need to change position side.")
    if _has_orders(office, call):
        raise Refusal(-4067, "Position side cannot be changed if there exists open orders.")
    if call.account.held():
        raise Refusal(-4068, "Position side cannot be changed if there exists position.")
    call.account.is_hedged = wants
    office.ledger.note(call.account)
    return {"code": 200, "msg": "success"}


def _multi_assets(office: Office, call: Call) -> object:
    return {"multiAssetsMargin": False}


def _set_multi_assets(office: Office, call: Call) -> object:
    if not call.fields.flag("multiAssetsMargin"):
        raise Refusal(-4171, "No need to change multi-assets margin.")
    raise Refusal(-1020, "This operation is not supported.")


def _move_margin(office: Office, call: Call) -> object:
    """Add to an isolated margin, or take from it."""
    listing, amount = listing_of(office, call), call.fields.decimal("amount")
    call.fields.mandatory("type")
    adds = call.fields.choice("type", ("1", "2")) == "1"
    side: PositionSide = "BOTH"
    if call.account.is_hedged:
        side = "LONG" if call.fields.choice("positionSide", ("LONG", "SHORT")) == "LONG" else "SHORT"
    position = call.account.position(listing.name, listing.quote, side)
    if not position.amount or not call.account.setting(listing.name).is_isolated:
        raise Refusal(-4054, "Cannot add position margin: position is 0.")
    sums = office.clearing.margins(call.account, listing.quote, call.now_ms)
    spare = position.margin - abs(position.basis) / call.account.setting(listing.name).leverage
    if amount <= 0 or amount > (sums.available if adds else max(spare, ZERO)):
        raise Refusal(-4051, "Isolated balance insufficient.")
    position.margin += amount if adds else -amount
    office.ledger.note(call.account)
    return {
        "amount": float(amount),
        "code": 200,
        "msg": "Successfully modify position margin.",
        "type": 2 - adds,
    }


def _income(office: Office, call: Call) -> object:
    kind, symbol = call.fields.text("incomeType"), call.fields.text("symbol")
    mine = [
        one
        for one in office.ledger.incomes.values()
        if one.account == call.account.name and kind in ("", one.type) and symbol in ("", one.symbol)
    ]
    page = page_of(
        mine, call.fields, number=lambda one: one.number, time_ms=lambda one: one.time_ms, default=100
    )
    return [answers.income_answer(one) for one in page]


def _commission(office: Office, call: Call) -> object:
    rates = call.account.futures_rates
    return {
        "symbol": listing_of(office, call).name,
        "makerCommissionRate": f"{rates.maker:f}",
        "takerCommissionRate": f"{rates.taker:f}",
    }


def _account_config(office: Office, call: Call) -> object:
    return {
        "feeTier": 0,
        "canTrade": call.key.can_trade,
        "canDeposit": False,
        "canWithdraw": call.key.can_withdraw,
        "dualSidePosition": call.account.is_hedged,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


def _symbol_config(office: Office, call: Call) -> object:
    listed = office.trading.board("futures").market.listed(call.now_ms)
    chosen = [listing_of(office, call).name] if "symbol" in call.fields else list(listed)
    return [answers.symbol_setting(call.account, name, _most(office, call, name)) for name in chosen]


def _most(office: Office, call: Call, name: str) -> Decimal:
    return office.clearing.most_notional(name, call.account.setting(name).leverage, call.now_ms)


def _brackets(office: Office, call: Call) -> object:
    if "symbol" in call.fields:
        return bracket_rows(listing_of(office, call))
    listed = office.trading.board("futures").market.listed(call.now_ms)
    return [bracket_rows(listing) for listing in listed.values()]


_READ: Mapping[str, Signed] = {
    "/fapi/v2/account": Signed(_account, Right.READ),
    "/fapi/v3/account": Signed(_account, Right.READ),
    "/fapi/v2/balance": Signed(_balance, Right.READ),
    "/fapi/v3/balance": Signed(_balance, Right.READ),
    "/fapi/v2/positionRisk": Signed(_every_position, Right.READ),
    "/fapi/v3/positionRisk": Signed(_positions, Right.READ),
    "/fapi/v1/positionSide/dual": Signed(_position_mode, Right.READ),
    "/fapi/v1/multiAssetsMargin": Signed(_multi_assets, Right.READ),
    "/fapi/v1/income": Signed(_income, Right.READ),
    "/fapi/v1/commissionRate": Signed(_commission, Right.READ),
    "/fapi/v1/accountConfig": Signed(_account_config, Right.READ),
    "/fapi/v1/symbolConfig": Signed(_symbol_config, Right.READ),
    "/fapi/v1/leverageBracket": Signed(_brackets, Right.READ),
}
_CHANGE: Mapping[str, Signed] = {
    "/fapi/v1/leverage": Signed(_set_leverage, Right.TRADE),
    "/fapi/v1/marginType": Signed(_set_margin_type, Right.TRADE),
    "/fapi/v1/positionSide/dual": Signed(_set_position_mode, Right.TRADE),
    "/fapi/v1/multiAssetsMargin": Signed(_set_multi_assets, Right.TRADE),
    "/fapi/v1/positionMargin": Signed(_move_margin, Right.TRADE),
}

ROUTES: Mapping[tuple[str, str], Signed] = {
    **{("GET", path): route for path, route in _READ.items()},
    **{("POST", path): route for path, route in _CHANGE.items()},
}
"""What answers a signed request, and the right that it takes."""
