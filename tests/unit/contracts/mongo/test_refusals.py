"""The server's refusals as sentences."""

from quantbus_contracts.mongo.refusals import told

SUPERFLUOUS = {
    "operatorName": "$and",
    "clausesNotSatisfied": [
        {
            "index": 0,
            "details": {
                "operatorName": "$jsonSchema",
                "schemaRulesNotSatisfied": [
                    {
                        "operatorName": "additionalProperties",
                        "specifiedAs": {"additionalProperties": False},
                        "additionalProperties": ["surprise"],
                    },
                    {
                        "operatorName": "properties",
                        "propertiesNotSatisfied": [{"propertyName": "score", "details": []}],
                    },
                    {
                        "operatorName": "required",
                        "specifiedAs": {"required": ["_id", "batch_id"]},
                        "missingProperties": ["batch_id"],
                    },
                ],
            },
        }
    ],
}


def test_the_validators_refusal_names_the_fields_and_what_to_do() -> None:
    sentence = told(
        {"code": 121, "errmsg": "Document failed validation", "errInfo": {"details": SUPERFLUOUS}}
    )
    assert "(about batch_id, score, surprise)" in sentence
    assert "`quantbus bus init`" in sentence


def test_a_validator_that_names_no_field_is_quoted() -> None:
    details = {"operatorName": "$expr", "reason": "expression did not match"}
    assert "did not match" in told({"code": 121, "errInfo": {"details": details}})


def test_another_refusal_is_told_as_it_came() -> None:
    assert told({"code": 2, "errmsg": "BadValue"}) == "refused by the database: BadValue"
