"""What Binance USD-M futures say about wallets, positions, orders and fills."""

from decimal import Decimal
from typing import Any

from quantbus_services.paper_exchange.accounts.futures import FuturesClearing
from quantbus_services.paper_exchange.accounts.margin import Margins
from quantbus_services.paper_exchange.accounts.money import text
from quantbus_services.paper_exchange.accounts.records import (
    ZERO,
    Account,
    ApiKey,
    Fill,
    Income,
    Order,
    Position,
    Side,
)

__all__ = [
    "account_answer",
    "balance_answer",
    "conditional_answer",
    "fill_answer",
    "income_answer",
    "order_answer",
    "position_answer",
    "symbol_setting",
]


def _asset(asset: str, sums: Margins, now_ms: int) -> dict[str, Any]:
    return {
        "asset": asset,
        "walletBalance": text(sums.wallet),
        "unrealizedProfit": text(sums.profit),
        "marginBalance": text(sums.wallet + sums.profit),
        "maintMargin": text(sums.maintenance),
        "initialMargin": text(sums.initial + sums.orders),
        "positionInitialMargin": text(sums.initial),
        "openOrderInitialMargin": text(sums.orders),
        "crossWalletBalance": text(sums.cross_wallet),
        "crossUnPnl": text(sums.cross_profit),
        "availableBalance": text(sums.available),
        "maxWithdrawAmount": text(sums.available),
        "marginAvailable": True,
        "updateTime": now_ms,
    }


def account_answer(account: Account, key: ApiKey, clearing: FuturesClearing, now_ms: int) -> dict[str, Any]:
    """Return ``GET /fapi/v3/account``; positions that are empty are left out."""
    wallets = {asset: clearing.margins(account, asset, now_ms) for asset in sorted(account.wallet)}
    every = list(wallets.values())
    totals = {
        "totalInitialMargin": [one.initial + one.orders for one in every],
        "totalMaintMargin": [one.maintenance for one in every],
        "totalWalletBalance": [one.wallet for one in every],
        "totalUnrealizedProfit": [one.profit for one in every],
        "totalMarginBalance": [one.wallet + one.profit for one in every],
        "totalPositionInitialMargin": [one.initial for one in every],
        "totalOpenOrderInitialMargin": [one.orders for one in every],
        "totalCrossWalletBalance": [one.cross_wallet for one in every],
        "totalCrossUnPnl": [one.cross_profit for one in every],
        "availableBalance": [one.available for one in every],
        "maxWithdrawAmount": [one.available for one in every],
    }
    return {
        "feeTier": 0,
        "canTrade": key.can_trade,
        "canDeposit": False,
        "canWithdraw": key.can_withdraw,
        "multiAssetsMargin": False,
        "updateTime": 0,
        **{name: text(sum(values, ZERO)) for name, values in totals.items()},
        "assets": [_asset(asset, sums, now_ms) for asset, sums in wallets.items()],
        "positions": [_account_position(account, one, clearing, now_ms) for one in account.held()],
    }


def balance_answer(account: Account, clearing: FuturesClearing, now_ms: int) -> list[dict[str, Any]]:
    """Return ``GET /fapi/v3/balance``."""
    rows = []
    for asset in sorted(account.wallet):
        sums = clearing.margins(account, asset, now_ms)
        rows.append(
            {
                "accountAlias": f"paper{account.number}",
                "asset": asset,
                "balance": text(sums.wallet),
                "crossWalletBalance": text(sums.cross_wallet),
                "crossUnPnl": text(sums.cross_profit),
                "availableBalance": text(sums.available),
                "maxWithdrawAmount": text(sums.available),
                "marginAvailable": True,
                "updateTime": now_ms,
            }
        )
    return rows


def _margins_of(
    account: Account, position: Position, clearing: FuturesClearing, now_ms: int
) -> dict[str, Decimal]:
    mark, setting = clearing.mark(position, now_ms), account.setting(position.symbol)
    notional = position.amount * mark
    profit = position.profit_at(mark)
    return {
        "mark": mark,
        "notional": notional,
        "profit": profit,
        "initial": abs(notional) / setting.leverage,
        "maintenance": clearing.tier(position.symbol, abs(notional), now_ms).maintenance(abs(notional)),
        "isolated": position.margin + profit if setting.is_isolated else ZERO,
    }


def _account_position(
    account: Account, position: Position, clearing: FuturesClearing, now_ms: int
) -> dict[str, Any]:
    sums, setting = _margins_of(account, position, clearing, now_ms), account.setting(position.symbol)
    return {
        "symbol": position.symbol,
        "positionSide": position.side,
        "positionAmt": text(position.amount),
        "entryPrice": text(position.entry_price),
        "unrealizedProfit": text(sums["profit"]),
        "notional": text(sums["notional"]),
        "initialMargin": text(sums["initial"]),
        "positionInitialMargin": text(sums["initial"]),
        "openOrderInitialMargin": "0.00000000",
        "maintMargin": text(sums["maintenance"]),
        "leverage": str(setting.leverage),
        "isolated": setting.is_isolated,
        "isolatedMargin": text(sums["isolated"]),
        "isolatedWallet": text(position.margin),
        "updateTime": position.updated_ms,
    }


