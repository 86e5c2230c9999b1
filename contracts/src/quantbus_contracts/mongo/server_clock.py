"""The server's clock, brought along by a query: one more document at the end of its result."""

from quantbus_contracts.mongo.steps import Row

__all__ = ["and_the_time"]


def and_the_time(collection: str) -> Row:
    """Return the stage that adds ``{"now": …}``, also where ``collection`` is empty.

    A stage that asks no collection at all (``$documents``) would need the right to read the whole database. This
    one asks a collection that the role reads anyway; ``$facet`` gives one document whatever it is given.
    """
    return {
        "$unionWith": {
            "coll": collection,
            "pipeline": [
                {"$limit": 1},
                {"$project": {"_id": 1}},
                {"$facet": {"one": [{"$limit": 1}]}},
                {"$replaceWith": {"now": "$$NOW"}},
            ],
        }
    }
