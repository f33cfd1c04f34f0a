"""Numbers of a spreadsheet as it shows them, apart from the grouping of digits, which differs between countries."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache

BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 14: "yyyy-mm-dd",
    15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm", 19: "h:mm:ss", 20: "h:mm", 21: "h:mm:ss",
    22: "yyyy-mm-dd h:mm", 37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00", 41: "#,##0", 42: "#,##0",
    43: "#,##0.00", 44: "#,##0.00", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss", 48: "##0.0E+0",
}  # fmt: skip
"""The formats that files name by number alone (ECMA-376, 18.8.30)."""

_EPOCH, _EPOCH_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)
_LAST_DAY = 2_958_465
_EXACT = 10**15
_CURRENCY = re.compile(r"\[\$([^\]-]*)(?:-[0-9A-Fa-f]+)?\]")
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_BRACKETS = re.compile(r"\[[^\]]*\]")
_FILL = re.compile(r"[_*].")
_QUOTED = re.compile(r'"([^"]*)"|\\(.)')
_DIGITS = re.compile(r"[0#?](?:[0#?,. \-/()]*[0#?])?,*")
_MOST_DECIMALS = 15


def shown(number: float, code: str, from_1904: bool = False) -> str:
    """A number as text.

    Args:
        number: the value of the cell.
        code: the cell's number format; "" or "General" for none.
        from_1904: days are counted from 1904.
    """
    section = code.partition(";")[0]
    bare = _QUOTED.sub("", _FILL.sub("", section))
    if _ELAPSED.search(bare):
        return _elapsed(number)
    kind = _date_kind(bare)
    if kind and 0 <= number <= _LAST_DAY:
        return _date(number, kind, from_1904)
    if "E+" in bare.upper() or "E-" in bare.upper():
        return f"{number:.{_decimals(bare.upper().partition('E')[0])}E}"
    if "/" in bare and "?" in bare:
        return general(number)
    return _formatted(number, section)


def general(number: float) -> str:
    """A number as it is, to fifteen digits, which is what spreadsheets keep."""
    if number == int(number) and abs(number) < _EXACT:
        return str(int(number))
    return f"{number:.15g}"


@lru_cache(maxsize=256)
def _date_kind(bare: str) -> str:
    """Whether a format shows a "date", a "time", both, or neither ("")."""
    letters = _BRACKETS.sub("", bare).lower().replace("am/pm", "h").replace("general", "")
    if re.search("[0#?]", letters.replace(".0", "")):
        return ""
    has_date = re.search("[ydg]", letters) is not None or ("m" in letters and re.search("[hs]", letters) is None)
    has_time = re.search("[hs]", letters) is not None
    return " ".join(["date"] * has_date + ["time"] * has_time)


def _date(number: float, kind: str, from_1904: bool) -> str:
    if from_1904:
        moment = _EPOCH_1904 + timedelta(days=number)
    else:
        # Spreadsheets count a 29 February 1900 that never was.
        moment = _EPOCH + timedelta(days=number + (1 if 0 < number < 60 and kind != "time" else 0))
    moment = (moment + timedelta(microseconds=500_000)).replace(microsecond=0)
    clock = moment.strftime("%H:%M:%S" if moment.second or kind == "time" else "%H:%M")
    return {"date": moment.date().isoformat(), "time": clock}.get(kind, f"{moment.date().isoformat()} {clock}")


def _elapsed(number: float) -> str:
    seconds = round(abs(number) * 86_400)
    return f"{'-' if number < 0 else ''}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _decimals(pattern: str) -> int:
    return min(len(re.findall("[0#?]", pattern.partition(".")[2])), _MOST_DECIMALS)


def _formatted(number: float, section: str) -> str:
    """A number with the decimals, leading zeros, signs and words of its format."""
    named = _CURRENCY.sub(lambda found: f'"{found[1]}"', section)
    plain = _QUOTED.sub(lambda found: "\0" * len(found[1] or found[2] or ""), _BRACKETS.sub("", _FILL.sub("", named)))
    words = _QUOTED.sub(lambda found: found[1] or found[2] or "", _BRACKETS.sub("", _FILL.sub("", named)))
    digits = _DIGITS.search(plain)
    if digits is None:
        return general(number)
    pattern = digits[0]
    scaled = number * (100 if "%" in plain else 1) / 1000 ** (len(pattern) - len(pattern.rstrip(",")))
    pattern = pattern.rstrip(",").replace(",", "")
    if re.search(r"[ \-/()]", pattern) and "." not in pattern:
        text = _filled(round(abs(scaled)), pattern)
    else:
        whole, _, decimals = f"{abs(scaled):.{_decimals(pattern)}f}".partition(".")
        optional = len(pattern) - len(pattern.rstrip("#")) if "." in pattern else 0
        least = max(0, len(decimals) - optional)
        decimals = decimals[:least] + decimals[least:].rstrip("0")
        text = whole.zfill(pattern.partition(".")[0].count("0")) + (f".{decimals}" if decimals else "")
    before, after = words[: digits.start()], words[digits.end() :]
    is_negative = scaled < 0 and any(character in "123456789" for character in text)
    return ("-" if is_negative else "") + f"{before.lstrip()}{text}{after}".strip()


def _filled(number: int, pattern: str) -> str:
    """Digits put into the places of a pattern such as 000-00-0000, from the right."""
    digits = list(str(number).zfill(pattern.count("0")))
    places: list[str] = []
    for sign in reversed(pattern):
        if sign in "0#?":
            places.append(digits.pop() if digits else "")
        else:
            places.append(sign)
    return "".join(digits) + "".join(reversed(places))
