"""Tables by how their numbers and their rows are written."""

from __future__ import annotations

from hugginggpt.capabilities import ValueType
from tests.files.drawn_tables import DRAWN
from tests.files.exported_tables import EXPORTS
from tests.files.input import Input
from tests.files.outcomes import Refused, Rows, grid

_UNSURE = "does not say in which encoding it is and was read as {}; save it as UTF-8 if it reads wrong"
_SHOP = """\
sku,zip,customer_id,phone,version,sold
00817,02134,1234567,+4930123456,3.10,5
01220,00501,7654321,+4940987654,3.9,7
"""
_MISSING = "city,people\nOslo,700000\nRome,NA\nBern,n/a\nKiel,-\nBonn,?\nLille,NULL\nGraz,#N/A\nLinz,\nUlm,127000\n"

NUMBERS = (
    Input(
        "swiss.csv",
        b"Posten;Betrag\nMiete;CHF 1'850.00\nStrom;CHF 85.50\n",
        "Swiss amounts: 1'850.00",
        Rows(
            grid("Posten|Betrag", "Miete|CHF 1'850.00", "Strom|CHF 85.50"),
            {"Betrag": [1850, 85.5]},
            {"Betrag": "CHF"},
        ),
    ),
    Input(
        "lakh.csv",
        'city,price\nPune,"₹ 12,34,567"\nGoa,"₹ 850"\n'.encode(),
        "Indian amounts: 12,34,567",
        Rows(grid("city|price", "Pune|₹ 12,34,567", "Goa|₹ 850"), {"price": [1234567, 850]}, {"price": "₹"}),
    ),
    Input(
        "accounting.csv",
        b'item,amount\nsales,"$1,234.50"\nrefund,"($200.00)"\nother,$ -\n',
        "American accounting: parentheses for what is owed, a dash for nothing",
        Rows(
            grid("item|amount", "sales|$1,234.50", "refund|($200.00)", "other|$ -"),
            {"amount": [1234.5, -200, None]},
            {"amount": "$"},
        ),
    ),
    Input(
        "kroner.csv",
        "vare;pris\nbord;1\u202f234,50 kr\nstol;499,00 kr\n".encode(),
        "Norwegian amounts with narrow no-break spaces",
        Rows(grid("vare|pris", "bord|1\u202f234,50 kr", "stol|499,00 kr"), {"pris": [1234.5, 499]}, {"pris": "kr"}),
    ),
    Input(
        "thousands-german.csv",
        b"stadt;besucher\nKiel;1.800\nUlm;850\n",
        "German thousands beside a number that is too small for them",
        Rows(grid("stadt|besucher", "Kiel|1.800", "Ulm|850"), {"besucher": [1800, 850]}),
    ),
    Input(
        "thousands-ambiguous.csv",
        b'city,people\nKiel,"1,234"\nUlm,"5,678"\n',
        "numbers that could be thousands or decimals",
        Rows(
            grid("city|people", "Kiel|1,234", "Ulm|5,678"),
            {"people": [1234, 5678]},
            ambiguous="In the column people, 1,234 was read as 1234, not as 1.234.",
        ),
    ),
    Input(
        "percent.csv",
        "party;share\nA;12,5 %\nB;3 %\nC;−1,2 %\n".encode(),
        "percentages and the typographic minus",
        Rows(grid("party|share", "A|12,5 %", "B|3 %", "C|−1,2 %"), {"share": [12.5, 3, -1.2]}, {"share": "%"}),
    ),
    Input(
        "weather.csv",
        "Tag;Temperatur\nMo;21,5 °C\nDi;−3,0 °C\n".encode(),
        "a weather station: degrees and the typographic minus",
        Rows(
            grid("Tag|Temperatur", "Mo|21,5 °C", "Di|−3,0 °C"),
            {"Temperatur": [21.5, -3]},
            {"Temperatur": "°C"},
        ),
    ),
    Input(
        "shop-ids.csv",
        _SHOP.encode(),
        "ids, postcodes, phones and versions, which are text, beside one quantity",
        Rows(
            grid(
                "sku|zip|customer_id|phone|version|sold",
                "00817|02134|1234567|+4930123456|3.10|5",
                "01220|00501|7654321|+4940987654|3.9|7",
            ),
            {"sold": [5, 7]},
        ),
    ),
    Input(
        "missing.csv",
        _MISSING.encode(),
        "the usual ways to say that a value is missing",
        Rows(
            grid(*_MISSING.replace(",", "|").splitlines()),
            {"people": [700000, None, None, None, None, None, None, None, 127000]},
        ),
    ),
    Input(
        "infinite.csv",
        b"x,y\n1,inf\n2,-Infinity\n3,NaN\n4,#DIV/0!\n5,2.5\n",
        "a script's inf and nan, and a spreadsheet's error",
        Rows(
            grid("x|y", "1|inf", "2|-Infinity", "3|NaN", "4|#DIV/0!", "5|2.5"),
            {"x": [1, 2, 3, 4, 5], "y": [None, None, None, None, 2.5]},
        ),
    ),
    Input(
        "scientific.csv",
        b"t;n\n1,5E+05;1,0\n2,25E-03;2,5\n",
        "a German lab instrument's powers of ten",
        Rows(grid("t|n", "1,5E+05|1,0", "2,25E-03|2,5"), {"t": [150000, 0.00225], "n": [1, 2.5]}),
    ),
    Input(
        "dates.csv",
        b"day,time,ok,amount\n05.03.2024,12:30,TRUE,5\n06.03.2024,09:15,FALSE,6\n",
        "dates, times and booleans, which are no numbers",
        Rows(grid("day|time|ok|amount", "05.03.2024|12:30|TRUE|5", "06.03.2024|09:15|FALSE|6"), {"amount": [5, 6]}),
    ),
    Input(
        "currencies.csv",
        "item,price\na,€5\nb,$5\n".encode(),
        "two currencies in one column, which cannot be compared",
        Rows(grid("item|price", "a|€5", "b|$5")),
    ),
    Input(
        "cards.csv",
        b"name,card number\nAnn,4111111111111111\nBob,5500005555555559\n",
        "numbers of credit cards, which have too many digits for a number",
        Rows(grid("name|card number", "Ann|4111111111111111", "Bob|5500005555555559")),
    ),
    Input(
        "years.csv",
        b"region;2022;2023\nNorth;1.200,5;1.300\nSouth;800;950,25\n",
        "years as names of columns",
        Rows(
            grid("region|2022|2023", "North|1.200,5|1.300", "South|800|950,25"),
            {"2022": [1200.5, 800], "2023": [1300, 950.25]},
        ),
    ),
)

