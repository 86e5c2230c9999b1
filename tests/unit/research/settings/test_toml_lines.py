import tomllib

from quantbus_research.settings.toml_lines import line_of, lines_of_keys

TEXT = '''# a comment with key = value
title = """
[not.a.table]
fake = 1
"""
names = [
    "one",  # [a comment]
    "two",
]

[a."b c"]  # trailing
"quoted key" = { x = 1 }
deep.er = 2
last = 'literal = "x"'
'''


def test_every_key_is_found_on_its_line() -> None:
    tomllib.loads(TEXT)
    assert lines_of_keys(TEXT) == {
        ("title",): (2, 5),
        ("names",): (6, 9),
        ("a", "b c"): (11, 11),
        ("a", "b c", "quoted key"): (12, 12),
        ("a", "b c", "deep", "er"): (13, 13),
        ("a", "b c", "last"): (14, 14),
    }


def test_a_value_of_a_long_list_is_found_on_its_own_line() -> None:
    assert line_of(TEXT, ("names",), "two") == 8
    assert line_of(TEXT, ("names",), "absent") == 6


def test_a_key_that_is_not_there_is_placed_at_its_parent() -> None:
    assert line_of(TEXT, ("a", "b c", "absent")) == 11
    assert line_of(TEXT, ("absent",)) is None
