"""A recogniser for llama.cpp's grammars: enough of GBNF to say which plans one lets through."""

import json

import regex

_TOKEN = regex.compile(r'\s*("(?:[^"\\]|\\.)*"|\[[^\]]*\]|[\w-]+|\{[\d,]+\}|[()|?*+])')


def recogniser(grammar: str) -> "regex.Pattern[str]":
    """The grammar as a recursive regular expression."""
    rules = []
    for line in grammar.splitlines():
        name, body = line.split(" ::= ", 1)
        rules.append(f"(?P<{_name(name)}>{''.join(map(_part, _TOKEN.findall(body)))})")
    return regex.compile(f"(?(DEFINE){''.join(rules)})(?&root)")


def _part(token: str) -> str:
    if token[0] == '"':
        return f"(?:{regex.escape(json.loads(token), literal_spaces=True)})"
    if token[0] in "[{|)?*+":
        return token
    return "(?:" if token == "(" else f"(?&{_name(token)})"


def _name(rule: str) -> str:
    return rule.replace("-", "_")