DIALECTS = (
    Input(
        "sep-line.csv",
        b"sep=;\r\nname;note\r\nlamp;nice, bright\r\n",
        "Excel's sep= line",
        Rows(grid("name|note", "lamp|nice, bright")),
    ),
    Input(
        "quotes.tsv",
        b'title\tyear\n"The Matrix" is a film\t1999\n12" remix\t1984\n',
        "a TSV without quoting (IMDb, databases)",
        Rows(
            grid("title|year", '"The Matrix" is a film|1999', '12" remix|1984'),
            {"year": [1999, 1984]},
            mime="text/tab-separated-values",
        ),
    ),
    Input(
        "inches.csv",
        b'part,n\n"12"" pipe, long",5\n3" rod,7\n',
        "inches: quotes inside fields, doubled and bare",
        Rows(grid("part|n", '12" pipe, long|5', '3" rod|7'), {"n": [5, 7]}),
    ),
    Input(
        "address-lines.csv",
        b'name,address,age\nAnn,"1 High St\nLeeds",31\nBob,"2 Low St\nYork",45\n',
        "a field of two lines (CRM exports)",
        Rows(grid("name|address|age", "Ann|1 High St\nLeeds|31", "Bob|2 Low St\nYork|45"), {"age": [31, 45]}),
    ),
    Input(
        "pipes.csv",
        b"name|city|age\nAnn|Leeds|31\nBob|York|45\n",
        "a mainframe's pipes",
        Rows(grid("name|city|age", "Ann|Leeds|31", "Bob|York|45"), {"age": [31, 45]}),
    ),
    Input(
        "empty-columns.csv",
        b"name;price;;;\nlamp;58;;;\ndesk;349;;;\n;;;;\n;;;;\n",
        "a spreadsheet's empty columns and rows at the end",
        Rows(grid("name|price", "lamp|58", "desk|349"), {"price": [58, 349]}),
    ),
    Input(
        "title-row.csv",
        "Umsatz 2024;;\n;;\nMonat;Stück;Umsatz\nMai;12;1.200,00\nJuni;15;1.510,50\n".encode(),
        "a sheet's title row, padded with empty cells",
        Rows(
            grid("Monat|Stück|Umsatz", "Mai|12|1.200,00", "Juni|15|1.510,50"),
            {"Stück": [12, 15], "Umsatz": [1200, 1510.5]},
        ),
    ),
    Input(
        "sensor-log.csv",
        b"# station 7\n# exported 2024-05-01\ntime,temp\n0,21.5\n10,21.7\n",
        "a logger's remarks above the header",
        Rows(grid("time|temp", "0|21.5", "10|21.7"), {"time": [0, 10], "temp": [21.5, 21.7]}),
    ),
    Input(
        "price-eur.csv",
        b"Name;Price, EUR\nlamp;58,50\ndesk;349,00\n",
        "the other separator in the header",
        Rows(grid("Name|Price, EUR", "lamp|58,50", "desk|349,00"), {"Price, EUR": [58.5, 349]}),
    ),
    Input(
        "classic-mac.csv",
        b"name,price\rlamp,58\rdesk,349\r",
        "Excel for Mac's line ends of old",
        Rows(grid("name|price", "lamp|58", "desk|349"), {"price": [58, 349]}),
    ),
    Input(
        "doubled-returns.csv",
        b"name,price\r\r\nlamp,58\r\r\ndesk,349\r\r\n",
        "a Python script's doubled line ends on Windows",
        Rows(grid("name|price", "lamp|58", "desk|349"), {"price": [58, 349]}),
    ),
    Input(
        "mark-and-quotes.csv",
        b'\xef\xbb\xbf"name","price"\n"lamp","58"\n',
        "a mark in front of a quoted header (PayPal)",
        Rows(grid("name|price", "lamp|58"), {"price": [58]}),
    ),
    Input(
        "twice.csv",
        b"name,score,score\nAnn,5,6\nBob,7,8\n",
        "two columns of the same name (survey tools)",
        Rows(grid("name|score|score", "Ann|5|6", "Bob|7|8"), {"score": [6, 8]}),
    ),
    Input(
        "one-column.csv",
        b"email\nann@example.com\nbob@example.com\n",
        "a list of addresses: one column",
        Rows(grid("email", "ann@example.com", "bob@example.com")),
    ),
    Input(
        "index.csv",
        b",name,score\n0,Ann,5\n1,Bob,7\n",
        "pandas' index without a name",
        Rows(grid("|name|score", "0|Ann|5", "1|Bob|7"), {"": [0, 1], "score": [5, 7]}),
    ),
    Input(
        "short-rows.csv",
        b"name,price,note\nlamp,5,nice\ndesk,6\n",
        "rows whose last cells are left out",
        Rows(grid("name|price|note", "lamp|5|nice", "desk|6|"), {"price": [5, 6]}),
    ),
    Input(
        "total.csv",
        b"item;amount\na;1.200,50\nb;3,00\nTotal;1.203,50\n",
        "a total at the end, which stays a row",
        Rows(grid("item|amount", "a|1.200,50", "b|3,00", "Total|1.203,50"), {"amount": [1200.5, 3, 1203.5]}),
    ),
    Input(
        "readings.tab",
        "t\tü\n1\t2,5\n2\t3,5\n".encode("cp1252"),
        "a lab's .tab with one letter outside ASCII",
        Rows(
            grid("t|ü", "1|2,5", "2|3,5"),
            {"t": [1, 2], "ü": [2.5, 3.5]},
            mime="text/tab-separated-values",
            notes=(_UNSURE.format("Windows-1252"),),
        ),
    ),
    Input(
        "uneven.csv",
        b"a,b\n1,2\n3,4,5\n6,7\n",
        "a row with a cell too many",
        Refused("has 3 cells in line 3 but 2 columns; give every row 2 cells"),
    ),
    Input(
        "semicolons.txt",
        b"name;price\nlamp;58\ndesk;349\n",
        "a CSV named .txt, given to a kind that wants a table",
        Rows(
            grid("name|price", "lamp|58", "desk|349"),
            {"price": [58, 349]},
            mime="text/plain",
            type=ValueType.TEXT,
        ),
    ),
    Input(
        "records.jsonl",
        b'{"name": "lamp", "price": 58.50}\n{"name": "desk", "price": 349, "note": "big"}\n',
        "JSON lines (logs, data sets)",
        Rows(
            grid("name|price|note", "lamp|58.50|", "desk|349|big"),
            {"price": [58.5, 349]},
            mime="application/jsonl",
            type=ValueType.TEXT,
        ),
    ),
    Input(
        "records.json",
        b'[{"name": "lamp", "price": 58.5}, {"price": 349, "name": "desk"}]',
        "a web service's list of records",
        Rows(
            grid("name|price", "lamp|58.5", "desk|349"),
            {"price": [58.5, 349]},
            mime="application/json",
            type=ValueType.TEXT,
        ),
    ),
)

TABLES = (*EXPORTS, *NUMBERS, *DIALECTS, *DRAWN)