def position_answer(
    account: Account, position: Position, clearing: FuturesClearing, now_ms: int
) -> dict[str, Any]:
    """Return one row of ``GET /fapi/v3/positionRisk``."""
    sums, setting = _margins_of(account, position, clearing, now_ms), account.setting(position.symbol)
    limit = clearing.liquidation_price(account, position, now_ms)
    return {
        "symbol": position.symbol,
        "positionSide": position.side,
        "positionAmt": text(position.amount),
        "entryPrice": text(position.entry_price),
        "breakEvenPrice": text(position.entry_price),
        "markPrice": text(sums["mark"]),
        "unRealizedProfit": text(sums["profit"]),
        "liquidationPrice": text(limit),
        "leverage": str(setting.leverage),
        "marginType": "isolated" if setting.is_isolated else "cross",
        "isAutoAddMargin": "false",
        "isolatedMargin": text(sums["isolated"]),
        "isolatedWallet": text(position.margin),
        "notional": text(sums["notional"]),
        "marginAsset": position.asset,
        "initialMargin": text(sums["initial"]),
        "maintMargin": text(sums["maintenance"]),
        "positionInitialMargin": text(sums["initial"]),
        "openOrderInitialMargin": "0.00000000",
        "adl": 1,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": position.updated_ms,
    }


def symbol_setting(account: Account, symbol: str, most_notional: Decimal) -> dict[str, Any]:
    """Return one row of ``GET /fapi/v1/symbolConfig``."""
    setting = account.setting(symbol)
    return {
        "symbol": symbol,
        "marginType": "ISOLATED" if setting.is_isolated else "CROSSED",
        "isAutoAddMargin": False,
        "leverage": setting.leverage,
        "maxNotionalValue": f"{most_notional:.0f}",
    }


def order_answer(order: Order) -> dict[str, Any]:
    """Return one order as ``/fapi/v1/order`` tells of it."""
    return {
        "orderId": order.number,
        "symbol": order.symbol,
        "status": order.status.value,
        "clientOrderId": order.client_id,
        "price": text(order.price),
        "avgPrice": text(order.mean_price),
        "origQty": text(order.amount),
        "executedQty": text(order.filled),
        "cumQty": text(order.filled),
        "cumQuote": text(order.cost),
        "timeInForce": order.time_in_force,
        "type": order.type,
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": order.side.value,
        "positionSide": order.position_side,
        "stopPrice": text(order.stop_price),
        "workingType": order.working_type,
        "priceProtect": False,
        "origType": order.type,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
        "goodTillDate": 0,
        "time": order.placed_ms,
        "updateTime": order.updated_ms,
    }


def conditional_answer(order: Order) -> dict[str, Any]:
    """Return one conditional order as ``/fapi/v1/algoOrder`` tells of it."""
    return {
        "algoId": order.number,
        "clientAlgoId": order.client_id,
        "algoType": "CONDITIONAL",
        "orderType": order.type,
        "symbol": order.symbol,
        "side": order.side.value,
        "positionSide": order.position_side,
        "timeInForce": order.time_in_force,
        "quantity": text(order.amount),
        "algoStatus": order.status.value,
        "actualOrderId": "" if order.child is None else str(order.child),
        "triggerPrice": text(order.stop_price),
        "price": text(order.price),
        "icebergQuantity": None,
        "selfTradePreventionMode": "NONE",
        "workingType": order.working_type,
        "priceMatch": "NONE",
        "closePosition": order.close_position,
        "priceProtect": False,
        "reduceOnly": order.reduce_only,
        "createTime": order.placed_ms,
        "updateTime": order.updated_ms,
        "triggerTime": order.triggered_ms,
        "goodTillDate": 0,
    }


def fill_answer(fill: Fill) -> dict[str, Any]:
    """Return one row of ``GET /fapi/v1/userTrades``."""
    return {
        "symbol": fill.symbol,
        "id": fill.number,
        "orderId": fill.order,
        "side": fill.side.value,
        "price": text(fill.price),
        "qty": text(fill.amount),
        "realizedPnl": text(fill.realised),
        "quoteQty": text(fill.cost),
        "commission": text(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.time_ms,
        "positionSide": fill.position_side,
        "buyer": fill.side is Side.BUY,
        "maker": fill.is_maker,
    }


def income_answer(income: Income) -> dict[str, Any]:
    """Return one row of ``GET /fapi/v1/income``."""
    return {
        "symbol": income.symbol,
        "incomeType": income.type,
        "income": text(income.amount),
        "asset": income.asset,
        "info": income.type,
        "time": income.time_ms,
        "tranId": income.number,
        "tradeId": "" if income.fill is None else str(income.fill),
    }
