"""Configurations: the schema that the host gets and the value that a run gets, out of the same annotations."""

import unittest
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from sickbay import ConfigurationError, Key, config


class Method(Enum):
    GET = "GET"
    HEAD = "HEAD"


@dataclass
class Part:
    name: str
    weight: float = 1.0


@dataclass
class Config:
    """What is looked at."""

    url: Annotated[str, Key("Where to look", pattern="^https?://", examples=["https://example.com/"])]
    limit: Annotated[int, Key("How many may wait", minimum=0, maximum=10)] = 5
    ratio: Annotated[float | None, "A share of the whole"] = None
    method: Method = Method.GET
    level: Literal["low", "high"] = "low"
    parts: list[Part] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    since: datetime | None = None
    sender: Annotated[str, Key(name="from")] = ""
    anything: Any = None

    def __post_init__(self) -> None:
        if self.url.endswith("!"):
            raise ValueError("no URL ends so")


class Loose(TypedDict):
    name: str
    count: NotRequired[Annotated[int, Key("How often", minimum=1)]]


@dataclass
class Tree:
    left: "Tree | None" = None


def load(value: object) -> Config:
    return config.read(Config, value)


class TestSchema(unittest.TestCase):
    def test_it_tells_types_bounds_defaults_and_descriptions(self) -> None:
        schema = config.schema_of(Config)
        self.assertEqual(schema["$schema"], "https://json-schema.org/draft/2020-12/schema")
        self.assertEqual((schema["description"], schema["required"]), ("What is looked at.", ["url"]))
        self.assertFalse(schema["additionalProperties"])
        keys = schema["properties"]
        self.assertEqual(
            keys["url"],
            {"type": "string", "pattern": "^https?://", "description": "Where to look", "examples": ["https://example.com/"]},
        )
        self.assertEqual(keys["limit"], {"type": "integer", "minimum": 0, "maximum": 10, "description": "How many may wait", "default": 5})
        self.assertEqual(keys["ratio"], {"type": ["number", "null"], "description": "A share of the whole"})
        self.assertEqual(keys["method"], {"enum": ["GET", "HEAD"], "default": "GET"})
        self.assertEqual(keys["level"], {"enum": ["low", "high"], "default": "low"})
        self.assertEqual(keys["labels"], {"type": "object", "additionalProperties": {"type": "string"}, "default": {}})
        self.assertEqual(keys["parts"]["items"]["required"], ["name"])
        self.assertEqual(keys["since"], {"type": ["string", "null"], "format": "date-time"})
        self.assertIn("from", keys)
        self.assertEqual(keys["anything"], {})

    def test_a_dataclass_without_documentation_has_no_description(self) -> None:
        self.assertNotIn("description", config.schema_of(Part))

    def test_a_typed_dict_says_which_keys_it_needs(self) -> None:
        schema = config.schema_of(Loose)
        self.assertEqual(schema["required"], ["name"])
        self.assertEqual(schema["properties"]["count"], {"type": "integer", "minimum": 1, "description": "How often"})

    def test_nothing_to_configure_is_a_table_without_keys(self) -> None:
        self.assertEqual(config.schema_of(None)["properties"], {})
        self.assertFalse(config.schema_of(None)["additionalProperties"])

    def test_an_annotation_that_json_cannot_hold_is_refused_with_its_name(self) -> None:
        @dataclass
        class Wrong:
            when: complex

        with self.assertRaisesRegex(TypeError, "complex"):
            config.schema_of(Wrong)
        with self.assertRaisesRegex(TypeError, "holds itself"):
            config.schema_of(Tree)
        with self.assertRaisesRegex(TypeError, "no configuration"):
            config.schema_of(int)

    def test_a_bound_that_bounds_nothing_is_refused(self) -> None:
        @dataclass
        class Misplaced:
            limits: Annotated[list[int], Key("Limits", minimum=1)]

        @dataclass
        class Placed:
            limits: Annotated[list[Annotated[int, Key(minimum=1)]], Key("Limits", min_items=1)]

        with self.assertRaisesRegex(TypeError, "`minimum` bounds nothing of `limits`"):
            config.schema_of(Misplaced)
        self.assertEqual(config.schema_of(Placed)["properties"]["limits"]["items"]["minimum"], 1)


class TestReading(unittest.TestCase):
    def test_a_value_comes_as_annotated(self) -> None:
        read = load(
            {
                "url": "https://a/",
                "ratio": 1,
                "method": "HEAD",
                "level": "high",
                "parts": [{"name": "x"}, {"name": "y", "weight": 2}],
                "labels": {"a": "b"},
                "since": "2026-01-31T12:00:00Z",
                "from": "me",
            }
        )
        self.assertEqual((read.ratio, type(read.ratio)), (1.0, float))
        self.assertEqual((read.method, read.level, read.limit), (Method.HEAD, "high", 5))
        self.assertEqual(read.parts, [Part("x"), Part("y", 2.0)])
        self.assertEqual(read.since, datetime(2026, 1, 31, 12, tzinfo=UTC))
        self.assertEqual(read.sender, "me")
        self.assertEqual(config.read(Loose, {"name": "x"}), {"name": "x"})

    def test_what_does_not_fit_names_the_key_and_what_was_expected(self) -> None:
        url = {"url": "https://a/"}
        cases: list[tuple[object, str]] = [
            ({}, "`config` has no key `url`"),
            ({"url": 5}, "`config.url` must be a text, not a whole number"),
            ({"url": "ftp://a"}, "`config.url` does not match"),
            ({"url": "https://a!"}, "no URL ends so"),
            ({**url, "limit": 11}, "`config.limit` is 11, must be at most 10"),
            ({**url, "limit": 1.5}, "`config.limit` must be a whole number, not a number"),
            ({**url, "limit": True}, "`config.limit` must be a whole number, not true or false"),
            ({**url, "ratio": "x"}, "`config.ratio` must be a number, not a text"),
            ({**url, "method": "PUT"}, "`config.method` is 'PUT', must be one of 'GET', 'HEAD'"),
            ({**url, "parts": [{"name": "x"}, {"weight": 1}]}, r"`config.parts\[1\]` has no key `name`"),
            ({**url, "labels": {"a": 1}}, "`config.labels.a` must be a text"),
            ({**url, "lmit": 1}, "`config` has an unknown key `lmit`; known: anything, from"),
            ({**url, "since": "today"}, "`config.since` is 'today', must be a time"),
            ([], "`config` must be a table, not a list"),
        ]
        for value, message in cases:
            with self.subTest(message), self.assertRaisesRegex(ConfigurationError, message):
                load(value)

    def test_a_whole_number_may_be_written_with_a_point(self) -> None:
        self.assertEqual(load({"url": "https://a/", "limit": 3.0}).limit, 3)


if __name__ == "__main__":
    unittest.main()
