"""What Binance spot says about accounts, orders and fills."""

from collections.abc import Iterable
from typing import Any

from quantbus_services.paper_exchange.accounts.money import text
from quantbus_services.paper_exchange.accounts.records import Account, ApiKey, Fill, Order, Side

__all__ = ["account_answer", "cancelled", "fill_answer", "order_answer", "placed"]


def account_answer(account: Account, key: ApiKey, *, skip_empty: bool) -> dict[str, Any]:
    """Return ``GET /api/v3/account``."""
    rates = account.spot_rates
    return {
        "makerCommission": int(rates.maker * 10_000),
        "takerCommission": int(rates.taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": text(rates.maker),
            "taker": text(rates.taker),
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": key.can_trade,
        "canWithdraw": key.can_withdraw,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": account.updated_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": text(balance.free), "locked": text(balance.locked)}
            for asset, balance in sorted(account.spot.items())
            if balance.total or not skip_empty
        ],
        "permissions": ["SPOT"],
        "uid": account.number,
    }


def _common(order: Order) -> dict[str, Any]:
    return {
        "symbol": order.symbol,
        "orderId": order.number,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "price": text(order.price),
        "origQty": text(order.amount),
        "executedQty": text(order.filled),
        "origQuoteOrderQty": text(order.quote_amount),
        "cummulativeQuoteQty": text(order.cost),
        "status": order.status.value,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side.value,
        **({"stopPrice": text(order.stop_price)} if order.stop_price else {}),
        "workingTime": -1 if order.is_waiting else order.triggered_ms or order.placed_ms,
        "selfTradePreventionMode": "NONE",
    }


def order_answer(order: Order) -> dict[str, Any]:
    """Return one order as ``GET /api/v3/order`` tells of it."""
    return _common(order) | {
        "stopPrice": text(order.stop_price),
        "icebergQty": "0.00000000",
        "time": order.placed_ms,
        "updateTime": order.updated_ms,
        "isWorking": not order.is_waiting,
    }


def placed(order: Order, fills: Iterable[Fill], detail: str) -> dict[str, Any]:
    """Return the answer to a new order, as short as ``newOrderRespType`` wants it."""
    acknowledged = {
        "symbol": order.symbol,
        "orderId": order.number,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": order.placed_ms,
    }
    if detail == "ACK":
        return acknowledged
    result = _common(order) | {"transactTime": order.placed_ms}
    if detail == "RESULT":
        return result
    rows = [
        {
            "price": text(fill.price),
            "qty": text(fill.amount),
            "commission": text(fill.fee),
            "commissionAsset": fill.fee_asset,
            "tradeId": fill.number,
        }
        for fill in fills
    ]
    return result | {"fills": rows}


def cancelled(order: Order, client_id: str) -> dict[str, Any]:
    """Return the answer to a cancellation, which has an id of its own."""
    return _common(order) | {
        "origClientOrderId": order.client_id,
        "clientOrderId": client_id or f"cancel-{order.number}",
        "transactTime": order.updated_ms,
    }


def fill_answer(fill: Fill) -> dict[str, Any]:
    """Return one row of ``GET /api/v3/myTrades``."""
    return {
        "symbol": fill.symbol,
        "id": fill.number,
        "orderId": fill.order,
        "orderListId": -1,
        "price": text(fill.price),
        "qty": text(fill.amount),
        "quoteQty": text(fill.cost),
        "commission": text(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.time_ms,
        "isBuyer": fill.side is Side.BUY,
        "isMaker": fill.is_maker,
        "isBestMatch": True,
    }
